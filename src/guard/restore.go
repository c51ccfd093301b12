package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// RestoreOptions are how a restore is done.
type RestoreOptions struct {
	// Snapshot is an id, its beginning, "latest" or "live"; "" for the newest one from
	// before the last upgrade.
	Snapshot string
	Parts    []string // none for all
	DryRun   bool
	// Exact takes away the variables that the snapshot does not have.
	Exact bool
	// Ask has what was shown confirmed; nil where nobody is to be asked.
	Ask Asking
}

// Asking asks whoever has typed a command whether what was shown is to be done. It is done
// where word comes as the answer.
type Asking func(word string) error

func (o RestoreOptions) check(there []string, whose string) error {
	for _, p := range o.Parts {
		if !slices.Contains(there, p) {
			return say.Hint(fmt.Errorf("there is no part %q%s that can be restored", p, whose), "There are: %s.", strings.Join(there, ", "))
		}
	}
	return nil
}

// undo is the command by which a restore is undone, and nothing else.
func (o RestoreOptions) undo(name, id string) string {
	args := []string{name}
	if len(o.Parts) > 0 {
		args = append(args, "--only", strings.Join(o.Parts, ","))
	}
	if len(o.Parts) == 0 || slices.Contains(o.Parts, "env") {
		args = append(args, "--exact")
	}
	return say.Command("dokku upgrade-guard:restore", append(args, "--snapshot", id)...)
}

// restoring is what a restore of one app would do.
type restoring struct {
	name  string
	from  state.Restore
	steps plan.Plan
	// failed is what could not be planned, and keeps nothing else from being restored.
	failed error
	// done ends it where there is nothing to do; nil where there is nothing to end.
	done func(context.Context) error
}

// Restore puts an app back as a snapshot has it: a value that is set now is
// replaced, because a person asked for it. A snapshot is taken first, so the next
// restore can undo this one.
func (g *Guard) Restore(ctx context.Context, name string, o RestoreOptions) error {
	if err := o.check(restore.Parts, ""); err != nil {
		return err
	}
	r, err := g.planRestore(ctx, name, o)
	if err != nil {
		return err
	}
	return g.restoreEach(ctx, o, r.name, r)
}

// RestoreAll is Restore for each app that there is. One that cannot be restored keeps no
// other from it, and one snapshot undoes all of it.
func (g *Guard) RestoreAll(ctx context.Context, o RestoreOptions) error {
	if err := o.check(restore.Parts, ""); err != nil {
		return err
	}
	all, err := app.Capture(ctx, g.Host, app.What{NoCommands: true})
	if err != nil {
		return err
	}
	var list []restoring
	var failure error
	n := 0
	for _, name := range all.Apps {
		if ctx.Err() != nil {
			return joined(failure, plan.ErrInterrupted)
		}
		r, err := g.planRestore(ctx, name, o)
		if err != nil {
			failure = joined(failure, fmt.Errorf("%s: %w", name, err))
			continue
		}
		if list = append(list, r); len(r.steps) > 0 {
			n++
		}
	}
	return joined(failure, g.restoreEach(ctx, o, strconv.Itoa(n), list...))
}

