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
	"slices"
	"strconv"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
)

// How long to wait for another upgrade-guard process: a person can wait, a
// deploy cannot.
const (
	patience = 30 * time.Second
	hurry    = 5 * time.Second
)

// seedLifetime is how long what was seeded for an upgrade stays in place when
// the upgrade does not come.
const seedLifetime = time.Hour

// Guard works on one host.
type Guard struct {
	Host  host.Host
	Store *snapshot.Store
	Out   *say.Printer
}

// New is the guard of a host.
func New(h host.Host, out *say.Printer) *Guard {
	return &Guard{Host: h, Store: snapshot.New(h), Out: out}
}

// locked runs work while no other upgrade-guard process runs any.
func (g *Guard) locked(ctx context.Context, wait time.Duration, work func() error) error {
	unlock, err := snapshot.Lock(ctx, g.Host, wait)
	if err != nil {
		return err
	}
	defer unlock()
	return work()
}

// property is one of our own properties: the app's, the host's, or def.
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
	files, err := app.Capture(ctx, g.Host, app.What{Dokku: dokku})
	if err != nil {
		return snapshot.Manifest{}, nil, err
	}
	m, err := g.Store.Save(files, reason)
	if err != nil {
		return m, files, err
	}
	g.Out.Step("Snapshot %s of %s taken", m.ID, plural(len(m.Apps), "app"))
	for _, missing := range m.Incomplete {
		g.Out.Trouble("The snapshot is incomplete: %s", missing)
	}
	return m, files, g.prune()
}

// prune lets retention work. What an open baseline needs is pinned.
func (g *Guard) prune() error {
	ledger, err := g.Store.Ledger()
	if err != nil {
		return err
	}
	var pinned []string
	for _, b := range ledger.Open {
		pinned = append(pinned, b.Snapshot)
	}
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

// record is what is known of an app from before an upgrade.
type record struct {
	state app.State
	id    string
	time  time.Time
}

// records finds for each app the record it is repaired by: that of its open
// baseline; else the newest one of the given version, in the snapshots or in
// the app's running record. A snapshot in which the app could not be read is
// passed over for the one before it; so is one that is damaged, which is named.
func (g *Guard) records(dokku string, apps []string, ledger snapshot.Ledger) map[string]record {
	found := map[string]record{}
	take := func(name string, m snapshot.Manifest) {
		if s, ok := m.Host.Apps[name]; ok && len(s.Unreadable) == 0 && m.Time.After(found[name].time) {
			found[name] = record{s, m.ID, m.Time}
		}
	}
	var unopened []string
	opened := map[string]snapshot.Manifest{}
	for _, name := range apps {
		b, ok := ledger.Open[name]
		if !ok {
			unopened = append(unopened, name)
			continue
		}
		m, known := opened[b.Snapshot]
		if !known {
			var err error
			if m, err = g.open(b.Snapshot, name); err != nil {
				g.Out.Error(fmt.Errorf("%s: %w", name, err))
			}
			opened[b.Snapshot] = m
		}
		take(name, m)
	}

	snapshots, err := g.of(dokku)
	if err != nil {
		g.Out.Error(err)
	}
	wanted := slices.Clone(unopened)
	for _, e := range snapshots {
		if len(wanted) == 0 {
			break
		}
		m, err := g.Store.Manifest(e.ID)
		if err != nil {
			g.Out.Error(err)
			continue
		}
		wanted = slices.DeleteFunc(wanted, func(name string) bool {
			s, there := m.Host.Apps[name]
			take(name, m)
			return !there || len(s.Unreadable) == 0 // not there: it did not exist yet
		})
	}
	for _, name := range unopened {
		live, err := g.Store.Live(name)
		if err == nil && live.Dokku == dokku {
			take(name, live)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			g.Out.Error(fmt.Errorf("%s: %w", name, err))
		}
	}
	return found
}

func (g *Guard) open(id, name string) (snapshot.Manifest, error) {
	if id == "live/"+name {
		return g.Store.Live(name)
	}
	return g.Store.Manifest(id)
}

// subject is an app as the hazards look at it.
func (g *Guard) subject(files *app.Files, now app.Host, name, from, to string, ledger snapshot.Ledger) hazard.Subject {
	p := g.Host.Paths()
	return hazard.Subject{
		Paths: p, From: from, To: to, Now: now.Apps[name], NoDocker: now.DockerMissing != "",
		Digest: func(path string) string { return files.DigestAt(p, path) },
		Seeded: func(path, digest string) bool {
			seed, ok := ledger.Seeds[path]
			return ok && seed.SHA256 == digest
		},
	}
}

// detect asks the hazards what has happened to the apps. Only apps whose record
// is open have a Before: what was closed is not held against anybody.
func (g *Guard) detect(files *app.Files, now app.Host, records map[string]record, ledger snapshot.Ledger) []hazard.Finding {
	var found []hazard.Finding
	for _, name := range files.Apps {
		if len(now.Apps[name].Unreadable) > 0 {
			continue // what cannot be read is not known to be lost
		}
		s := g.subject(files, now, name, "", now.Dokku, ledger)
		if r, ok := records[name]; ok {
			s.Before, s.Record, s.From = &r.state, r.id, r.state.Dokku
		}
		found = append(found, hazard.Detect(s)...)
	}
	return found
}

// verifyApp says which app does not exist, with what to do about it.
func (g *Guard) verifyApp(files *app.Files, name string) error {
	if slices.Contains(files.Apps, name) {
		return nil
	}
	return say.Hint(fmt.Errorf("there is no app %s on this host", name), "See dokku apps:list for those there are.")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "s") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}
