package guard

import (
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// baseline is what is known of an app from before an upgrade; of the host itself
// (GlobalScope) it is global, and of the state nothing but the version.
type baseline struct {
	as     string // what the app is called now
	state  app.State
	global app.Global
	id     string
	time   time.Time
}

// opened is what snapshots say of themselves, each read once in a run; nil for one that
// cannot be read.
type opened map[string]*snapshot.Manifest

// past is where a run looks for how an app was before.
type past struct {
	known state.State
	// taken are the snapshots, listed when they are needed, opened those that were read.
	taken  func() []snapshot.Entry
	opened opened
}

func (g *Guard) pastOf(known state.State) *past {
	return &past{known: known, opened: opened{}, taken: sync.OnceValue(func() []snapshot.Entry {
		list, _ := g.Store.List()
		return list
	})}
}

// manifest is what a snapshot says of itself. Whoever reads it first is told why it
// cannot be read.
func (g *Guard) manifest(read opened, id string) (*snapshot.Manifest, error) {
	if m, known := read[id]; known {
		return m, nil
	}
	m, err := g.Store.Manifest(id)
	if err != nil {
		read[id] = nil
		return nil, err
	}
	read[id] = &m
	return &m, nil
}

// baselines finds for each app, or GlobalScope, the one it is repaired by: the newest of its
// version that knows the app's scale, in the snapshots, in the app's running
// snapshot, or in its open baseline. A snapshot in which the scale could not be
// read is passed over for the one before it; so is one that is damaged, which is
// named and told by the second result.
func (g *Guard) baselines(dokku string, apps []string, known state.State, read opened) (found map[string]baseline, broken bool) {
	found = map[string]baseline{}
	manifest := func(id string) *snapshot.Manifest {
		m, err := g.manifest(read, id)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			g.Out.Error(err)
			broken = true
		}
		return m
	}
	take := func(name string, m *snapshot.Manifest) {
		if m == nil {
			return
		}
		s, ok := m.Host.Apps[name]
		for _, old := range known.Formerly(name) {
			if !ok {
				s, ok = m.Host.Apps[old]
			}
		}
		before, has := found[name]
		newer := !has || g.Store.Dated(m.Time).After(g.Store.Dated(before.time))
		if name == host.GlobalScope {
			if newer {
				found[name] = baseline{as: name, state: app.State{Name: name, Dokku: m.Dokku}, global: m.Host.Global, id: m.ID, time: m.Time}
			}
			return
		}
		switch {
		case !ok || s.Scale.Unreadable:
		case has && s.EffectiveScale().Empty() && !before.state.EffectiveScale().Empty():
			// A worse one never takes the place of a better one.
		case newer:
			found[name] = baseline{as: name, state: s, id: m.ID, time: m.Time}
		}
	}
	list, err := g.Store.List()
	if err != nil {
		g.Out.Error(err)
	}
	// newest takes an app's newest of a version.
	newest := func(name, version string) {
		// A live snapshot is read where it may be the newest: each of a thousand apps has one.
		live := sync.OnceValue(func() *snapshot.Manifest {
			if m := manifest("live/" + name); m != nil && m.Dokku == version {
				return m
			}
			return nil
		})
		for _, e := range list {
			if e.Dokku != version {
				continue
			}
			if g.Store.LiveSince(name, g.Store.Dated(e.Time)) {
				if l := live(); l != nil && g.Store.Dated(l.Time).After(g.Store.Dated(e.Time)) && !l.Host.Apps[name].EffectiveScale().Empty() && !l.Host.Apps[name].Scale.Unreadable {
					break // it takes the place of this one and of all that are older
				}
			}
			m := manifest(e.ID)
			if m == nil {
				continue
			}
			take(name, m)
			if s, there := m.Host.Apps[name]; !there || !s.Scale.Unreadable {
				break // not there: it did not exist yet
			}
		}
		if b, has := found[name]; !has || g.Store.LiveSince(name, g.Store.Dated(b.time)) {
			take(name, live())
		}
	}
	disk := host.DokkuVersion(g.Host)
	for _, name := range apps {
		b, open := known.Unresolved[name]
		if open && b.Snapshot != "" && b.Snapshot != "live/"+name {
			take(name, manifest(b.Snapshot))
		}
		if open {
			if _, has := found[name]; !has {
				newest(name, b.Dokku)
			}
		}
		// What the present version has recorded is no snapshot of what it lost.
		if !open || dokku != disk {
			newest(name, dokku)
		}
	}
	return found, broken
}