// planRestore prints what a restore of one app is to do.
func (g *Guard) planRestore(ctx context.Context, name string, o RestoreOptions) (p restoring, err error) {
	parts := o.Parts
	if len(parts) == 0 {
		parts = restore.Parts
	}
	if _, _, err := g.versions(); err != nil {
		return p, err
	}
	known, err := g.readState()
	if err != nil {
		return p, err
	}
	if to := known.Renamed[name]; to != "" {
		if _, err := g.Host.Stat(g.Host.Paths().App(name)); errors.Is(err, fs.ErrNotExist) {
			g.Out.Detail("%s is called %s now", name, to)
			name = to
		}
	}
	files, err := app.Capture(ctx, g.Host, app.What{Apps: []string{name}, Entries: true})
	if err != nil {
		return p, err
	}
	if !slices.Contains(files.Apps, name) {
		return p, say.Hint(app.NoApp{Name: name},
			"restore puts back what belongs to an app. To make the app itself, as a snapshot has it: %s", say.Command("dokku upgrade-guard:restore", name, "--create"))
	}
	if err := g.mayTouch(ctx, files, name, parts...); err != nil {
		return p, err
	}
	names := append([]string{name}, known.Formerly(name)...)
	id := o.Snapshot
	if id == "" {
		id, err = g.restorePoint(names, known)
	} else {
		id, err = g.named(id, name)
	}
	if err != nil {
		return p, err
	}
	old, err := g.Store.Files(id)
	if err != nil {
		return p, err
	}
	now := app.Read(files)
	r, err := restore.New(g.subject(files, now, name, "", now.Dokku, known), id, names, old)
	if err != nil {
		return p, err
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
	r.Exact = o.Exact
	p = restoring{name: name, from: state.Restore{Snapshot: id, Parts: parts}}
	steps, notes, failed := r.Plan(parts)
	p.steps, p.failed = steps, failed
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
		if len(cut) > 0 {
			p.done = func(ctx context.Context) error {
				return g.locked(ctx, lockTimeout, func() error { return g.endRestore(name, parts, files) })
			}
		}
		return p, nil
	}
	steps.Print(g.Out)
	return p, nil
}

// restoreEach does what was planned, after one snapshot by which it can be undone.
func (g *Guard) restoreEach(ctx context.Context, o RestoreOptions, word string, list ...restoring) (failure error) {
	var due []restoring
	for _, r := range list {
		switch {
		case len(r.steps) > 0:
			due = append(due, r)
		case r.done != nil && !o.DryRun:
			failure = joined(failure, r.failed, r.done(ctx))
		default:
			failure = joined(failure, r.failed)
		}
	}
	if o.DryRun || len(due) == 0 {
		for _, r := range due {
			failure = joined(failure, r.failed)
		}
		return failure
	}
	if o.Ask != nil {
		if err := o.Ask(word); err != nil {
			return joined(failure, err)
		}
	}
	// Only now: what is refused leaves nothing, not even a lock's file.
	return joined(failure, g.alone(ctx, func() error {
		undo, err := g.undoable(ctx, func() error {
			var failure error
			for _, r := range due {
				failure = joined(failure, g.State.BeginRestore(r.name, r.from))
			}
			return failure
		})
		if err != nil {
			return err
		}
		var failure error
		for _, r := range due {
			if ctx.Err() != nil {
				return joined(failure, plan.ErrInterrupted)
			}
			failure = joined(failure, g.restore(ctx, r, o, undo))
		}
		return failure
	}))
}

// restore does what was planned for one app. undo is the snapshot by which it can be undone.
func (g *Guard) restore(ctx context.Context, r restoring, o RestoreOptions, undo snapshot.Manifest) error {
	if err := g.inStages(ctx, r.steps, plan.NewJournal(g.Host, restore.Name)); err != nil {
		return err
	}
	var after *app.Files
	read := func(bool) (*app.Files, error) { return g.read(ctx, app.What{Apps: []string{r.name}}) }
	if err := g.recordApp(ctx, r.name, lockTimeout, read, func(files *app.Files) error {
		after = files
		return g.endRestore(r.name, r.from.Parts, files)
	}); err != nil {
		return err
	}
	present := app.Read(after).Apps[r.name]
	if scale := present.EffectiveScale(); present.Deployed() && slices.Contains(r.from.Parts, "scale") && present.Running() != scale.Total() {
		g.Out.Trouble("%d containers run, and its scale is %s. To run it so now: %s", present.Running(), scale, say.Command("dokku ps:restart", r.name))
	}
	return g.undone(r.failed, o.undo(r.name, undo.ID))
}

// undone says how what was done can be undone.
func (g *Guard) undone(failed error, undo string) error {
	if failed != nil {
		return say.Hint(failed, "All else is done. To undo it: %s", undo)
	}
	g.Out.Step("Done. To undo this: %s", undo)
	return nil
}

// undoable takes the snapshot by which a restore can be undone, and has noted that it
// begins.
func (g *Guard) undoable(ctx context.Context, note func() error) (undo snapshot.Manifest, err error) {
	files, err := g.capture(ctx, snapshot.PreRestore, "")
	if err != nil {
		return undo, err
	}
	files.Spent = true
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
