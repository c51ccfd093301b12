package guard

import (
	"context"
	"slices"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/snapshot"
)

// Install is called when Dokku installs plugins: ours for the first time, ours
// again, or any other. It sees to the first snapshot; and where the version has
// changed since the guard last looked, it does the post-upgrade work, because
// dokku-update and newer Docker images come by here after an upgrade.
func (g *Guard) Install(ctx context.Context) error {
	due, first := false, false
	err := g.locked(ctx, lockTimeout, func() error {
		for _, put := range []func() error{g.writeDokkurc, g.makeKey} {
			if err := put(); err != nil {
				g.Out.Error(err)
			}
		}
		running, lastSeen, err := g.versions()
		if err != nil {
			return err
		}
		list, err := g.Store.List()
		if err != nil {
			return err
		}
		if lastSeen == "" && len(list) > 0 && !list[0].Future {
			lastSeen = list[0].Dokku // installed before, and taken away since
			if err := g.State.SetLastSeen(lastSeen); err != nil {
				return err
			}
		}
		if lastSeen != "" && lastSeen != running {
			due = true
			return nil
		}
		if lastSeen == "" || !slices.ContainsFunc(list, func(e snapshot.Entry) bool { return e.Dokku == running }) {
			if _, _, err := g.snapshotNow(ctx, snapshot.Installed, running); err != nil {
				return err
			}
		}
		first = lastSeen == ""
		return g.State.SetLastSeen(running)
	})
	switch {
	case err != nil:
		return err
	case due:
		return g.postUpgrade(ctx, occasion{})
	case first: // what was lost before we came is said at once
		if o, m, err := g.look(ctx); err == nil {
			if open(g.assess(o, m)) {
				g.Out.Trouble("Something was lost before upgrade-guard was installed, or is wrong now. See dokku upgrade-guard:check")
			}
		}
	}
	return nil
}

// Update is what Install is, when any plugin has been updated. If it was the
// letsencrypt plugin, it may look for its settings, its certificates and its orders
// to renew them elsewhere now; they are put there, before somebody enables an app
// and orders a certificate that is there already.
func (g *Guard) Update(ctx context.Context) error {
	if err := g.Install(ctx); err != nil || !g.autoApply() {
		return err
	}
	return g.alone(ctx, func() error {
		o, m, err := g.look(ctx)
		if err != nil || m.upgraded {
			return err
		}
		m.occasion = occasion{about: hazard.AboutLetsencrypt}
		return g.locked(ctx, lockTimeout, func() error { return g.repairOnce(ctx, o, m, "plugin-update") })
	})
}

// Snapshot takes one because a person asked for it.
func (g *Guard) Snapshot(ctx context.Context) (snapshot.Manifest, error) {
	var m snapshot.Manifest
	err := g.locked(ctx, lockTimeout, func() (err error) {
		m, _, err = g.snapshotNow(ctx, snapshot.Manual, "")
		return err
	})
	return m, err
}
