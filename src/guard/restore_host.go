package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
)

// RestoreHost puts back what belongs to no app as a snapshot has it, as Restore does an
// app. It is files alone: nothing is built or restarted of it.
func (g *Guard) RestoreHost(ctx context.Context, id string, parts []string, dryRun bool) error {
	for _, p := range parts {
		if !slices.Contains(restore.HostParts, p) {
			return say.Hint(fmt.Errorf("there is no part %q of this host that can be restored", p), "There are: %s.", strings.Join(restore.HostParts, ", "))
		}
	}
	if len(parts) == 0 {
		parts = restore.HostParts
	}
	if _, _, err := g.versions(); err != nil {
		return err
	}
	known, err := g.readState()
	if err != nil {
		return err
	}
	// Of the whole host: what is global is in force for the apps.
	files, err := app.Capture(ctx, g.Host, app.What{})
	if err != nil {
		return err
	}
	if err := g.mayTouch(ctx, files, host.GlobalScope, parts...); err != nil {
		return err
	}
	switch {
	case id == "live":
		return say.Hint(errors.New("there is no live snapshot of this host"), "See dokku upgrade-guard:snapshots for the snapshots that there are.")
	case id == "":
		id, err = g.restorePoint([]string{host.GlobalScope}, known)
	default:
		id, err = g.named(id, host.GlobalScope)
	}
	if err != nil {
		return err
	}
	old, err := g.Store.Files(id)
	if err != nil {
		return err
	}
	now := app.Read(files)
	r, err := restore.NewHost(hazard.HostSubject{Context: g.context(files, "", now.Dokku, known), Now: now}, id, old, known.Formerly)
	if err != nil {
		return err
	}
	steps, notes, failed := r.Plan(parts)
	g.Out.Title("%s from %s%s", host.Place(host.GlobalScope), id, g.age(id))
	for _, l := range append(slices.Clone(old.Refused), notes...) {
		g.Out.Trouble("%s", l)
	}
	if len(steps) == 0 {
		if len(notes) == 0 && failed == nil {
			g.Out.Result("       %s %s as in the snapshot", plan.OK, strings.Join(parts, ", "))
		}
		return failed
	}
	steps.Print(g.Out)
	if dryRun {
		return failed
	}
	return g.alone(ctx, func() error {
		undo, err := g.undoable(ctx, nil)
		if err != nil {
			return err
		}
		if err := g.inStages(ctx, steps, plan.NewJournal(g.Host, restore.Name)); err != nil {
			return err
		}
		g.Out.Detail("What runs is as it was: containers get it with their next start or deploy, nginx's configurations with their next build")
		if failed != nil {
			return say.Hint(failed, "All else is done. To undo it: %s", say.Command("dokku upgrade-guard:restore", host.GlobalScope, "--snapshot", undo.ID))
		}
		g.Out.Step("Done. To undo this: %s", say.Command("dokku upgrade-guard:restore", host.GlobalScope, "--snapshot", undo.ID))
		return nil
	})
}
