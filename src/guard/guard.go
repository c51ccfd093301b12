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
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	plugin "upgrade-guard"
	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plugins"
	"upgrade-guard/src/restore"
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

// seedLifetime is how long what was seeded for an upgrade stays in place when
// the upgrade does not come.
const seedLifetime = time.Hour

// Guard works on one host.
type Guard struct {
	Host  host.Host
	Store *snapshot.Store
	State *state.Store
	Out   *say.Printer
	// Version is the plugin's own.
	Version string
	old     map[string]*app.Files           // the files of snapshots, by id
	hosts   map[string]app.Host             // and what they say, where it was wanted
	states  map[string]map[string]app.State // what they say of themselves
	key     []byte                          // see fingerprint
	plugins plugins.Facts
	said    map[string]bool // files that cannot be read, and are said to
	// confirmed is what Dokku's own commands have said, by app; see confirm.
	confirmed map[string]confirmation
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
	unlock, err := state.LockWork(ctx, g.Host, lockTimeout)
	if err != nil {
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
	unlock, err := state.Lock(ctx, g.Host, wait)
	if err != nil {
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

// property is one of our own properties, or def where it is not set.
func (g *Guard) property(name, def string) string {
	if v := g.Host.Property(host.GlobalScope, name); v != "" {
		return v
	}
	return def
}

func (g *Guard) autoApply() bool { return g.property("auto-apply", "true") == "true" }

func (g *Guard) retain() int {
	n, err := strconv.Atoi(g.property("retain", "10"))
	if err != nil || n < 1 {
		return 10
	}
	return n
}

// capture is what a snapshot of the whole host is made of: its files, whose state was
// written by the given Dokku version, and what its apps answer. It is taken without the
// store's lock: docker may be slow, an app slower, and deploys wait for that lock.
func (g *Guard) capture(ctx context.Context, reason, dokku string) (*app.Files, error) {
	images := reason == snapshot.PreUpgrade && app.FromImages(dokku)
	files, err := app.Capture(ctx, g.Host, app.What{Dokku: dokku, Images: images})
	if err != nil {
		return nil, err
	}
	o := &Observation{Files: files, Now: app.Read(files)}
	addAnswers(files, nginx.Ask(ctx, g.Host.Dial, g.questions(o, files.Apps)))
	return files, nil
}

// addAnswers puts what apps have answered among the files of a snapshot.
func addAnswers(files *app.Files, answers []nginx.Answer) {
	if data, err := nginx.Encode(answers); err == nil && len(answers) > 0 {
		files.AddFact(nginx.Facts, data)
	}
}

// save makes a snapshot of what was captured, and lets retention remove what is too
// much. The caller holds the store's lock.
func (g *Guard) save(files *app.Files, reason string) (snapshot.Manifest, error) {
	m, err := g.Store.Save(files, reason)
	if err != nil {
		return m, err
	}
	if err := g.makeKey(); err != nil {
		g.Out.Error(err) // it is for printing alone
	}
	g.Out.Step("Snapshot %s of %s taken", m.ID, say.Plural(len(m.Apps), "app"))
	for _, missing := range m.Incomplete {
		g.Out.Trouble("The snapshot is incomplete: %s", missing)
	}
	for _, line := range files.NotHeld(restore.FilesTold) {
		g.Out.Trouble("The snapshot does not hold %s", line)
	}
	for _, file := range files.Under(app.ImageFacts) {
		if name, of, ok := strings.Cut(strings.TrimPrefix(file.Path, app.ImageFacts), "/"); ok && file.Error != "" && !file.LeftOut() {
			g.Out.Trouble("%s: the snapshot is without the %s of its image: %s", name, of, file.Error)
		}
	}
	g.tell(Event{
		Event: EventSnapshot, Snapshot: m.ID, Path: g.Host.Paths().Data("snapshots", m.ID+".tar.gz"),
		Text: fmt.Sprintf("a snapshot of %s was taken (%s)", say.Plural(len(m.Apps), "app"), m.ID),
	})
	// The snapshot is there; that an old one cannot be removed refuses nothing.
	if err := g.prune(m.ID); err != nil {
		g.Out.Error(err)
	}
	return m, nil
}

// prune lets retention work. What was just taken, and what an open baseline or a
// restore that was cut off needs, is pinned; and so is the baseline of the last upgrade,
// without which nobody could tell any more what that has lost.
func (g *Guard) prune(pinned ...string) error {
	known, err := g.readState()
	if err != nil {
		return err
	}
	for _, b := range known.Unresolved {
		pinned = append(pinned, b.Snapshot)
	}
	pinned = append(pinned, g.State.Restored()...)
	if n := len(known.Upgrades); n > 0 {
		pinned = append(pinned, known.Upgrades[n-1].Baseline)
	}
	// While an upgrade is unfinished, so is everything from before it.
	if stamp := g.State.LastSeen(); stamp != host.DokkuVersion(g.Host) {
		snapshots, err := g.of(stamp)
		if err != nil {
			return err
		}
		for _, e := range snapshots {
			pinned = append(pinned, e.ID)
		}
	}
	return g.Store.Prune(g.retain(), pinned)
}

// of are the snapshots of a Dokku version, newest first.
func (g *Guard) of(dokku string) ([]snapshot.Entry, error) {
	list, err := g.Store.List()
	return slices.DeleteFunc(list, func(e snapshot.Entry) bool { return e.Dokku != dokku }), err
}

// recent tells whether a time is as near as that. One that lies further ahead was told
// by a wrong clock, and would be recent for as long as it does.
func (g *Guard) recent(t time.Time, within time.Duration) bool {
	return g.Host.Now().Sub(t).Abs() < within
}

// justInstalled tells that Dokku was installed within the last hour: by the time of its
// list of files, which dpkg writes as it unpacks, or of its version.
func (g *Guard) justInstalled() bool {
	recent := func(name string) (recent, there bool) {
		st, err := g.Host.Stat(name)
		return err == nil && g.recent(st.ModTime(), time.Hour), err == nil
	}
	if just, _ := recent("/var/lib/dpkg/info/dokku.list"); just {
		return true
	}
	just, there := recent(filepath.Join(g.Host.Paths().LibRoot, "STABLE_VERSION"))
	if !there { // built from a branch
		just, _ = recent(filepath.Join(g.Host.Paths().LibRoot, "VERSION"))
	}
	return just
}

// underWay tells that an upgrade, or another run of Dokku's installation, has not
// been looked after yet.
func (g *Guard) underWay(disk string) bool {
	stamp := g.State.LastSeen()
	return stamp != "" && stamp != disk || g.State.Phase() != ""
}

// verifyApp says which app does not exist, with what to do about it.
func (g *Guard) verifyApp(files *app.Files, name string) error {
	if slices.Contains(files.Apps, name) {
		return nil
	}
	return say.Hint(fmt.Errorf("there is no app %s on this host", name), "See dokku apps:list for those there are.")
}
