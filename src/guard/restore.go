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
// restore can undo this one. Without an id it is the newest record from before
// the last upgrade. With dryRun the plan is printed and nothing is changed.
func (g *Guard) Restore(ctx context.Context, name, id string, parts []string, dryRun bool) error {
	for _, p := range parts {
		if !slices.Contains(restore.Parts, p) {
			return say.Hint(fmt.Errorf("there is no part %q that can be restored", p), "There are: %s.", strings.Join(restore.Parts, ","))
		}
	}
	if len(parts) == 0 {
		parts = restore.Parts
	}
	return g.locked(ctx, lockTimeout, func() error {
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
		files, err := app.Capture(ctx, g.Host, app.What{Apps: []string{name}})
		if err != nil {
			return err
		}
		if !slices.Contains(files.Apps, name) {
			return say.Hint(fmt.Errorf("there is no app %s on this host", name),
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
				return errors.Join(failed, g.State.EndRestore(name, parts))
			}
			return failed
		}
		steps.Print(g.Out)
		if dryRun {
			return failed
		}
		undo, _, err := g.snapshotNow(ctx, snapshot.PreRestore, "")
		if err != nil {
			return err
		}
		if err := g.State.BeginRestore(name, state.Restore{Snapshot: id, Parts: parts}); err != nil {
			return err
		}
		if err := steps.Apply(ctx, g.Host, plan.NewJournal(g.Host, restore.Name), g.Out); err != nil {
			return err
		}
		if err := g.State.EndRestore(name, parts); err != nil {
			return err
		}
		after, err := app.Capture(ctx, g.Host, app.What{Apps: []string{name}})
		if err != nil {
			return err
		}
		// No trigger of Dokku's has told of it: the running record follows all the same.
		if _, open := known.Unresolved[name]; !open && g.State.LastSeen() == after.Dokku && len(app.Read(after).Apps[name].Unreadable) == 0 {
			if err := g.Store.SaveLive(after, name); err != nil {
				g.Out.Error(err)
			}
		}
		present := app.Read(after).Apps[name]
		if scale := present.EffectiveScale(); present.Deployed() && slices.Contains(parts, "scale") && present.Running() != scale.Total() {
			g.Out.Trouble("%d containers run, and its scale is %s. To run it so now: %s", present.Running(), scale, say.Command("dokku ps:restart", name))
		}
		if failed != nil {
			return say.Hint(failed, "All else is done. To undo it: %s", say.Command("dokku upgrade-guard:restore", name, "--snapshot", undo.ID))
		}
		g.Out.Step("Done. To undo this: %s", say.Command("dokku upgrade-guard:restore", name, "--snapshot", undo.ID))
		return nil
	})
}
