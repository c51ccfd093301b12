package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upgrade-guard/hook"
	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/packages"
	"upgrade-guard/src/plugins"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
)

// Moments at which the package manager lets us look before an upgrade, in the
// order in which they come. Not all of them come on every way of upgrading.
const (
	BeforeApt   = "apt"          // apt knows what it will do and has touched nothing
	BeforePrerm = "prerm"        // the old package's last act; everything is still old
	BeforeCore  = "core-install" // unpacked, and no install trigger has run
)

// Moments after it.
const (
	AfterDpkg  = "dpkg"  // dpkg has run
	AfterApt   = "apt"   // apt has run
	AfterTimer = "timer" // Dokku's timer, for where neither of them has run
)

// ErrNotYet says that dpkg has not configured what it has unpacked: it comes again.
var ErrNotYet = errors.New("dpkg is not through with it")

// ErrRefused says that the upgrade must not go on (DESIGN, law 4): because
// nothing could be recorded, or because the version to come deletes what no
// record holds. Only apt's moment may refuse.
var ErrRefused = errors.New("the upgrade of Dokku is refused")

// inOurRun is set in the environment of all that a hook of ours starts: the
// triggers we fire must not do our own work again, and a dokku command that
// another plugin calls among them must not call us.
const inOurRun = "UPGRADE_GUARD_FIRED"

// InOurRun tells that this process was started by a hook of ours.
func InOurRun() bool { return os.Getenv(inOurRun) != "" }

// Before is called at one of the moments before an upgrade. At the first it
// takes the baseline; at a later one it takes another only if the state is not
// what the first has recorded. apt's list is read from stdin at apt's moment.
func (g *Guard) Before(ctx context.Context, moment string, stdin io.Reader) error {
	disk, stamp, err := g.versions()
	if err != nil {
		return err
	}
	from, to := disk, newestKnown
	switch moment {
	case BeforeApt:
		changes, err := aptList(ctx, stdin)
		if err != nil {
			g.Out.Error(err) // what can be read of the list is still good
		}
		if len(changes) == 0 || changes[0].To == "" || changes[0].From == "" {
			return nil // not an upgrade of Dokku
		}
		to = changes[0].To
	case BeforePrerm:
		if v := packages.PrermTarget(); v != "" {
			to = v
		}
	case BeforeCore:
		if stamp == "" || stamp == disk {
			return nil // no upgrade: somebody runs the installation again
		}
		from, to = stamp, disk
	default:
		return fmt.Errorf("upgrade-guard knows no moment %q", moment)
	}
	// A Debian revision or a build from a branch is no version to compare with.
	to, _, _ = strings.Cut(to, "-")
	if !app.ValidVersion(from) || !app.ValidVersion(to) {
		return fmt.Errorf("%q to %q is no upgrade from one Dokku version to another", from, to)
	}
	begins := false
	err = g.locked(ctx, patience, func() error {
		if moment == BeforeApt {
			if err := g.refuseDeletion(ctx, to); err != nil {
				return err
			}
		}
		if moment == BeforeCore {
			whole, err := g.whole(ctx, from)
			if err != nil || !whole {
				return err
			}
		}
		// An upgrade begins also where nothing has changed since the last one, and no
		// new baseline is due.
		begins = g.Store.Pending() == ""
		if !g.recorded(ctx, moment, from) {
			begins = true
			err := g.preUpgrade(ctx, from, to)
			if errors.Is(err, errNotRecorded) && moment == BeforeApt {
				return errors.Join(ErrRefused, err)
			}
			if err != nil {
				g.Out.Error(err)
			}
		} else if moment == BeforeApt { // recorded by hand, perhaps for another version
			if err := g.preventAgain(ctx, from, to); err != nil {
				g.Out.Error(err)
			}
		}
		return g.Store.SetPending(moment)
	})
	if begins && !errors.Is(err, ErrRefused) { // without the lock: another plugin may call dokku, and dokku us
		g.fire(ctx, "pre-upgrade", from, to)
	}
	return err
}

