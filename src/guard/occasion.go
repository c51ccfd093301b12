package guard

import (
	"time"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/plan"
)

// What a run is for, and what of the findings it chooses.

// occasion is what a run of act is for.
type occasion struct {
	// about chooses the hazards by their subject, app the only app that a person has
	// asked for; "" for all.
	about, app string
	// hook tells that apt or dpkg waits for us: what takes longer than seconds is
	// queued (law 9).
	hook bool
}

func (oc occasion) chooses(f hazard.Finding) bool {
	return (oc.about == "" || hazard.Named(f.Hazard).About == oc.about) && (oc.app == "" || f.App == oc.app)
}

// late tells whether what is left to do for some apps is queued, in a run that began
// then: it takes longer than a package manager may be held up.
func (oc occasion) late(stage plan.Stage, apps int, begun, now time.Time) bool {
	return oc.hook && stage >= plan.Start && (apps > fewBuilds || now.Sub(begun) > hookTime)
}

// hookTime is how long a run in a package manager's hook begins something new that takes
// seconds.
const hookTime = 20 * time.Second

// fewBuilds are as many as Dokku builds in seconds.
const fewBuilds = 5

// rung tells steps apart within a run. Several findings of an app may be ended by one
// build, and those of all apps by one reload of nginx.
func rung(s plan.Step) string {
	switch {
	case s.Stage == plan.Reload:
		return s.Text
	case s.Stage == plan.Quarantine:
		return s.App + "\x00" + hazard.TextQuarantine
	case s.Stage != plan.Files:
		return s.App + "\x00" + s.Text
	}
	return s.App + "\x00" + s.Hazard + "\x00" + s.Text
}

// chosen are the findings that an occasion is about.
func (oc occasion) chosen(found []hazard.Finding) []hazard.Finding {
	var chosen []hazard.Finding
	for _, f := range found {
		if oc.chooses(f) {
			chosen = append(chosen, f)
		}
	}
	return chosen
}