// unresolved are the baselines that are unresolved: after a jump, or another run of
// Dokku's installation, those of all apps; otherwise those of the apps in which
// something is not resolved.
func (g *Guard) unresolved(files *app.Files, now app.Host, stamp string, known state.State, read opened) (found map[string]baseline, broken bool) {
	names := append([]string{host.GlobalScope}, files.Apps...)
	if !g.underWay(now.Dokku) {
		names = slices.DeleteFunc(names, func(name string) bool {
			_, open := known.Unresolved[name]
			return !open
		})
	}
	return g.baselines(stamp, names, known, read)
}

// oldFiles are the files of a snapshot, read once; nil, and named, where they
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

// before is an app as it was before whatever has happened to it: in the snapshot that
// an upgrade has left open, or else in the newest that is not one which an upgrade has
// just left behind, or a restore was to mend. nil where none holds the app.
func (g *Guard) before(name string, p *past) *hazard.Side {
	taken := slices.DeleteFunc(g.snapshots(name, p), func(e snapshot.Entry) bool {
		return e.Reason == snapshot.PostUpgrade || e.Reason == snapshot.PreRestore
	})
	if b, open := p.known.Unresolved[name]; open && b.Snapshot != "" {
		taken = append([]snapshot.Entry{{ID: b.Snapshot}}, taken...)
	}
	for _, e := range taken {
		side := g.side(e.ID, name, p.known)
		if side == nil {
			continue
		}
		if byNginx, _ := side.State.Proxy.ByNginx(); byNginx && e.Reason == snapshot.Installed && !served(*side) {
			return nil // the guard may have come after what has taken it down
		}
		return side
	}
	return nil
}

// holding is an app as it was in the newest of all snapshots for which the question is
// answered with yes; nil where it is for none. All may have to be asked, so it goes by
// what they say of themselves, and reads the files of that one alone.
func (g *Guard) holding(name string, p *past, want func(app.State) bool) *hazard.Side {
	for _, e := range g.snapshots(name, p) {
		said, _ := g.manifest(p.opened, e.ID)
		for _, n := range append([]string{name}, p.known.Formerly(name)...) {
			if said == nil {
				continue
			}
			if s, there := said.Host.Apps[n]; !there || !want(s) {
				continue
			}
			if side := g.side(e.ID, name, p.known); side != nil && want(side.State) {
				return side
			}
		}
	}
	return nil
}

// someEarlier are as many configurations from before as are tried.
const someEarlier = 5

// earlier are an app's nginx configurations in all snapshots, newest first, each once. They
// are read only where nginx refuses what is there.
func (g *Guard) earlier(name string, p *past) (texts []string) {
	for _, e := range g.snapshots(name, p) {
		side := g.side(e.ID, name, p.known)
		if side == nil {
			continue
		}
		if text, ok := side.Files.Text(nginx.ConfPath(name)); ok && !slices.Contains(texts, text) {
			if texts = append(texts, text); len(texts) == someEarlier {
				break
			}
		}
	}
	return texts
}

// snapshots are all snapshots, and an app's live snapshot, newest first.
func (g *Guard) snapshots(name string, p *past) []snapshot.Entry {
	taken := slices.Clone(p.taken())
	if live, _ := g.manifest(p.opened, "live/"+name); live != nil {
		taken = append(taken, snapshot.Entry{ID: live.ID, Time: live.Time})
	}
	slices.SortStableFunc(taken, func(a, b snapshot.Entry) int { return g.Store.Dated(b.Time).Compare(g.Store.Dated(a.Time)) })
	return taken
}

// side is an app in a snapshot, by the name that it bears now; nil where that does not
// hold it, or cannot be read.
func (g *Guard) side(id, name string, known state.State) *hazard.Side {
	files, host := g.oldFiles(id), g.oldHost(id)
	for i, n := range append([]string{name}, known.Formerly(name)...) {
		s, there := host.Apps[n]
		if !there {
			continue
		}
		if i > 0 {
			files, s.Name = files.Renamed(n, name), name
		}
		return &hazard.Side{State: s, Files: files, Of: "by " + id, ID: id, NoDocker: host.DockerMissing != ""}
	}
	return nil
}

// served tells whether an app was up in a snapshot: nginx had it, and it ran.
func served(s hazard.Side) bool {
	_, has := s.Files.Text(nginx.ConfPath(s.State.Name))
	return has && s.State.Running() > 0
}

// oldHost is what the files of a snapshot say, read once; nothing where they cannot be
// read.
func (g *Guard) oldHost(id string) app.Host {
	host, known := g.hosts[id]
	if !known {
		if files := g.oldFiles(id); files != nil {
			host = app.Read(files)
		}
		if g.hosts == nil {
			g.hosts = map[string]app.Host{}
		}
		g.hosts[id] = host
	}
	return host
}
