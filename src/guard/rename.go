package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/rename"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// RenameOptions are what a person may ask for.
type RenameOptions struct {
	DryRun bool
	// WithStop lets an app that must not run twice be stopped for its rename.
	WithStop bool
}

// Rename renames one app without loss; see package rename. One that was cut off is
// brought to its end first: taken back, or gone on with. It may take minutes, in
// which deploys of other apps go on, so it does not hold the guard's own lock.
func (g *Guard) Rename(ctx context.Context, from, to string, o RenameOptions) error {
	r := g.renaming(from, to)
	unfinished, err := rename.Unfinished(g.Host)
	if err != nil {
		return err
	}
	if s, ok := unfinished[from]; ok {
		if s.To != to {
			return say.Hint(fmt.Errorf("a rename of %s to %s was cut off", from, s.To), "First: %s", say.Command("dokku upgrade-guard:rename", from, s.To))
		}
		if o.DryRun {
			g.Out.Title("%s to %s was cut off in its phase %s", from, to, s.Phase)
			g.Out.Detail("To go on with it: %s", say.Command("dokku upgrade-guard:rename", from, to))
			return nil
		}
		unlock, err := g.renameLock(ctx)
		if err != nil {
			return err
		}
		done, err := g.resume(ctx, s)
		unlock()
		if done || err != nil {
			return err
		}
	}
	if _, _, err := g.versions(); err != nil {
		return err
	}
	files, err := app.Capture(ctx, g.Host, app.What{})
	if err != nil {
		return err
	}
	if err := g.mayTouch(ctx, files, from); err != nil {
		return err
	}
	keep := g.appProperty(from, "keep-old-domains", "true") == "true"
	if err := r.Prepare(ctx, files, rename.Options{WithStop: o.WithStop, KeepDomains: keep, Ask: g.probes(from)}); err != nil {
		return err
	}
	if o.DryRun {
		g.Out.Title("%s would become %s", from, to)
		for _, s := range r.Plan() {
			g.Out.Result("       %s %s", plan.Change, s)
		}
		if r.Vhost {
			g.Out.Result("       It would answer to %s", strings.Join(r.Domains, " "))
		}
		g.tellRemotes(from, to)
		return nil
	}
	// Only now: what is refused leaves nothing, not even a lock's file.
	unlock, err := g.renameLock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := rename.Still(g.Host, from, to); err != nil {
		return err
	}
	g.Out.Title("%s becomes %s", from, to)
	if err := r.Run(ctx); err != nil {
		return err
	}
	return g.renamed(ctx, from, to)
}

// resume brings a rename that was cut off to its end: taken back when it had not
// come to moving the domains, gone on with otherwise.
func (g *Guard) resume(ctx context.Context, s rename.State) (done bool, err error) {
	r := g.renaming(s.From, s.To)
	r.State = s
	if s.Phase == rename.Build {
		return false, r.TakeBack(ctx)
	}
	if err := r.Run(ctx); err != nil {
		return false, err
	}
	return true, g.renamed(ctx, s.From, s.To)
}

