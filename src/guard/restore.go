package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// Restore puts an app back as a snapshot has it: a value that is set now is
// replaced, because a person asked for it. A snapshot is taken first, so the next
// restore can undo this one. Without an id it is the newest snapshot from before
// the last upgrade. With dryRun the plan is printed and nothing is changed.
func (g *Guard) Restore(ctx context.Context, name, id string, parts []string, dryRun bool) error {
	for _, p := range parts {
		if !slices.Contains(restore.Parts, p) {
			return say.Hint(fmt.Errorf("there is no part %q that can be restored", p), "There are: %s.", strings.Join(restore.Parts, ", "))
		}
	}
	if len(parts) == 0 {
		parts = restore.Parts
	}
	if _, _, err := g.versions(); err != nil {
		return err
	}
	known, err := g.readState()
	if err != nil {
		return err
	}
	if to := known.Renamed[name]; to != "" {
		if _, err := g.Host.Stat(g.Host.Paths().App(name)); errors.Is(err, fs.ErrNotExist) {
			g.Out.Detail("%s is called %s now", name, to)
			name = to
		}
	}
	files, err := app.Capture(ctx, g.Host, app.What{Apps: []string{name}, Entries: true})
	if err != nil {
		return err
	}
	if !slices.Contains(files.Apps, name) {
		return say.Hint(app.NoApp{Name: name},
			"restore puts back what belongs to an app, not the app itself. If it was destroyed: %s, deploy it, then restore.", say.Command("dokku apps:create", name))
	}
	if err := g.mayTouch(ctx, files, name, parts...); err != nil {
		return err
	}
	names := append([]string{name}, known.Formerly(name)...)
	if id == "" {
		id, err = g.restorePoint(names, known)
	} else {
		id, err = g.named(id, name)
	}
	if err != nil {
		return err
	}
	old, err := g.Store.Files(id)
	if err != nil {
		return err
	}
	now := app.Read(files)
	r, err := restore.New(g.subject(files, now, name, "", now.Dokku, known), id, names, old)
	if err != nil {
		return err
	}
	if r.Called != name {
		g.Out.Detail("%s was called %s then", name, r.Called)
	}
	cut, err := g.State.Restoring(name)
	if err != nil {
		g.Out.Error(err)
	}
	// What was cut off may have everything in place but nginx.
	r.Unbuilt = len(cut) > 0 || err != nil
	steps, notes, failed := r.Plan(parts)
	g.Out.Title("%s from %s%s", name, id, g.age(id))
	for _, l := range old.Refused {
		g.Out.Trouble("%s", l)
	}
	if len(cut) > 0 {
		g.Out.Detail("A restore from %s did not finish, so nginx's configuration is built in any case", cut[0].Snapshot)
	}
	for _, n := range notes {
		g.Out.Trouble("%s", n)
	}
	if len(steps) == 0 {
		if len(notes) == 0 && failed == nil {
			g.Out.Result("       %s %s as in the snapshot", plan.OK, strings.Join(parts, ", "))
		}
		if len(cut) > 0 && !dryRun {
			return joined(failed, g.locked(ctx, lockTimeout, func() error { return g.endRestore(name, parts, files) }))
		}
		return failed
	}
	steps.Print(g.Out)
	if dryRun {
		return failed
	}
	// Only now: what is refused leaves nothing, not even a lock's file.
	return g.alone(ctx, func() error { return g.restore(ctx, name, state.Restore{Snapshot: id, Parts: parts}, steps, failed) })
}

// restore does what was planned, after a snapshot by which it can be undone. failed is
// what could not be planned.
func (g *Guard) restore(ctx context.Context, name string, r state.Restore, steps plan.Plan, failed error) error {
	undo, err := g.undoable(ctx, func() error { return g.State.BeginRestore(name, r) })
	if err != nil {
		return err
	}
	if err := g.inStages(ctx, steps, plan.NewJournal(g.Host, restore.Name)); err != nil {
		return err
	}
	after, err := app.Capture(ctx, g.Host, app.What{Apps: []string{name}})
	if err != nil {
		return err
	}
	if err := g.locked(ctx, lockTimeout, func() error { return g.endRestore(name, r.Parts, after) }); err != nil {
		return err
	}
	present := app.Read(after).Apps[name]
	if scale := present.EffectiveScale(); present.Deployed() && slices.Contains(r.Parts, "scale") && present.Running() != scale.Total() {
		g.Out.Trouble("%d containers run, and its scale is %s. To run it so now: %s", present.Running(), scale, say.Command("dokku ps:restart", name))
	}
	if failed != nil {
		return say.Hint(failed, "All else is done. To undo it: %s", say.Command("dokku upgrade-guard:restore", name, "--snapshot", undo.ID))
	}
	g.Out.Step("Done. To undo this: %s", say.Command("dokku upgrade-guard:restore", name, "--snapshot", undo.ID))
	return nil
}

// undoable takes the snapshot by which a restore can be undone, and has noted that it
// begins.
func (g *Guard) undoable(ctx context.Context, note func() error) (undo snapshot.Manifest, err error) {
	files, err := g.capture(ctx, snapshot.PreRestore, "")
	if err != nil {
		return undo, err
	}
	err = g.locked(ctx, lockTimeout, func() (err error) {
		if undo, err = g.save(files, snapshot.PreRestore); err != nil || note == nil {
			return err
		}
		return note()
	})
	return undo, err
}

// endRestore notes that a restore is done, after which the app is as its files say. No
// trigger of Dokku's has told of it: the live snapshot follows all the same, and before
// the note goes, so that the next run does what a killed one has left undone. The caller
// holds the store's lock.
func (g *Guard) endRestore(name string, parts []string, after *app.Files) error {
	known, err := g.readState()
	if err != nil {
		return err
	}
	if _, open := known.Unresolved[name]; !open && g.State.LastSeen() == after.Dokku && len(app.Read(after).Apps[name].Unreadable) == 0 {
		if err := g.Store.SaveLive(after, name); err != nil {
			g.Out.Error(err)
		}
	}
	return g.State.EndRestore(name, parts)
}

// inStages does steps in their order, under the store's lock what is files, and without
// it what Dokku builds: deploys wait for that lock. What fails keeps nothing else from
// being restored.
func (g *Guard) inStages(ctx context.Context, steps plan.Plan, journal *plan.Journal) error {
	var failure error
	for len(steps) > 0 {
		n := slices.IndexFunc(steps, func(s plan.Step) bool { return s.Stage != steps[0].Stage })
		if n < 0 {
			n = len(steps)
		}
		stage := func() error { return steps[:n].Apply(ctx, g.Host, journal, g.Out) }
		if steps[0].Stage == plan.Files {
			failure = joined(failure, g.locked(ctx, lockTimeout, stage))
		} else {
			failure = joined(failure, stage())
		}
		steps = steps[n:]
	}
	return failure
}
