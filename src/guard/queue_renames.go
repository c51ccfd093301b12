package guard

import (
	"slices"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// Renames are queued at the end of an upgrade, of apps that are in order.

// queueRenames queues the renames that are due, of apps that are as they were
// recorded and serve: nothing is risked for a name. The caller holds the lock and
// saves the known.
func (g *Guard) queueRenames(known *state.State, out outcome) error {
	var jobs []state.Job
	for _, d := range g.RenamesDue(out.Files, out.Now, out.Now.Dokku) {
		if _, open := known.Unresolved[d.From]; d.Why == nil && !open && !out.troubled(d.From) {
			jobs = append(jobs, state.Job{Kind: JobRename, App: d.From, Arg: d.To})
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	text := "%s get a name that Dokku %s would take, one after the other, while they serve. Progress: dokku upgrade-guard:report"
	if len(jobs) == 1 {
		text = "%s gets a name that Dokku %s would take, while it serves. Progress: dokku upgrade-guard:report"
	}
	g.Out.Step(text, say.Plural(len(jobs), "app"), out.Now.Dokku)
	return g.enqueue(known, jobs...)
}

// troubled tells whether anything is wrong with how an app is served.
func (out outcome) troubled(name string) bool {
	return slices.ContainsFunc(out.found, func(f hazard.Finding) bool {
		return f.App == name && f.Kind != hazard.Notice && hazard.Named(f.Hazard).About == hazard.AboutNginx
	})
}
