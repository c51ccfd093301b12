package guard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upgrade-guard/hook"
	"upgrade-guard/src/host"
	"upgrade-guard/src/packages"
	"upgrade-guard/src/plugins"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// Hook points after it.
const (
	AfterDpkg  = "dpkg"  // dpkg has run
	AfterApt   = "apt"   // apt has run
	AfterTimer = "timer" // Dokku's timer, for where neither of them has run
)

// ErrNotYet says that dpkg has not configured what it has unpacked: it comes again.
var ErrNotYet = errors.New("dpkg is not through with it")

// inOurRun is set in the environment of all that a hook of ours starts: the
// triggers we fire must not do our own work again, and a dokku command that
// another plugin calls among them must not call us.
const inOurRun = "UPGRADE_GUARD_FIRED"

// InOurRun tells that this process was started by a hook of ours.
func InOurRun() bool { return os.Getenv(inOurRun) != "" }

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
	if stamp == "" || stamp == disk && g.State.Phase() == "" {
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

// givenUp withdraws what was written ahead of an upgrade that has not come.
func (g *Guard) givenUp() error {
	known, err := g.readState()
	if err != nil {
		return err
	}
	if err := g.withdraw(&known, func(state.Seed) bool { return true }); err != nil {
		return err
	}
	if err := g.State.Save(known); err != nil {
		return err
	}
	return g.State.SetPhase("")
}

// installTime is how long core's installation may take. It takes seconds; a
// large host's, or one on a slow disk, a minute.
const installTime = 4 * time.Minute

// installed tells, for where no package manager can be asked, whether core's
// installation has had its time since it was begun. What apt or the old package
// has announced is theirs to end.
func (g *Guard) installed() bool {
	if g.State.Phase() != BeforeCore {
		return false
	}
	st, err := g.Host.Stat(g.Host.Paths().Data("pending"))
	return err == nil && !g.recent(st.ModTime(), installTime)
}

// fire lets every other plugin do its part, one after the other as plugn would;
// but where plugn stops at the first that fails, the others still get theirs.
func (g *Guard) fire(ctx context.Context, trigger, from, to string) {
	defer host.Setenv(inOurRun, "yes")()
	files, err := plugins.Hooks(g.Host, trigger)
	if err != nil {
		return // no plugins, no part
	}
	for _, file := range files {
		plugin := filepath.Base(filepath.Dir(file))
		out, err := g.Host.Run(ctx, file, from, to)
		for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if l != "" {
				g.Out.Detail("%s: %s", plugin, l)
			}
		}
		if err != nil {
			g.Out.Trouble("The plugin %s failed: %s", plugin, err)
		}
	}
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
