package guard

import (
	"context"
	"fmt"
	"slices"

	"upgrade-guard/hook"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
)

// Install is called when Dokku installs plugins: ours for the first time, ours
// again, or any other. It sees to the first snapshot; and where the version has
// changed since the guard last looked, it does the post-upgrade work, because
// dokku-update and newer Docker images come by here after an upgrade.
func (g *Guard) Install(ctx context.Context) error {
	due, first, snapped, running := false, false, false, ""
	err := g.locked(ctx, lockTimeout, func() error {
		for _, put := range []func() error{g.writeDokkurc, g.makeKey} {
			if err := put(); err != nil {
				g.Out.Error(err)
			}
		}
		disk, lastSeen, err := g.versions()
		if err != nil {
			return err
		}
		running = disk
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
		first = lastSeen == ""
		snapped = !first && slices.ContainsFunc(list, func(e snapshot.Entry) bool { return e.Dokku == running })
		return nil
	})
	if err == nil && !due && !snapped {
		err = g.firstSnapshot(ctx, running)
	}
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

// firstSnapshot takes the first one of a Dokku version, which is from then on the one at
// which everything was in order last.
func (g *Guard) firstSnapshot(ctx context.Context, dokku string) error {
	files, err := g.capture(ctx, snapshot.Installed, dokku)
	if err != nil {
		return err
	}
	files.Spent = true
	return g.locked(ctx, lockTimeout, func() error {
		if _, err := g.save(files, snapshot.Installed); err != nil {
			return err
		}
		if g.State.LastSeen() != "" {
			return nil // it is, or an upgrade has begun meanwhile
		}
		return g.State.SetLastSeen(dokku)
	})
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

// Snapshot takes one because a person asked for it, and calls it by a label, if there is
// one.
func (g *Guard) Snapshot(ctx context.Context, label string) (snapshot.Manifest, error) {
	reason, err := snapshot.Labelled(label)
	if err != nil {
		return snapshot.Manifest{}, err
	}
	files, err := g.capture(ctx, snapshot.Manual, "")
	if err != nil {
		return snapshot.Manifest{}, err
	}
	files.Spent = true
	var m snapshot.Manifest
	err = g.locked(ctx, lockTimeout, func() (err error) {
		m, err = g.save(files, reason)
		return err
	})
	return m, err
}

// writeDokkurc puts the lines in place that every dokku command reads. Where
// they are, nothing is written.
func (g *Guard) writeDokkurc() error {
	path, content := hook.Dokkurc(g.Host.Paths())
	if now, err := g.Host.ReadFile(path); err == nil && string(now) == content {
		return nil
	}
	if err := g.Host.Write(path, 0o644, []byte(content)); err != nil {
		return say.Hint(fmt.Errorf("an upgrade by dpkg alone will not be seen before it is done: %w", err), "Repair what is named, then: dokku plugin:install")
	}
	return nil
}
