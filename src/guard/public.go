package guard

import (
	"context"
	"slices"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/snapshot"
)

// public is the verdict on what has nginx serve an app; the rule itself, and what
// counts as known, stand in hazard/public.go. It is looked for when it is first asked
// for: that may take the reading of a whole snapshot.
func (r *routes) public(name string) hazard.Verdict {
	v, known := r.verdicts[name]
	if !known {
		v = hazard.Serving(hazard.Side{State: r.now.Apps[name], Files: r.files, Of: "now"}, r.before(name))
		r.verdicts[name] = v
	}
	return r.guard.withGuesses(v)
}

// before is Guard.before, once for each app.
func (r *routes) before(name string) *hazard.Side {
	side, known := r.sides[name]
	if !known {
		side = r.guard.before(name)
		r.sides[name] = side
	}
	return side
}

// withGuesses lets a person's yes to all guesses count for what is not known.
func (g *Guard) withGuesses(v hazard.Verdict) hazard.Verdict {
	if g.guesses {
		v.Unknown = ""
	}
	return v
}

// expect tells that repairs are still to come that put back names and ports: what is
// put back was reachable (Subject.Opens), and a build comes after it.
func (r *routes) expect(found []hazard.Finding) {
	for _, f := range found {
		if f.Step != nil && !f.Step.Guess && slices.Contains(hazard.InNginx, f.Hazard) {
			v := r.public(f.App)
			v.NoBuild = ""
			r.verdicts[f.App] = v
		}
	}
}

// before is an app as it was before whatever has happened to it: in the record that
// an upgrade has left open, or else in the newest that is not one which an upgrade has
// just left behind. nil where none holds the app.
func (g *Guard) before(name string) *hazard.Side {
	ledger, _ := g.Store.Ledger() // a damaged one is named by whoever needs it
	names := append([]string{name}, ledger.Formerly(name)...)
	records, _ := g.Store.List()
	records = slices.DeleteFunc(records, func(e snapshot.Entry) bool { return e.Reason == snapshot.PostUpgrade })
	if live, err := g.Store.Live(name); err == nil {
		records = append(records, snapshot.Entry{ID: live.ID, Time: live.Time})
	}
	slices.SortStableFunc(records, func(a, b snapshot.Entry) int { return b.Time.Compare(a.Time) })
	if b, open := ledger.Open[name]; open && b.Snapshot != "" {
		records = append([]snapshot.Entry{{ID: b.Snapshot}}, records...)
	}
	for _, e := range records {
		files, host := g.oldFiles(e.ID), g.oldHost(e.ID)
		for i, n := range names {
			s, there := host.Apps[n]
			if !there {
				continue
			}
			if i > 0 {
				files, s.Name = files.Renamed(n, name), name
			}
			side := &hazard.Side{State: s, Files: files, Of: "by " + e.ID, NoDocker: host.DockerMissing != ""}
			if byNginx, _ := s.Proxy.ByNginx(); byNginx && e.Reason == snapshot.Installed && !served(*side) {
				return nil // the guard may have come after what has taken it down
			}
			return side
		}
	}
	return nil
}

// served tells whether an app was up in a record: nginx had it, and it ran.
func served(s hazard.Side) bool {
	_, has := s.Files.Text(nginx.ConfPath(s.State.Name))
	return has && s.State.Running() > 0
}

// oldHost is what the files of a record say, read once; nothing where they cannot be
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

// mayStart is the verdict on the start of an app's containers, as far as they would be
// asked from outside.
func (r *routes) mayStart(name string) hazard.Verdict {
	s := r.now.Apps[name]
	if !slices.ContainsFunc(s.Web(), func(c app.Container) bool { return !c.Running && nginx.Wanted(s, c) }) {
		return hazard.Verdict{}
	}
	return r.guard.withGuesses(hazard.Starting(r.before(name)))
}

// recordedConf is an app's configuration in the record from before.
func (m *mending) recordedConf(name string) string {
	before := m.routes.before(name)
	if before == nil {
		return ""
	}
	text, _ := before.Files.Text(nginx.ConfPath(name))
	return text
}

// aside is what is to answer 503 in place of an app's configuration: under the names
// and on the ports of that, or of the recorded one where that says nothing; "" for
// nothing, so that no port is opened for it.
//
// leftOut is what it has of these and cannot be kept.
func (m *mending) aside(ctx context.Context, name string) (text string, leftOut []string, err error) {
	files, err := app.Capture(ctx, m.Host, app.What{Apps: []string{name}, NoCommands: true})
	if err != nil {
		return "", nil, err
	}
	dir := m.Host.Paths().App(name)
	if text, leftOut = nginx.WriteAside(files, m.now.Apps[name], dir); text != "" {
		return text, leftOut, nil
	}
	if before := m.routes.before(name); before != nil && m.public(name).Closed == "" {
		text, leftOut = nginx.WriteAside(before.Files, m.now.Apps[name], dir)
	}
	return text, leftOut, nil
}