// aptList is what apt's list says of Dokku. Whoever holds the other end of it open
// does not hold us.
func aptList(ctx context.Context, list io.Reader) ([]packages.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var changes []packages.Change
	var err error
	read := make(chan bool)
	go func() {
		changes, err = packages.Read(list, "dokku")
		close(read)
	}()
	select {
	case <-read:
		return changes, err
	case <-ctx.Done():
		return nil, errors.New("apt's list did not come to its end in time")
	}
}

// preventAgain does what prevent does, for a state that is recorded.
func (g *Guard) preventAgain(ctx context.Context, from, to string) error {
	files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true, Dokku: from})
	if err != nil {
		return err
	}
	return g.prevent(ctx, files, app.Read(files), from, to)
}

// After is called by dpkg and apt when some of the packages that we look after have
// been unpacked since the last time (Dokku, docker's, nginx's), and when an upgrade of
// Dokku was announced: it may be installed, installed again, or given up.
func (g *Guard) After(ctx context.Context, moment string, unpacked []string) error {
	if moment == AfterTimer {
		if g.Store.Pending() != BeforeCore && !g.installing() {
			return g.AfterDocker(ctx) // and one that was given up does not stand in its way
		}
		if !g.installed() {
			return nil
		}
		return g.afterDokku(ctx, moment)
	}
	if moment != AfterDpkg && moment != AfterApt {
		return fmt.Errorf("upgrade-guard knows no moment %q", moment)
	}
	if removed(g.packageStatus(ctx)) {
		return nil // its prerm was run to remove it: there is nothing to look after
	}
	if err := g.configured(ctx); err != nil {
		if moment == AfterDpkg { // apt may go on with it, and dpkg says itself what has failed
			return ErrNotYet
		}
		g.Out.Error(err)
		g.Out.Trouble("upgrade-guard goes on by itself then. Until then, do not deploy anything.")
		return ErrNotYet
	}
	others := slices.DeleteFunc(slices.Clone(unpacked), func(name string) bool { return name == "dokku" })
	if moment == AfterDpkg && !packages.Configured(ctx, g.Host, others) {
		return ErrNotYet
	}
	err := g.afterDokku(ctx, moment)
	if len(others) > 0 {
		err = errors.Join(err, g.QueueRoutes(ctx))
	}
	return err
}

// afterDokku does what is due after an upgrade, a reinstallation, or an upgrade that
// was given up.
func (g *Guard) afterDokku(ctx context.Context, moment string) error {
	disk, stamp, err := g.versions()
	if err != nil {
		return err
	}
	if stamp == "" || stamp == disk && g.Store.Pending() == "" {
		return nil
	}
	if stamp == disk && g.Store.Pending() == BeforeApt {
		// apt has announced it, and the old package was never asked to go: at apt's end,
		// given up. Nothing of Dokku's has run, so what has changed since is a person's.
		if moment != AfterApt {
			return nil
		}
		return g.locked(ctx, patience, g.givenUp)
	}
	g.InHook = true
	err = g.locked(ctx, patience, func() error { return g.postUpgrade(ctx, stamp, disk) })
	g.fire(ctx, "post-upgrade", stamp, disk)
	return err
}

// givenUp withdraws what was written ahead of an upgrade that has not come.
func (g *Guard) givenUp() error {
	ledger, err := g.ledger()
	if err != nil {
		return err
	}
	if err := g.withdraw(&ledger, func(snapshot.Seed) bool { return true }); err != nil {
		return err
	}
	if err := g.Store.SaveLedger(ledger); err != nil {
		return err
	}
	return g.Store.SetPending("")
}

// installTime is how long core's installation may take. It takes seconds; a
// large host's, or one on a slow disk, a minute.
const installTime = 4 * time.Minute

// installed tells, for where no package manager can be asked, whether core's
// installation has had its time since it was begun. What apt or the old package
// has announced is theirs to end.
func (g *Guard) installed() bool {
	if g.Store.Pending() != BeforeCore {
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
			g.Out.Trouble("The plugin %s has not done its part: %s", plugin, err)
		}
	}
}

