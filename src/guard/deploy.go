package guard

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/hook"
	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/state"
)

// Refresh brings the live snapshot of an app up to date. It is called in every
// deploy and every change of domains, ports or certificates, so it is quick. It
// does nothing while an upgrade is unfinished for the app: the live snapshot then says
// how it was before.
func (g *Guard) Refresh(ctx context.Context, name string) error { return g.refresh(ctx, name, false) }

// RefreshSettings is Refresh where no container has changed, but a setting: of those that
// the live snapshot has, docker is not asked again.
func (g *Guard) RefreshSettings(ctx context.Context, name string) error {
	return g.refresh(ctx, name, true)
}

func (g *Guard) refresh(ctx context.Context, name string, settings bool) error {
	disk, left, err := g.noteChange(ctx)
	if err != nil || left || name == host.GlobalScope { // the host has no live snapshot
		return err
	}
	read := func(again bool) (*app.Files, error) {
		what := app.What{Apps: []string{name}}
		if settings && !again { // else it is not known what has changed
			if before, err := g.Store.Files("live/" + name); err == nil && before.Dokku == disk {
				what.Settings = before
			}
		}
		files, err := g.read(ctx, what)
		if err == nil && what.Settings != nil && app.Read(files).Apps[name].Stopped {
			files, err = g.read(ctx, app.What{Apps: what.Apps}) // by ps:stop, which changes containers
		}
		return files, err
	}
	return g.recordApp(ctx, name, deployLockTimeout, read, func(files *app.Files) error {
		if !slices.Contains(files.Apps, name) {
			return nil
		}
		if len(app.Read(files).Apps[name].Unreadable) > 0 {
			return nil // a worse snapshot never replaces a better one
		}
		known, err := g.readState()
		if err != nil {
			return err
		}
		if _, open := known.Unresolved[name]; open || g.State.LastSeen() != disk {
			return nil
		}
		if files.Dokku != disk { // a package was unpacked meanwhile
			return g.State.NoteUnrecorded()
		}
		if err := g.Store.SaveLive(files, name); err != nil {
			return err
		}
		return g.reseed(known, files, name, disk)
	})
}

// noteChange is told that something was changed, and whether the live snapshots are left as
// they are: an upgrade, or another run of Dokku's installation, is under way, and they say how
// it was before. Then that is noted, and in the snapshot from after it.
//
// That one is taken after the stamp is set, under the lock. So it is noted first, and then
// looked again, under the lock: either that snapshot sees the note, or it is seen here that all
// is through.
func (g *Guard) noteChange(ctx context.Context) (disk string, left bool, err error) {
	stamp := ""
	look := func() (err error) {
		disk, stamp, err = g.versions()
		phase := g.State.Phase()
		left = stamp != disk || phase != "" && phase != BeforeApt && g.installing()
		return err
	}
	if err := look(); err != nil || !left || stamp == "" { // nothing is recorded before there is one
		return disk, left, err
	}
	err = errors.Join(g.State.NoteUnrecorded(), g.locked(ctx, deployLockTimeout, look))
	return disk, left, err
}

// reseed keeps what was seeded for an upgrade true for as long as the upgrade
// has not come: the app's own seed follows its scale, and seeds of an upgrade
// that seems to have been given up are withdrawn. A stale one would win over
// DOKKU_SCALE when the upgrade comes after all.
func (g *Guard) reseed(known state.State, files *app.Files, name, disk string) error {
	if len(known.Seeds) == 0 || !app.ScaleInFile(disk) {
		return nil
	}
	err := g.withdraw(&known, func(s state.Seed) bool { return !g.recent(s.Time, seedLifetime) })
	if err != nil {
		return err
	}
	scale := app.Read(files).Apps[name].Scale.File
	path := g.Host.Paths().Property("ps", name, "scale")
	seed, seeded := known.Seeds[path]
	now, err := g.Host.ReadFile(path)
	if seeded && err == nil && slices.Contains(seed.SHA256, app.Digest(now)) && !scale.Empty() {
		digest := app.Digest(scale.Lines())
		if digest != app.Digest(now) {
			enterSeed(&known, plan.Step{App: name, Path: path, Data: scale.Lines(), Seed: seed.ReadFrom}, seed.Time)
			if err := g.State.Save(known); err != nil {
				return err
			}
			if err := g.Host.Write(path, 0o600, scale.Lines()); err != nil {
				return err
			}
		}
		seed.SHA256 = []string{digest}
		known.Seeds[path] = seed
	}
	return g.State.Save(known)
}

