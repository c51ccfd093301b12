package guard

import (
	"errors"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// memory is what is remembered beside what is seen: of upgrades, of apps from before
// them, and within one run.
type memory struct {
	state state.State
	// lastSeen is the version at which everything was in order last; upgraded tells that
	// it is not the one on the disk, underWay that an upgrade, or another run of Dokku's
	// installation, has not been looked after yet.
	lastSeen           string
	upgraded, underWay bool
	// baselines are the apps, and the host, from before the upgrade, as far as they are
	// unresolved. broken tells that some may be missing, because a snapshot cannot be
	// read.
	baselines map[string]baseline
	broken    bool
	// before are the answers from before the last upgrade, read when they are needed.
	before func() []nginx.Answer
	past   *past
	// sides are the apps as they were before, as far as they were asked for.
	sides map[string]*hazard.Side
	// guesses tells that a person has said yes to all that is guessed.
	guesses bool
	// occasion is what the run is for.
	occasion occasion
	run      *hazard.Run
	// lost and routed are what was found last of the host and of each app, which stands
	// for those that are not looked at again between two rounds.
	lost, routed map[string][]hazard.Finding
	// tried are the rungs that were tried in this run, why what those of the next round
	// are for.
	tried map[string]bool
	why   map[string]string
}

// remember is the memory of the host as it is observed.
func (g *Guard) remember(o *Observation) (*memory, error) {
	known, err := g.readState()
	if err != nil {
		return nil, err
	}
	disk, lastSeen, err := g.versions()
	if err != nil {
		return nil, err
	}
	if lastSeen == "" {
		lastSeen = disk
	}
	m := &memory{
		state: known, lastSeen: lastSeen, upgraded: lastSeen != disk, underWay: g.underWay(o.Now.Dokku),
		past: g.pastOf(known), sides: map[string]*hazard.Side{}, run: hazard.NewRun(), tried: map[string]bool{},
		lost: map[string][]hazard.Finding{}, routed: map[string][]hazard.Finding{},
	}
	m.baselines, m.broken = g.unresolved(o.Files, o.Now, lastSeen, known, m.past.opened)
	m.before = sync.OnceValue(func() []nginx.Answer { return g.answersBefore(m) })
	return m, nil
}

// answersBefore are the answers of the apps from before the last upgrade; none where
// nobody answered, or nothing was asked.
func (g *Guard) answersBefore(m *memory) []nginx.Answer {
	id := ""
	if n := len(m.state.Upgrades); n > 0 {
		id = m.state.Upgrades[n-1].Baseline
	}
	if m.upgraded {
		if list, err := g.of(m.lastSeen); err == nil && len(list) > 0 {
			id = list[0].ID
		}
	}
	if id == "" {
		return nil
	}
	data, err := g.Store.File(id, nginx.Facts)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			g.Out.Error(err)
		}
		return nil // from before there were such, or nobody answered
	}
	return nginx.Decode(data)
}

// assess is what is lost or wrong on a host, with what is done about it, of every app
// and of the host itself: by every hazard there is, each restore that was cut off,
// renames and queued work. It changes nothing and looks at nothing but what was
// observed and is remembered. Every command and hook goes by it.
func (g *Guard) assess(o *Observation, m *memory) []hazard.Finding {
	// By one app alone it cannot be told, and nothing is said of the host.
	m.run.NotRunning = !o.Files.Partial && !answering(o.answers)
	found := g.losses(o, m)
	expected := map[string][]string{} // the hazards whose repairs come before a build
	for i, f := range found {
		if hazard.Named(f.Hazard).InNginx && m.comes(f) {
			expected[f.App] = append(expected[f.App], f.Hazard)
			if byNginx, _ := o.Now.Apps[f.App].Proxy.ByNginx(); byNginx && o.Now.Apps[f.App].Deployed() {
				found[i].Next = append(slices.Clone(f.Next), hazard.TextBuild)
			}
		}
	}
	nginxOf := hazard.HostSubject{Context: g.context(o.Files, "", o.Now.Dokku, m.state), Now: o.Now, Run: m.run}
	if m.run.NotRunning {
		nginxOf.NotListening = ports(o.answers)
	}
	if o.culprit == "" {
		nginxOf.Refused = o.refused
	}
	if nginxOf.NotListening+nginxOf.Refused != "" {
		found = append(found, hazard.RouteHost(nginxOf)...)
	}
	worse := map[string][]string{}
	if len(o.answers) > 0 && len(m.state.Upgrades)+len(m.baselines) > 0 {
		worse = nginx.Worse(m.before(), o.answers)
	}
	for _, name := range o.Files.Apps {
		if o.renaming[name] {
			continue
		}
		if !o.seenAgain(name) {
			found = append(found, m.routed[name]...)
			continue
		}
		s := g.subject(o.Files, o.Now, name, "", o.Now.Dokku, m.state)
		s.Disputed = o.disputed[name]
		s.Routing = g.routing(o, m, name, expected[name])
		s.Routing.Worse = worse[name]
		if m.run.NotRunning { // said once, and not for every app
			s.Routing.Findings = slices.DeleteFunc(s.Routing.Findings, func(f nginx.Finding) bool { return f.Kind == nginx.Silent })
			s.Routing.Worse = nil
		}
		if slices.Contains(expected[name], hazard.CertificateLost) { // that nginx finds none is said by its loss
			s.Routing.Findings = slices.DeleteFunc(s.Routing.Findings, func(f nginx.Finding) bool { return f.Kind == nginx.Certificate })
		}
		var routed []hazard.Finding
		if !o.disputes(name) {
			routed = g.cutOff(s, m.state) // its build ends what is wrong by it, too
		}
		m.routed[name] = append(routed, hazard.Route(s)...)
		found = append(found, m.routed[name]...)
	}
	if len(m.state.Upgrades) > 0 {
		found = append(found, g.keptNames(o.Files, o.Now)...)
	}
	return found
}

