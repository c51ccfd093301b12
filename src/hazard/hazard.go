// Package hazard knows the ways in which an upgrade of Dokku loses something,
// a file each: which versions, what it will do to an app, what it has done, and
// what is done about it. To add one, write its file beside scale_lost.go, add it
// to All, and give it a scenario in tests/scenarios.
package hazard

import (
	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// Names of the hazards whose repair must show in nginx's configuration.
const (
	PortsLost   = "ports-lost"
	DomainsLost = "domains-lost"
)

// Hazard is one known way to lose something. Its functions look at one app and
// change nothing: what is to be changed is a step of the finding, so that a
// person can be shown it first.
type Hazard struct {
	// Name is what reports and journals call it.
	Name string
	// Threads are where it hurt people.
	Threads string
	// Guide is the part of Dokku's documentation that is about it.
	Guide string
	// Foresee says, from the state before an upgrade, what the upgrade will do
	// to the app; a finding's step, if any, prevents it.
	Foresee func(Subject) []Finding
	// Detect says, after an upgrade, what it has done; a finding's step, if
	// any, repairs it.
	Detect func(Subject) []Finding
}

// All are the hazards the guard knows, in the order in which their steps are
// done.
var All = []Hazard{
	scaleDirty,
	scaleLost,
	scaleDefault,
	scaleMalformed,
	scaleZero,
	scaleDrift,
	scaleFromRepository,
	domainsLost,
	portsLost,
	domainsGuessed,
	portsGuessed,
}

// Subject is what a hazard looks at: one app, and the jump between versions.
type Subject struct {
	Paths host.Paths
	// From and To are the Dokku versions of the jump. For Foresee, the app's
	// state is From's; for Detect it is To's, and From is "" when nothing of an
	// upgrade is known.
	From, To string
	Now      app.State
	// Before is the app as it was recorded before the jump; nil when it was
	// not, or when the record is closed.
	Before *app.State
	// Record is where Before comes from.
	Record string
	// Files are the host's files as Now was read from them. Old are those of the
	// record, whole; they are read when they are first asked for, and nil where
	// there is no record or it cannot be read.
	Files *app.Files
	Old   func() *app.Files
	// NoDocker tells that nothing is known of running containers.
	NoDocker bool
	// Digest is the digest of a file as Now was read from it, "" for none.
	Digest func(path string) string
	// Seeded tells whether the guard itself put this content into this file
	// ahead of an upgrade.
	Seeded func(path, digest string) bool
}

// Crosses tells whether the jump passes a version: it comes from below it and
// ends at it or above.
func (s Subject) Crosses(version string) bool {
	return s.From != "" && app.Before(s.From, version) && !app.Before(s.To, version)
}

// Finding is one thing that will be, or was, lost.
type Finding struct {
	App    string `json:"app"`
	Hazard string `json:"hazard"`
	Guide  string `json:"guide,omitempty"`
	// What is the evidence, Consequence what comes of it: a sentence each.
	What        string `json:"what"`
	Consequence string `json:"consequence,omitempty"`
	// Command is what a person types where the guard does nothing by itself.
	Command string `json:"command,omitempty"`
	// Note tells that it is only to be known; nothing is owed to the app.
	Note bool `json:"note,omitempty"`
	// Step is what the guard does about it; nil when a person must.
	Step *plan.Step `json:"-"`
}

// Foresee asks every hazard what the jump will do to an app.
func Foresee(s Subject) []Finding {
	return ask(s, func(h Hazard) func(Subject) []Finding { return h.Foresee })
}

// Detect asks every hazard what has happened to an app.
func Detect(s Subject) []Finding {
	return ask(s, func(h Hazard) func(Subject) []Finding { return h.Detect })
}

func ask(s Subject, part func(Hazard) func(Subject) []Finding) []Finding {
	var found []Finding
	for _, h := range All {
		look := part(h)
		if look == nil {
			continue
		}
		for _, f := range look(s) {
			f.App, f.Hazard, f.Guide = s.Now.Name, h.Name, h.Guide
			if f.Step != nil {
				f.Step.App, f.Step.Hazard = f.App, f.Hazard
			}
			found = append(found, f)
		}
	}
	return found
}
