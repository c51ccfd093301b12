package guard

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/rename"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// RenameDue is an app whose name the installed Dokku would not give to a new one.
type RenameDue struct {
	From, To string
	// Why says why it is left as it is; "" when it can be renamed.
	Why error
}

// RenamesDue are the apps that are due to be renamed under a version of Dokku, where auto-rename is not
// switched off. Nothing forces a rename: Dokku serves such apps up to this day.
func (g *Guard) RenamesDue(files *app.Files, now app.Host, dokku string) []RenameDue {
	var due []RenameDue
	wanted := map[string]int{}
	for _, name := range files.Apps {
		if near := app.NearestName(name); near != name {
			wanted[near]++
		}
	}
	halves := g.halves()
	neighbours := sync.OnceValue(func() rename.Neighbours { return rename.NeighboursOf(g.Host, files, now) })
	for _, name := range files.Apps {
		if halves[name] || app.CreatesName(dokku, name) || g.appProperty(name, "auto-rename", "true") != "true" {
			continue
		}
		d := RenameDue{From: name, To: app.NearestName(name)}
		switch {
		case !app.Known(dokku):
			d.Why = errors.New("this release of upgrade-guard does not know that version, and nothing is risked for a name")
		case d.To == "":
			d.Why = fmt.Errorf("no valid name is near %s", name)
		case wanted[d.To] > 1:
			d.Why = fmt.Errorf("%s is the nearest valid name of several apps", d.To)
		default:
			if d.Why = rename.Name(g.Host, files, d.From, d.To); d.Why == nil && now.Apps[name].Running() > 0 {
				d.Why = rename.MayOverlap(files, now.Apps[name])
			}
			if d.Why == nil {
				d.Why = neighbours().Bound(g.Host, files, now.Apps[name], d.To)
			}
		}
		due = append(due, d)
	}
	return due
}

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

// keptNames are the apps that keep a name which Dokku would not give to a new one,
// with the reason.
func (g *Guard) keptNames(files *app.Files, now app.Host) []hazard.Finding {
	var found []hazard.Finding
	for _, d := range g.RenamesDue(files, now, now.Dokku) {
		if d.Why != nil {
			found = append(found, hazard.Finding{Kind: hazard.Notice, What: fmt.Sprintf("it keeps its name: %s", d.Why)}.Of(d.From, hazard.Names))
		}
	}
	return found
}

// renamesForetold are the renames that come after an upgrade, with what they change for
// others, and how to keep a name.
func (g *Guard) renamesForetold(o *Observation, to string) []hazard.Finding {
	var found []hazard.Finding
	for _, d := range g.RenamesDue(o.Files, o.Now, to) {
		f := hazard.Finding{Kind: hazard.Notice, What: fmt.Sprintf("Dokku %s no longer accepts this name for a new app; it keeps it: %s", to, d.Why)}
		if d.Why == nil {
			f = hazard.Finding{
				What: fmt.Sprintf("Dokku %s no longer accepts this name for a new app", to),
				Consequence: fmt.Sprintf("Whoever pushes to it then: git remote set-url dokku %s. To keep the name: %s",
					g.remote(d.To), say.Command("dokku upgrade-guard:set", d.From, "auto-rename", "false")),
				Afterwards: "renamed to " + d.To,
			}
			if !g.autoApply() { // by itself the upgrade renames nobody then, and nothing is lost
				f.Kind, f.Afterwards = hazard.Notice, ""
				f.What += fmt.Sprintf("; dokku upgrade-guard:apply renames it to %s after the upgrade", d.To)
			}
		}
		found = append(found, f.Of(d.From, hazard.Names))
	}
	return found
}