// comes tells whether a repair is still to be made in this run. One that was tried and has
// not ended its finding, or that the run is not for, is not: a build goes by what is there.
func (m *memory) comes(f hazard.Finding) bool {
	return f.Kind == hazard.Repair && f.Step != nil && m.occasion.chooses(f) && !m.tried[rung(*f.Step)]
}

// losses asks the hazards what has happened to the host and to the apps. Only what is
// unresolved has a Before: what was resolved is not held against anybody. That goes for
// each hazard by itself, once the upgrade has been looked after.
func (g *Guard) losses(o *Observation, m *memory) []hazard.Finding {
	of := func(name string, ask func(*baseline) []hazard.Finding) []hazard.Finding {
		b, ok := m.baselines[name]
		if !ok {
			return ask(nil)
		}
		unresolved := m.state.Unresolved[name].Hazards
		recorded := ask(&b)
		if len(recorded) == 0 && (len(unresolved) == 0 || m.underWay) {
			return nil
		}
		present := ask(nil)
		for i := range recorded {
			// What would be found without the baseline too was so before.
			recorded[i].Recorded = !slices.ContainsFunc(present, func(f hazard.Finding) bool {
				return f.Hazard == recorded[i].Hazard && f.What == recorded[i].What
			})
		}
		if len(unresolved) == 0 || m.underWay {
			return recorded
		}
		is := func(f hazard.Finding) bool { return slices.Contains(unresolved, f.Hazard) }
		return append(slices.DeleteFunc(present, is), slices.DeleteFunc(recorded, func(f hazard.Finding) bool { return !is(f) })...)
	}
	var found []hazard.Finding
	look := func(name string, ask func(*baseline) []hazard.Finding) {
		if o.seenAgain(name) {
			m.lost[name] = of(name, ask)
		}
		found = append(found, m.lost[name]...)
	}
	if !o.Files.Partial {
		look(host.GlobalScope, func(b *baseline) []hazard.Finding {
			s := hazard.HostSubject{Context: g.context(o.Files, "", o.Now.Dokku, m.state), Now: o.Now}
			s.Disputed = o.disputed[host.GlobalScope]
			if b != nil {
				s.Before, s.Context = &b.global, g.since(s.Context, *b)
			}
			return hazard.DetectHost(s)
		})
	}
	for _, name := range o.Files.Apps {
		if o.Now.Apps[name].Scale.Unreadable || o.renaming[name] {
			continue // what cannot be read, or is just being copied, is not known to be lost
		}
		look(name, func(b *baseline) []hazard.Finding {
			s := g.subject(o.Files, o.Now, name, "", o.Now.Dokku, m.state)
			s.Disputed = o.disputed[name]
			if b != nil {
				s.Before, s.Context = &b.state, g.since(s.Context, *b)
			}
			return hazard.Detect(s)
		})
	}
	return found
}

// routing is how nginx serves one app. Where repairs are expected that put back its
// names and ports, what they put back was reachable (hazard.Subject.Opens), and a build
// comes after them.
func (g *Guard) routing(o *Observation, m *memory, name string, expected []string) *hazard.Routing {
	s := o.Now.Apps[name]
	r := &hazard.Routing{Owners: o.owners, Run: m.run, Locked: o.locked[name], Findings: slices.Concat(o.routing[name], o.judged[name])}
	if o.culprit == name {
		r.Complaint = o.refused
	}
	if slices.Contains(m.state.Unbuilt, name) && !o.wrong(name) && o.Now.DockerMissing == "" {
		if f := hazard.Unbuilt(o.Files, s); f != nil {
			r.Findings = append(r.Findings, *f)
		}
	}
	r.Before = func() *hazard.Side {
		side, known := m.sides[name]
		if !known {
			side = g.before(name, m.past)
			m.sides[name] = side
		}
		return side
	}
	r.Earlier = sync.OnceValue(func() []string { return g.earlier(name, m.past) })
	// Each is asked by every hazard of nginx, and reads configurations.
	r.Public = sync.OnceValue(func() hazard.Verdict {
		v := hazard.Serving(hazard.Side{State: s, Files: o.Files, Of: "now"}, r.Before())
		if len(expected) > 0 {
			v.NoBuild = ""
		}
		return m.withGuesses(v)
	})
	r.Drops = sync.OnceValue(func() hazard.Drop {
		d := hazard.Drops(hazard.Side{State: s, Files: o.Files, Of: "now"}, r.Before(), func(want func(app.State) bool) *hazard.Side { return g.holding(name, m.past, want) }, g.Host.Now())
		if d.Part == app.PartCertificate && !slices.Contains(expected, hazard.CertificateLost) || len(expected) == 0 {
			return d
		}
		return hazard.Drop{} // it is put back first, and what is then still gone is seen then
	})
	r.MayStart = func() hazard.Verdict { return m.withGuesses(hazard.Starting(r.Before())) }
	return r
}

