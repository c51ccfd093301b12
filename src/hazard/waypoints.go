package hazard

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// waypoints is about versions at which an upgrade had better not stop, with the
// nearest one that is good. What an upgrade to them does to an app is told by the
// hazards of that app; names tells of 0.22.0 to 0.22.2.
var waypoints = Hazard{
	Name:    "waypoints",
	Threads: "dokku/dokku#5277, #5568, #6066, #7253, #7967, #8875, #8929, dokku/dokku-update#36",

	ForeseeHost: func(s HostSubject) []Finding {
		var found []Finding
		for _, w := range badStops {
			if app.Before(s.To, w.first) || app.Before(w.last, s.To) {
				continue
			}
			f := Finding{
				What: fmt.Sprintf("%s is not a safe version to stop at: %s. The nearest that is: %s", s.To, w.why, w.good),
				Kind: Notice,
			}
			if w.loses {
				f.Kind, f.Command = Manual, "apt-get install dokku="+w.good
			}
			found = append(found, f)
		}
		if f := abortsWithoutScale(s); f != nil {
			found = append(found, *f)
		}
		if app.ScaleInFile(s.From) && s.Crosses("0.30.0") {
			found = append(found, Finding{
				What: "the stop at 0.29 that the upgrade guide advises is not needed: upgrade-guard carries the scales over",
				Kind: Notice,
			})
		}
		return found
	},
}

// stop is a range of versions.
type stop struct {
	first, last, good string
	// loses tells that the upgrade itself loses something, not what may be done
	// after it.
	loses bool
	why   string
}

var badStops = []stop{
	{first: includedTwice, last: includedTwice, good: "0.27.10", why: "it includes an app's snippets twice in the server that redirects to https, and nginx takes most directives once"},
	{first: "0.29.0", last: "0.29.3", good: "0.29.4", why: "its installation does not make the directories that its builds need; upgrade-guard does"},
	{first: "0.34.0", last: "0.36.5", good: "0.36.11", why: "its apps:rename and apps:clone leave code and certificate behind, and apps:rename then deletes them"},
	{first: "0.36.6", last: "0.36.9", good: "0.36.11", why: "what is pushed to an app after apps:rename goes to its old name"},
	{first: "0.38.0", last: "0.38.25", good: "0.38.27", why: "it does not move the settings of checks, builder and apps out of the environment; upgrade-guard does"},
	{first: "0.38.26", last: "0.38.26", good: "0.38.27", loses: true, why: "its installation puts settings from before 0.38 over what was set since"},
}

// abortsWithoutScale is about 0.35.17 to 0.37 (docs/dokku-versions.md#domains). Their
// installation builds the nginx configuration of every app without domains on a host
// without a global one, and where such an app has no scale it stops there, which leaves
// dokku half-configured. A scale that is known is seeded before; so it is the apps
// without one that are told.
func abortsWithoutScale(s HostSubject) *Finding {
	var doomed []string
	for name, a := range s.Now.Apps {
		if needsScale(s.To, a, s.Now.Global.Domains) && a.EffectiveScale().Empty() {
			doomed = append(doomed, name)
		}
	}
	if len(doomed) == 0 {
		return nil
	}
	slices.Sort(doomed)
	return &Finding{
		What:        fmt.Sprintf("the installation of %s stops at apps that have neither domains nor a scale: %s", s.To, listed(doomed)),
		Consequence: "The rest of Dokku would not be installed, and dpkg would leave it half-configured. 0.35.16 and 0.38.27 do not stop.",
		Halts:       true,
		Command:     strings.Join(scaleEach(doomed), " && "),
	}
}

// needsScale tells whether the installation of a version stops at an app that has no
// scale where it reads it.
func needsScale(to string, a app.State, global []string) bool {
	return !app.Before(to, "0.35.17") && app.Before(to, "0.38.0") && len(app.DefaultDomains(to, a.Name, global)) == 0 && !a.Domains.File && !a.Domains.Disabled && a.Deployed()
}

func scaleEach(names []string) []string {
	commands := make([]string, len(names))
	for i, name := range names {
		commands[i] = say.Command("dokku ps:scale", name, "web=1")
	}
	return commands
}
