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

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plugins"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
)

// How long to wait for another upgrade-guard process: a person can wait, a
// deploy cannot.
const (
	patience = 30 * time.Second
	hurry    = 10 * time.Second
)

// seedLifetime is how long what was seeded for an upgrade stays in place when
// the upgrade does not come.
const seedLifetime = time.Hour

// Guard works on one host.
type Guard struct {
	Host  host.Host
	Store *snapshot.Store
	Out   *say.Printer
	// InHook tells that apt or dpkg waits for us: what takes longer than seconds is
	// queued.
	InHook bool

	// guesses tells that a person has said yes to all that is guessed.
	guesses bool

	old     map[string]*app.Files // the files of records, by id
	hosts   map[string]app.Host   // and what they say, where it was asked for
	key     []byte                // see fingerprint
	plugins plugins.Facts
	said    map[string]bool // files that cannot be read, and are said to
}

// New is the guard of a host.
func New(h host.Host, out *say.Printer) *Guard {
	return &Guard{Host: h, Store: snapshot.New(h), Out: out, plugins: pluginFacts(h, out), said: map[string]bool{}}
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
		Taken:    sync.OnceValue(func() []string { return plugins.Taken(h) }),
		Stray:    sync.OnceValue(func() []string { return plugins.Stray(context.Background(), h) }),
		Dangling: sync.OnceValues(func() ([]string, bool) { return plugins.Dangling(h) }),
	}
}

