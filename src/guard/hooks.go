package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"upgrade-guard/src/packages"
	"upgrade-guard/src/state"
)

// After is called by dpkg and apt when some of the packages that we look after have
// been unpacked since the last time (Dokku, docker's, nginx's), and when an upgrade of
// Dokku was announced: it may be installed, installed again, or given up.
func (g *Guard) After(ctx context.Context, point string, unpacked []string) error {
	if point == AfterTimer {
		if err := g.watch(ctx); err != nil {
			g.Out.Error(err)
		}
		if g.State.Phase() != BeforeCore && !g.installing() {
			return g.AfterDocker(ctx) // and one that was given up does not stand in its way
		}
		if !g.installed() {
			return nil
		}
		return g.afterDokku(ctx, point)
	}
	if point != AfterDpkg && point != AfterApt {
		return fmt.Errorf("upgrade-guard knows no hook point %q", point)
	}
	if removed(g.packageStatus(ctx)) {
		return nil // its prerm was run to remove it: there is nothing to look after
	}
	if err := g.configured(ctx); err != nil {
		if back := g.putBack(ctx); back != nil {
			g.Out.Error(back)
		}
		if point == AfterDpkg { // apt may go on with it, and dpkg says itself what has failed
			return ErrNotYet
		}
		g.Out.Error(err)
		g.Out.Trouble("upgrade-guard goes on by itself then. Until then, do not deploy anything.")
		return ErrNotYet
	}
	others := slices.DeleteFunc(slices.Clone(unpacked), func(name string) bool { return name == "dokku" })
	if point == AfterDpkg && !packages.Configured(ctx, g.Host, others) {
		return ErrNotYet
	}
	err := g.afterDokku(ctx, point)
	if len(others) > 0 {
		err = errors.Join(err, g.QueueRoutes(ctx))
	}
	return err
}

// afterDokku does what is due after an upgrade, a reinstallation, or an upgrade that
// was given up.
func (g *Guard) afterDokku(ctx context.Context, point string) error {
	disk, stamp, err := g.versions()
	if err != nil {
		return err
	}
	if stamp == "" { // nobody was at work here before, but for the installation's sake
		return g.putBack(ctx)
	}
	if stamp == disk && g.State.Phase() == "" {
		return nil
	}
	if stamp == disk && g.State.Phase() == BeforeApt {
		// apt has announced it, and the old package was never asked to go: at apt's end,
		// given up. Nothing of Dokku's has run, so what has changed since is a person's.
		if point != AfterApt {
			return nil
		}
		return g.locked(ctx, lockTimeout, g.givenUp)
	}
	err = g.postUpgrade(ctx, occasion{hook: true})
	if errors.Is(err, state.ErrBusy) { // and nobody would come back to it
		g.Out.Step("Another upgrade-guard process is at work; the work after the upgrade follows it. Progress: dokku upgrade-guard:report")
		err = g.locked(ctx, lockTimeout, func() error {
			return g.changeState(func(known *state.State) error { return g.enqueue(known, state.Job{Kind: JobUpgrade}) })
		})
	}
	g.fire(ctx, "post-upgrade", stamp, disk)
	return err
}