// Forget takes note that an app was destroyed: its live snapshot is retired,
// nothing is owed to it any more, and what was seeded for it is withdrawn, so
// that a new app of the same name begins without a past.
func (g *Guard) Forget(ctx context.Context, name string) error {
	return g.locked(ctx, deployLockTimeout, func() error {
		known, err := g.readState()
		if err != nil {
			return err
		}
		delete(known.Unresolved, name)
		known.Unbuilt = slices.DeleteFunc(known.Unbuilt, func(n string) bool { return n == name })
		if err := g.withdraw(&known, func(s state.Seed) bool { return s.App == name }); err != nil {
			return err
		}
		if err := g.State.Save(known); err != nil {
			return err
		}
		return errors.Join(g.Store.RetireLive(name), g.State.ForgetRestores(name), hazard.DropHeld(g.Host, name))
	})
}

// BeforeDeploy is the net under an upgrade that no hook saw. It is called when
// an app's code has been extracted, which is before Dokku reads the scale to
// deploy it by; pre-deploy would be too late, because ps sorts before us. Without
// a name it looks after all apps: they are about to be started after a reboot,
// which without a scale takes their nginx configuration away.
func (g *Guard) BeforeDeploy(ctx context.Context, names ...string) error {
	return g.locked(ctx, deployLockTimeout, func() error {
		known, err := g.readState()
		if err != nil {
			return err
		}
		disk, stamp, err := g.versions()
		if err != nil {
			return err
		}
		owed := stamp != disk || len(names) == 0 && len(known.Unresolved) > 0
		for _, name := range names {
			_, open := known.Unresolved[name]
			owed = owed || open
		}
		if stamp == "" || !owed || !g.autoApply() {
			return nil
		}
		files, err := app.Capture(ctx, g.Host, app.What{Apps: names, NoCommands: true})
		if err != nil {
			return err
		}
		o := &Observation{Files: files, Now: app.Read(files), renaming: g.halves()}
		m, err := g.remember(o)
		if err != nil {
			return err
		}
		if !m.upgraded {
			for name := range m.baselines {
				if _, open := known.Unresolved[name]; !open {
					delete(m.baselines, name)
				}
			}
			files.Apps = slices.DeleteFunc(slices.Clone(files.Apps), func(name string) bool { _, open := known.Unresolved[name]; return !open })
		}
		// The scale and nothing else: that is what the deploy would stop the app for,
		// and in the middle of it nobody looks at what else is changed.
		m.occasion = occasion{about: hazard.AboutScale}
		if !app.Known(disk) { // a deploy waits: only who is about to be changed is asked about
			g.confirm(ctx, o, m.next(g.losses(o, m)).Apps()...)
		}
		return g.repairOnce(ctx, o, m, "before-deploy")
	})
}

// Uninstall takes away the lines that dokku reads, what was seeded for an
// upgrade that has not come, our own properties, and the stamp, so that a later
// installation begins anew. Snapshots and journals stay, and so does the key
// of the fingerprints. What belongs to root is taken away by the shell file uninstall.
func (g *Guard) Uninstall(ctx context.Context) error {
	if err := g.putBack(ctx); err != nil {
		return err // with our properties it would go too
	}
	return g.locked(ctx, lockTimeout, func() error {
		if err := g.givenUp(); err != nil { // whatever upgrade was announced, it is not ours any more
			return err
		}
		lines, _ := hook.Dokkurc(g.Host.Paths())
		for _, name := range []string{lines, g.Host.Paths().Data("stamp")} {
			if err := g.Host.Remove(name); err != nil {
				return err
			}
		}
		return g.dropProperties()
	})
}

// dropProperties takes our properties away, all but the variables that Dokku reads in no
// form: they are nowhere else.
func (g *Guard) dropProperties() error {
	dir := filepath.Join(g.Host.Paths().LibRoot, "config", host.Plugin)
	scopes, err := g.Host.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	kept := false
	for _, scope := range scopes {
		out := hazard.KeptOut(app.EnvFiles(g.Host, scope.Name()), scope.Name())
		if len(out) == 0 {
			if err := g.Host.RemoveTree(filepath.Join(dir, scope.Name())); err != nil {
				return err
			}
			continue
		}
		kept = true
		held := hazard.HeldPath(g.Host.Paths(), scope.Name())
		g.Out.Trouble("%s: Dokku reads %s in no form, so it is in %s alone, which is kept.",
			host.Place(scope.Name()), strings.Join(slices.Sorted(maps.Keys(out)), ", "), held)
		properties, err := g.Host.ReadDir(filepath.Join(dir, scope.Name()))
		if err != nil {
			return err
		}
		for _, p := range properties {
			if name := filepath.Join(dir, scope.Name(), p.Name()); name != held {
				if err := g.Host.Remove(name); err != nil {
					return err
				}
			}
		}
	}
	if kept {
		return nil
	}
	return g.Host.RemoveTree(dir)
}