// locked runs work while no other upgrade-guard process runs any.
func (g *Guard) locked(ctx context.Context, wait time.Duration, work func() error) error {
	unlock, err := snapshot.Lock(ctx, g.Host, wait)
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
	disk, stamp = host.DokkuVersion(g.Host), g.Store.Stamp()
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

// ledger is the ledger. A damaged one is named, and the work goes on with an
// empty one.
func (g *Guard) ledger() (snapshot.Ledger, error) {
	l, err := g.Store.Ledger()
	if errors.Is(err, snapshot.ErrDamaged) {
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

// snapshotNow takes a snapshot of the whole host, whose state was written by the
// given Dokku version, and lets retention remove what is too much.
func (g *Guard) snapshotNow(ctx context.Context, reason, dokku string) (snapshot.Manifest, *app.Files, error) {
	images := reason == snapshot.PreUpgrade && app.Before(dokku, "0.29.0")
	files, err := app.Capture(ctx, g.Host, app.What{Dokku: dokku, Images: images})
	if err != nil {
		return snapshot.Manifest{}, nil, err
	}
	g.addAnswers(ctx, files)
	m, err := g.Store.Save(files, reason)
	if err != nil {
		return m, files, err
	}
	if err := g.makeKey(); err != nil {
		g.Out.Error(err) // it is for printing alone
	}
	g.Out.Step("Snapshot %s of %s taken", m.ID, Plural(len(m.Apps), "app"))
	for _, missing := range m.Incomplete {
		g.Out.Trouble("The snapshot is incomplete: %s", missing)
	}
	for _, line := range files.NotHeld(notHeldTold) {
		g.Out.Trouble("The snapshot does not hold %s", line)
	}
	for _, file := range files.Under(app.ImageFacts) {
		if name, of, ok := strings.Cut(strings.TrimPrefix(file.Path, app.ImageFacts), "/"); ok && file.Error != "" && !file.LeftOut() {
			g.Out.Trouble("%s: the snapshot is without the %s of its image: %s", name, of, file.Error)
		}
	}
	// The snapshot is there; that an old one cannot be removed refuses nothing.
	if err := g.prune(m.ID); err != nil {
		g.Out.Error(err)
	}
	return m, files, nil
}

// prune lets retention work. What was just taken, and what an open baseline or a
// restore that was cut off needs, is pinned.
func (g *Guard) prune(pinned ...string) error {
	ledger, err := g.ledger()
	if err != nil {
		return err
	}
	for _, b := range ledger.Open {
		pinned = append(pinned, b.Snapshot)
	}
	pinned = append(pinned, g.Store.Restored()...)
	// While an upgrade is unfinished, so is everything from before it.
	if stamp := g.Store.Stamp(); stamp != host.DokkuVersion(g.Host) {
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

// record is what is known of an app from before an upgrade; of the host itself
// (GlobalScope) it is global, and of the state nothing but the version.
type record struct {
	as     string // what the app is called now
	state  app.State
	global app.Global
	id     string
	time   time.Time
}

// records finds for each app, or GlobalScope, the record it is repaired by: the newest of its
// version that knows the app's scale, in the snapshots, in the app's running
// record, or in its open baseline. A snapshot in which the scale could not be
// read is passed over for the one before it; so is one that is damaged, which is
// named and told by the second result.
func (g *Guard) records(dokku string, apps []string, ledger snapshot.Ledger) (found map[string]record, broken bool) {
	found = map[string]record{}
	opened := map[string]*snapshot.Manifest{}
	manifest := func(id string, read func() (snapshot.Manifest, error)) *snapshot.Manifest {
		m, known := opened[id]
		if !known {
			read, err := read()
			if err == nil {
				m = &read
			} else if !errors.Is(err, fs.ErrNotExist) {
				g.Out.Error(err)
				broken = true
			}
			opened[id] = m
		}
		return m
	}
	take := func(name string, m *snapshot.Manifest) {
		if m == nil {
			return
		}
		s, ok := m.Host.Apps[name]
		for _, old := range ledger.Formerly(name) {
			if !ok {
				s, ok = m.Host.Apps[old]
			}
		}
		before, has := found[name]
		newer := !has || g.Store.Dated(m.Time).After(g.Store.Dated(before.time))
		if name == host.GlobalScope {
			if newer {
				found[name] = record{as: name, state: app.State{Name: name, Dokku: m.Dokku}, global: m.Host.Global, id: m.ID, time: m.Time}
			}
			return
		}
		switch {
		case !ok || s.Scale.Unreadable:
		case has && s.EffectiveScale().Empty() && !before.state.EffectiveScale().Empty():
			// A worse record never takes the place of a better one.
		case newer:
			found[name] = record{as: name, state: s, id: m.ID, time: m.Time}
		}
	}
	list, err := g.Store.List()
	if err != nil {
		g.Out.Error(err)
	}
	// newest takes an app's newest record of a version.
	newest := func(name, version string) {
		for _, e := range list {
			if e.Dokku != version {
				continue
			}
			m := manifest(e.ID, func() (snapshot.Manifest, error) { return g.Store.Manifest(e.ID) })
			if m == nil {
				continue
			}
			take(name, m)
			if s, there := m.Host.Apps[name]; !there || !s.Scale.Unreadable {
				break // not there: it did not exist yet
			}
		}
		live := manifest("live/"+name, func() (snapshot.Manifest, error) { return g.Store.Live(name) })
		if live != nil && live.Dokku == version {
			take(name, live)
		}
	}
	disk := host.DokkuVersion(g.Host)
	for _, name := range apps {
		b, open := ledger.Open[name]
		if open && b.Snapshot != "" && b.Snapshot != "live/"+name {
			take(name, manifest(b.Snapshot, func() (snapshot.Manifest, error) { return g.Store.Manifest(b.Snapshot) }))
		}
		if open {
			if _, has := found[name]; !has {
				newest(name, b.Dokku)
			}
		}
		// What the present version has recorded is no record of what it lost.
		if !open || dokku != disk {
			newest(name, dokku)
		}
	}
	return found, broken
}

// jump is what the hazards look at beside an app or the host.
func (g *Guard) jump(files *app.Files, from, to string, ledger snapshot.Ledger) hazard.Jump {
	return hazard.Jump{
		Paths: g.Host.Paths(), From: from, To: to,
		Late: len(ledger.Jumps) == 0, Fresh: g.fresh(), Files: files, Old: func() *app.Files { return nil }, Plugins: g.plugins, Shown: g.fingerprint,
		Seeded: func(path, digest string) bool {
			return slices.Contains(ledger.Seeds[path].SHA256, digest)
		},
	}
}

// subject is an app as the hazards look at it.
func (g *Guard) subject(files *app.Files, now app.Host, name, from, to string, ledger snapshot.Ledger) hazard.Subject {
	return hazard.Subject{Jump: g.jump(files, from, to, ledger), Now: now.Apps[name], NoDocker: now.DockerMissing != ""}
}

// detect asks the hazards what has happened to the host and to the apps. Only
// what has an open record has a Before: what was closed is not held against
// anybody. That goes for each hazard by itself, once the upgrade has been looked
// after.
func (g *Guard) detect(files *app.Files, now app.Host, records map[string]record, ledger snapshot.Ledger) []hazard.Finding {
	var found []hazard.Finding
	look := func(name string, ask func(*record) []hazard.Finding) {
		r, ok := records[name]
		if !ok {
			found = append(found, ask(nil)...)
			return
		}
		recorded, present := ask(&r), ask(nil)
		for i := range recorded {
			// What would be found without the record too was so before.
			recorded[i].Recorded = !slices.ContainsFunc(present, func(f hazard.Finding) bool {
				return f.Hazard == recorded[i].Hazard && f.What == recorded[i].What
			})
		}
		owed := ledger.Open[name].Owed
		if len(owed) == 0 || g.underWay(now.Dokku) {
			found = append(found, recorded...)
			return
		}
		isOwed := func(f hazard.Finding) bool { return slices.Contains(owed, f.Hazard) }
		found = append(found, slices.DeleteFunc(present, isOwed)...)
		found = append(found, slices.DeleteFunc(recorded, func(f hazard.Finding) bool { return !isOwed(f) })...)
	}
	if !files.Partial {
		look(host.GlobalScope, func(r *record) []hazard.Finding {
			s := hazard.HostSubject{Jump: g.jump(files, "", now.Dokku, ledger), Now: now}
			if r != nil {
				s.Before, s.Jump = &r.global, g.since(s.Jump, *r)
			}
			return hazard.DetectHost(s)
		})
	}
	for _, name := range files.Apps {
		if now.Apps[name].Scale.Unreadable || g.halfRenamed(name) {
			continue // what cannot be read, or is just being copied, is not known to be lost
		}
		look(name, func(r *record) []hazard.Finding {
			s := g.subject(files, now, name, "", now.Dokku, ledger)
			if r != nil {
				s.Before, s.Jump = &r.state, g.since(s.Jump, *r)
			}
			return hazard.Detect(s)
		})
		found = append(found, g.cutOff(g.subject(files, now, name, "", now.Dokku, ledger), ledger)...)
	}
	return found
}

// recent tells whether a time is as near as that. One that lies further ahead was told
// by a wrong clock, and would be recent for as long as it does.
func (g *Guard) recent(t time.Time, within time.Duration) bool {
	return g.Host.Now().Sub(t).Abs() < within
}

// fresh tells that Dokku was installed within the last hour: by the time of its
// list of files, which dpkg writes as it unpacks, or of its version.
func (g *Guard) fresh() bool {
	for _, name := range []string{"/var/lib/dpkg/info/dokku.list", filepath.Join(g.Host.Paths().LibRoot, "STABLE_VERSION")} {
		if st, err := g.Host.Stat(name); err == nil && g.recent(st.ModTime(), time.Hour) {
			return true
		}
	}
	return false
}

// underWay tells that an upgrade, or another run of Dokku's installation, has not
// been looked after yet.
func (g *Guard) underWay(disk string) bool {
	stamp := g.Store.Stamp()
	return stamp != "" && stamp != disk || g.Store.Pending() != ""
}

// since is a jump that begins at a record.
func (g *Guard) since(j hazard.Jump, r record) hazard.Jump {
	j.Record, j.From = r.id, r.state.Dokku
	j.Old = func() *app.Files {
		files := g.oldFiles(r.id)
		if files == nil || r.state.Name == r.as || r.as == host.GlobalScope {
			return files
		}
		return files.Renamed(r.state.Name, r.as) // it bore another name then
	}
	return j
}

// oldFiles are the files of a record, read once; nil, and named, where they
// cannot be read.
func (g *Guard) oldFiles(id string) *app.Files {
	if files, known := g.old[id]; known {
		return files
	}
	files, err := g.Store.Files(id)
	if err != nil {
		g.Out.Error(err)
		files = nil
	} else {
		for _, l := range files.Refused {
			g.Out.Trouble("%s", l)
		}
	}
	if g.old == nil {
		g.old = map[string]*app.Files{}
	}
	g.old[id] = files
	return files
}

// verifyApp says which app does not exist, with what to do about it.
func (g *Guard) verifyApp(files *app.Files, name string) error {
	if slices.Contains(files.Apps, name) {
		return nil
	}
	return say.Hint(fmt.Errorf("there is no app %s on this host", name), "See dokku apps:list for those there are.")
}

// Plural is a number with what it counts.
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "s") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}
