// Package guard is what upgrade-guard does, one function for each trigger and
// command: it reads the host, compares it with what was recorded, asks the
// hazards, and does what the plan says. Commands and triggers above it only
// parse and print.
package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	plugin "upgrade-guard"
	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plugins"
	"upgrade-guard/src/rename"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// How long to wait for another upgrade-guard process: a person can wait, a
// deploy cannot.
const (
	lockTimeout       = 30 * time.Second
	deployLockTimeout = 10 * time.Second
)

// Guard works on one host.
type Guard struct {
	Host  host.Host
	Store *snapshot.Store
	State *state.Store
	Out   *say.Printer
	// Version is the plugin's own.
	Version string
	// NoProbe asks no app by requests, whatever the property probe says.
	NoProbe bool
	old     map[string]*app.Files // the files of snapshots, by id
	ways    map[string]wayBack    // by the two versions
	hosts   map[string]app.Host   // and what they say, where it was wanted
	key     []byte                // see fingerprint
	plugins plugins.Facts
	said    map[string]bool // files that cannot be read, and are said to
	// confirmed is what Dokku's own commands have said, by app; see confirm.
	confirmed map[string]confirmation
}

// wayBack is how a version leads back to an older one.
type wayBack struct {
	hops []hazard.Hop
	why  string // there are none
}

// New is the guard of a host.
func New(h host.Host, out *say.Printer) *Guard {
	return &Guard{Host: h, Store: snapshot.New(h), State: state.New(h), Out: out, Version: plugin.Version(), plugins: pluginFacts(h, out), said: map[string]bool{}}
}

// pluginFacts are the facts of the host's plugins. A plugin that cannot be read is
// named; the others are looked at all the same.
func pluginFacts(h host.Host, out *say.Printer) plugins.Facts {
	return plugins.Facts{
		Installed: sync.OnceValue(func() []plugins.Plugin {
			installed, err := plugins.Read(h)
			if err != nil {
				out.Error(err)
			}
			return installed
		}),
		Taken:     sync.OnceValue(func() []string { return plugins.Taken(h) }),
		Enabled:   sync.OnceValue(func() map[string]bool { return plugins.Names(h, "enabled") }),
		Available: sync.OnceValue(func() map[string]bool { return plugins.Names(h, "available") }),
		Stray:     sync.OnceValue(func() []string { return plugins.Stray(context.Background(), h) }),
		Dangling:  sync.OnceValues(func() ([]string, bool) { return plugins.Dangling(h) }),
	}
}

// alone runs work that repairs while no other process of upgrade-guard does: it may
// take minutes, in which Dokku builds and deploys go on.
func (g *Guard) alone(ctx context.Context, work func() error) error {
	_, end := g.Out.Counting(ctx, "waiting for another run of upgrade-guard to end")
	unlock, err := state.LockWork(ctx, g.Host, lockTimeout)
	if end(); err != nil {
		return err
	}
	defer unlock()
	defer host.Setenv(inOurRun, "yes")()
	return work()
}

// joined is some errors as one, each with all its words; nil for none.
func joined(errs ...error) error {
	var all *multierror.Error
	for _, err := range errs {
		if err != nil {
			all = multierror.Append(all, err)
		}
	}
	return all.ErrorOrNil()
}

// locked runs work while no other upgrade-guard process changes the store, or files of
// Dokku's.
func (g *Guard) locked(ctx context.Context, wait time.Duration, work func() error) error {
	_, end := g.Out.Counting(ctx, "waiting for another process of upgrade-guard")
	unlock, err := state.Lock(ctx, g.Host, wait)
	if end(); err != nil {
		return err
	}
	defer unlock()
	// A dokku command that a repair calls fires our own triggers, which would
	// wait for the lock that we hold.
	defer host.Setenv(inOurRun, "yes")()
	return work()
}

// versions are the Dokku on the disk and the stamp. A host whose version cannot
// be read is not worked on: everything hangs on it.
func (g *Guard) versions() (disk, stamp string, err error) {
	disk, stamp = host.DokkuVersion(g.Host), g.State.LastSeen()
	for _, name := range []string{"stamp", "pending"} {
		path := g.Host.Paths().Data(name)
		if _, err := g.Host.ReadFile(path); err != nil && !errors.Is(err, fs.ErrNotExist) && !g.said[path] {
			g.said[path] = true
			g.Out.Error(say.Hint(fmt.Errorf("what is known of an upgrade under way cannot be read: %w", err), "It counts as none. Remove %s if it is no file.", path))
		}
	}
	if disk == "" {
		return "", stamp, say.Hint(errors.New("this host's Dokku version cannot be read"), "Is Dokku installed? Its version is in %s/STABLE_VERSION.", g.Host.Paths().LibRoot)
	}
	return disk, stamp, nil
}

// readState is what is remembered. A damaged state is named, and the work goes on with an
// empty one.
func (g *Guard) readState() (state.State, error) {
	l, err := g.State.Read()
	if errors.Is(err, state.ErrDamaged) {
		g.Out.Error(say.Hint(err, "It is kept beside the new one. Stamp and snapshots are enough to go on by."))
		return l, nil
	}
	return l, err
}

// recent tells whether a time is as near as that. One that lies further ahead was told
// by a wrong clock, and would be recent for as long as it does.
func (g *Guard) recent(t time.Time, within time.Duration) bool {
	return g.Host.Now().Sub(t).Abs() < within
}

// verifyApp says which app does not exist, with what to do about it.
func (g *Guard) verifyApp(files *app.Files, name string) error {
	if slices.Contains(files.Apps, name) {
		return nil
	}
	return say.Hint(app.NoApp{Name: name}, "See dokku apps:list for those there are.")
}

func renameLockName(h host.Host) string { return h.Paths().Data("renames", ".lock") }

// inOurRun is set in the environment of all that a hook of ours starts: the
// triggers we fire must not do our own work again, and a dokku command that
// another plugin calls among them must not call us.
const inOurRun = "UPGRADE_GUARD_FIRED"

// InOurRun tells that this process was started by a hook of ours.
func InOurRun() bool { return os.Getenv(inOurRun) != "" }

// confirmation is what came of asking Dokku's own commands about an app, or the host.
type confirmation struct {
	reading  string // what they were held to
	disputed []app.Disagreement
}

// JSONVersion is the version of everything that is printed as JSON. From 2 on keys are
// only added.
const JSONVersion = 2

// appThere says which app does not exist, before anything is read or locked for it.
func (g *Guard) appThere(name string) error {
	d, err := g.Host.Stat(g.Host.Paths().App(name))
	if err != nil || !d.IsDir() || name == "" || name[0] == '.' || strings.Contains(name, "/") {
		return say.Hint(app.NoApp{Name: name}, "See dokku apps:list for those there are.")
	}
	return nil
}

// ErrRefused says that the upgrade must not go on (law 4): because no baseline could be
// stored, or because the version to come deletes what no snapshot holds. Only apt's hook
// point may refuse.
var ErrRefused = errors.New("the upgrade of Dokku is refused")

// halves are the apps that are one of the two halves of a rename that is under way or
// was cut off. What looks wrong with them is the rename's to end.
func (g *Guard) halves() map[string]bool {
	unfinished, err := rename.Unfinished(g.Host)
	if err != nil {
		return nil
	}
	found := map[string]bool{}
	for _, s := range unfinished {
		found[s.From], found[s.To] = true, true
	}
	return found
}