// recorded tells whether this upgrade's baseline has been taken already. dpkg's
// moments come minutes after apt's, and in between an operator may have given up
// one upgrade and begun another; so a baseline counts only if the state is still
// what it recorded. Once the new version is unpacked there is no such doubt.
func (g *Guard) recorded(ctx context.Context, moment, from string) bool {
	snapshots, err := g.of(from)
	// A person may have taken one by hand since.
	i := slices.IndexFunc(snapshots, func(e snapshot.Entry) bool { return !e.Future && strings.HasPrefix(e.Reason, snapshot.PreUpgrade) })
	if err != nil || i < 0 {
		return false
	}
	if moment == BeforeCore {
		return g.Store.Pending() != "" && g.recent(snapshots[i].Time, time.Hour)
	}
	files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true})
	if err != nil {
		return false
	}
	old, err := g.Store.Files(snapshots[i].ID)
	if err != nil {
		return false
	}
	ledger, err := g.ledger()
	if err != nil {
		return false
	}
	return slices.EqualFunc(g.compared(files, ledger), g.compared(old, ledger), func(a, b app.File) bool {
		return a.Path == b.Path && a.SHA256 == b.SHA256 && a.Link == b.Link
	})
}

// whole tells whether the state is still the old version's. After a postinst that
// has failed half-way, dpkg --configure -a comes by here again with some of it
// migrated and some deleted, which must not become the newest record.
func (g *Guard) whole(ctx context.Context, from string) (bool, error) {
	files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true, Dokku: from})
	if err != nil {
		return false, err
	}
	ledger, err := g.ledger()
	if err != nil {
		return false, err
	}
	records, _ := g.records(from, files.Apps, ledger)
	for name, now := range app.Read(files).Apps {
		if r, ok := records[name]; ok && now.EffectiveScale().Empty() && !r.state.EffectiveScale().Empty() {
			return false, nil
		}
	}
	return true, nil
}

// compared are the files by which two states are told apart: none of what
// commands answered, and not what we have seeded ourselves.
func (g *Guard) compared(files *app.Files, ledger snapshot.Ledger) []app.File {
	lib := g.Host.Paths().LibRoot
	return slices.DeleteFunc(slices.Clone(files.All()), func(f app.File) bool {
		rel, inLib := strings.CutPrefix(f.Path, "lib/")
		_, seeded := ledger.Seeds[lib+"/"+rel]
		return strings.HasPrefix(f.Path, "facts/") || f.Mode.IsDir() || inLib && seeded
	})
}

// refuseDeletion refuses the two versions whose installation deletes apps: 0.22.0
// and 0.22.1 remove the directory of every app with an underscore in its name,
// repository and all (ATLAS 4.2), and a snapshot does not hold repositories.
func (g *Guard) refuseDeletion(ctx context.Context, to string) error {
	if to != "0.22.0" && to != "0.22.1" {
		return nil
	}
	files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true})
	if err != nil {
		return err
	}
	doomed := slices.DeleteFunc(slices.Clone(files.Apps), func(name string) bool { return !strings.Contains(name, "_") })
	if len(doomed) == 0 {
		return nil
	}
	return say.Hint(fmt.Errorf("%w: %s deletes every app with an underscore in its name, with its code: %s", ErrRefused, to, strings.Join(doomed, ", ")),
		"Any other version keeps them: apt-get install dokku=0.22.3, or a later one.")
}

// writeDokkurc puts the lines in place that every dokku command reads. Where
// they are, nothing is written.
func (g *Guard) writeDokkurc() error {
	path, content := hook.Dokkurc(g.Host.Paths())
	if now, err := g.Host.ReadFile(path); err == nil && string(now) == content {
		return nil
	}
	if err := g.Host.Write(path, 0o644, []byte(content)); err != nil {
		return say.Hint(fmt.Errorf("an upgrade by dpkg alone will not be seen before it is done: %w", err), "Mend what is named, then: dokku plugin:install")
	}
	return nil
}