// ResumeRenames brings all renames that were cut off to their end.
func (g *Guard) ResumeRenames(ctx context.Context) error {
	unfinished, err := rename.Unfinished(g.Host)
	if err != nil || len(unfinished) == 0 {
		return err
	}
	unlock, err := g.renameLock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	var errs []error
	for _, s := range unfinished {
		_, err := g.resume(ctx, s)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// errRenaming says that a rename is under way in another process.
var errRenaming = errors.New("an app is being renamed")

// renameLock keeps every other rename out.
func (g *Guard) renameLock(ctx context.Context) (unlock func(), err error) {
	if err := g.Host.Mkdir(g.Host.Paths().Data("renames"), 0o700); err != nil {
		return nil, err
	}
	name := g.Host.Paths().Data("renames", ".lock")
	unlock, err = g.Host.Lock(ctx, name, 0o600, deployLockTimeout)
	if errors.Is(err, host.ErrLocked) {
		return nil, say.Hint(errRenaming, "Try again when it is done: dokku upgrade-guard:report")
	}
	if err != nil {
		return nil, fmt.Errorf("the lock %s cannot be taken: %w", name, err)
	}
	return unlock, nil
}

func (g *Guard) renaming(from, to string) *rename.Rename {
	journal := plan.NewJournal(g.Host, "rename")
	return &rename.Rename{
		State: rename.State{From: from, To: to}, Host: g.Host, Out: g.Out,
		Note: func(event, text string, failure error) error {
			return journal.Note(plan.Step{App: from, Hazard: "rename", Text: text + " (" + to + ")"}, event, failure)
		},
		Handover: func() error {
			// Both run by now: it waits for as long as Dokku may build for somebody else.
			return g.locked(context.Background(), 15*time.Minute, func() error { return g.handOver(from, to) })
		},
	}
}

// handOver makes what the guard has recorded of an app the renamed one's: its open
// baseline, its running record where that is the baseline, and the entry by which
// older snapshots are found.
func (g *Guard) handOver(from, to string) error {
	known, err := g.readState()
	if err != nil {
		return err
	}
	if b, open := known.Unresolved[from]; open {
		if b.Snapshot == "live/"+from {
			if err := g.Store.MoveLive(from, to); err != nil {
				return err
			}
			b.Snapshot = "live/" + to
		}
		delete(known.Unresolved, from)
		known.Unresolved[to] = b
	}
	for path, seed := range known.Seeds {
		if seed.App == from {
			delete(known.Seeds, path)
			known.Seeds[filepath.Join(filepath.Dir(filepath.Dir(path)), to, filepath.Base(path))] = state.Seed{App: to, ReadFrom: seed.ReadFrom, SHA256: seed.SHA256, Time: seed.Time}
		}
	}
	for i, name := range known.Unbuilt {
		if name == from {
			known.Unbuilt[i] = to
		}
	}
	if err := g.State.MoveRestores(from, to); err != nil {
		return err
	}
	known.Rename(from, to)
	return g.State.Save(known)
}

// renamed says what a rename means, and records the app under its new name.
func (g *Guard) renamed(ctx context.Context, from, to string) error {
	g.Out.Step("%s is %s now", from, to)
	g.tellRemotes(from, to)
	if err := g.Refresh(ctx, to); err != nil {
		g.Out.Error(err)
	}
	return nil
}

// remote is the address that an app is pushed to.
func (g *Guard) remote(name string) string {
	if b, err := g.Host.ReadFile(filepath.Join(g.Host.Paths().DokkuRoot, "VHOST")); err == nil {
		if first, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n"); first != "" {
			return say.Word("dokku@" + first + ":" + name)
		}
	}
	return "dokku@<this host>:" + say.Word(name)
}

// tellRemotes says what else knows the old name.
func (g *Guard) tellRemotes(from, to string) {
	g.Out.Detail("Whoever pushes to it: git remote set-url dokku %s", g.remote(to))
	g.Out.Detail("Scripts and tasks that name %s want the new name; service links were told by their plugins.", from)
}

// CarryOver is called in the middle of a rename by Dokku's own apps:rename, and its
// error is what keeps Dokku from destroying the old app.
func (g *Guard) CarryOver(ctx context.Context, from, to string) error {
	files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true})
	if err != nil {
		return err
	}
	for _, name := range []string{from, to} {
		if err := g.verifyApp(files, name); err != nil && !slices.Contains(files.Strays, name) {
			return err
		}
	}
	if !app.Before(files.Dokku, "0.38.0") && rename.IsNamespace(g.Host, from) {
		return say.Hint(fmt.Errorf("%s is the name of a plugin, and destroying the app on Dokku %s would remove the settings of all apps", from, files.Dokku),
			"%s is kept. To remove the new app: %s", from, say.Command("dokku apps:destroy", to))
	}
	keep := g.appProperty(from, "keep-old-domains", "true") == "true"
	if err := rename.Carry(g.Host, files, from, to, keep); err != nil {
		return err
	}
	return g.locked(ctx, lockTimeout, func() error {
		// Dokku has written the environment for its new name.
		return errors.Join(hazard.HoldRenamed(ctx, g.Host, from, to), g.handOver(from, to))
	})
}

// appProperty is one of our own properties of an app, or else of the host.
func (g *Guard) appProperty(name, property, def string) string {
	if v := g.Host.Property(name, property); v != "" {
		return v
	}
	return g.property(property, def)
}

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
	for _, name := range files.Apps {
		if app.CreatesName(dokku, name) || g.appProperty(name, "auto-rename", "true") != "true" {
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
	g.Out.Step("%s get a name that Dokku %s would take, one after the other, while they serve. Progress: dokku upgrade-guard:report",
		say.Plural(len(jobs), "app"), out.Now.Dokku)
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

// halves are the apps that are one of the two halves of a rename that is under way or
// was cut off. What looks wrong with them is the rename's to end.
func (g *Guard) halves() map[string]bool {
	unfinished, err := rename.Unfinished(g.Host)
	if err != nil {
		return nil
	}
	found := map[string]bool{}
	for _, s := range unfinished {
		found[s.From], found[s.To] = true, true
	}
	return found
}

// unfinishedRenames are the renames that were cut off, a sentence each.
func (g *Guard) unfinishedRenames() []string {
	unfinished, err := rename.Unfinished(g.Host)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []string{err.Error()}
	}
	var text []string
	for _, s := range unfinished {
		text = append(text, fmt.Sprintf("The rename of %s to %s was cut off. To do: dokku upgrade-guard:apply", s.From, s.To))
	}
	slices.Sort(text)
	return text
}