// withGuesses lets a person's yes to all guesses count for what is not known.
func (m *memory) withGuesses(v hazard.Verdict) hazard.Verdict {
	if m.guesses {
		v.Unknown = ""
	}
	return v
}

// answering tells whether nginx accepts connections, as far as anybody was asked.
func answering(answers []nginx.Answer) bool {
	asked, refused := 0, 0
	for _, a := range answers {
		if a.Via == nginx.ViaNginx {
			asked++
			if a.Error == nginx.NoConnection {
				refused++
			}
		}
	}
	return asked == 0 || refused < asked
}

// ports are those that were asked, in words: "80 and 443".
func ports(answers []nginx.Answer) string {
	var list []string
	for _, a := range answers {
		if _, port, err := net.SplitHostPort(a.Address); err == nil && a.Via == nginx.ViaNginx && !slices.Contains(list, port) {
			list = append(list, port)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " and ")
}

// context is what the hazards look at beside an app or the host.
func (g *Guard) context(files *app.Files, from, to string, known state.State) hazard.Context {
	return hazard.Context{
		Paths: g.Host.Paths(), Time: g.Host.Now(), From: from, To: to,
		NoBaseline: len(known.Upgrades) == 0, JustInstalled: g.justInstalled(), Files: files, Old: func() *app.Files { return nil }, Plugins: g.plugins, Shown: g.fingerprint,
		Seeded: func(path, digest string) bool {
			return slices.Contains(known.Seeds[path].SHA256, digest)
		},
	}
}

// subject is an app as the hazards look at it.
func (g *Guard) subject(files *app.Files, now app.Host, name, from, to string, known state.State) hazard.Subject {
	return hazard.Subject{Context: g.context(files, from, to, known), Now: now.Apps[name], NoDocker: now.DockerMissing != "", Has: now.Has}
}

// since is a context that begins at a baseline.
func (g *Guard) since(c hazard.Context, b baseline) hazard.Context {
	c.Baseline, c.From = b.id, b.state.Dokku
	c.Hops, c.NoHops = g.hops(c.From, c.To)
	c.Old = func() *app.Files {
		files := g.oldFiles(b.id)
		if files == nil || b.state.Name == b.as || b.as == host.GlobalScope {
			return files
		}
		return files.Renamed(b.state.Name, b.as) // it bore another name then
	}
	return c
}

// foresee is what an upgrade will do to the host, with what prevents it.
func (g *Guard) foresee(o *Observation, from, to string, known state.State) []hazard.Finding {
	h := hazard.HostSubject{Context: g.context(o.Files, from, to, known), Now: o.Now}
	h.Hops, h.NoHops = g.hops(from, to)
	h.Disputed = o.disputed[host.GlobalScope]
	found := hazard.ForeseeHost(h)
	for _, name := range o.Files.Apps {
		s := g.subject(o.Files, o.Now, name, from, to, known)
		s.Hops, s.NoHops = h.Hops, h.NoHops
		s.Disputed = o.disputed[name]
		found = append(found, hazard.Foresee(s)...)
	}
	if from != to {
		found = append(found, g.renamesForetold(o, to)...)
	}
	return found
}

// open tells whether anything of findings is left, for the guard or for a person.
func open(found []hazard.Finding) bool { return len(forYou(found))+len(repairs(found)) > 0 }

// forYou are the findings that are left to a person.
func forYou(found []hazard.Finding) []hazard.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f hazard.Finding) bool { return !f.ForYou() })
}

// repairs are the findings that the guard does something about.
func repairs(found []hazard.Finding) []hazard.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f hazard.Finding) bool { return f.Kind != hazard.Repair })
}

// count counts findings in words: "2 repairs, 1 finding for you".
func count(found []hazard.Finding, what string) string {
	var parts []string
	if n := len(repairs(found)); n > 0 {
		parts = append(parts, say.Plural(n, what))
	}
	if n := len(forYou(found)); n > 0 {
		parts = append(parts, say.Plural(n, "finding")+" for you")
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}
