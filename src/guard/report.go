package guard

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// ahead reads what the newest snapshot says of itself while the host is looked at, which
// takes about as long. What cannot be read is left to whoever needs it.
func (g *Guard) ahead() (found func(opened)) {
	var newest snapshot.Entry
	var m snapshot.Manifest
	ended := make(chan error, 1)
	go func() {
		err := errors.New("it was not read")
		defer func() {
			_ = recover() // it comes again where the error is told
			ended <- err
		}()
		disk, version, _ := g.versions()
		list, _ := g.of(cmp.Or(version, disk))
		if len(list) > 0 {
			newest = list[0]
			m, err = g.Store.Manifest(newest.ID)
		}
	}()
	return func(read opened) {
		if <-ended == nil {
			read[newest.ID] = &m
		}
	}
}

// Report is what the guard knows of the host.
type Report struct {
	Version int    `json:"version"` // of this shape
	Guard   string `json:"upgrade_guard"`
	Dokku   string `json:"dokku"`
	// NewestKnown is the newest Dokku that this release knows, where it does not know
	// this one.
	NewestKnown string `json:"newest_known,omitempty"`
	LastSeen    string `json:"last_seen"`
	// Unfinished tells that the version has changed and the post-upgrade work
	// has not been done.
	Unfinished bool `json:"unfinished"`
	// Unconfigured is what dpkg says of an installation of Dokku that has not
	// come to its end.
	Unconfigured string `json:"unconfigured,omitempty"`
	// AutoApply tells that what can be prevented and repaired is, without being asked.
	AutoApply bool           `json:"auto_apply"`
	Last      *state.Upgrade `json:"last_upgrade,omitempty"`
	Snapshots int            `json:"snapshots"`
	Newest    string         `json:"newest_snapshot,omitempty"`
	NewestAt  time.Time      `json:"newest_snapshot_at,omitzero"`
	Apps      []AppReport    `json:"apps"`
	// Settings are the guard's own properties, as they stand for the host.
	Settings map[string]Setting `json:"settings"`
	// NoProbe tells that no app was asked by requests, because that was asked for.
	NoProbe bool `json:"no_probe,omitempty"`
	// Counts are how many apps have each status.
	Counts map[string]int `json:"counts"`
	// Gone are apps that were recorded before the last upgrade and do not
	// exist any more. They are not brought back.
	Gone []string `json:"gone,omitempty"`
	// Renamed are the new names of apps by their old ones, Renames the renames that
	// were cut off, and Renaming those that are under way, a sentence each.
	Renamed  map[string]string `json:"renamed,omitempty"`
	Renames  []string          `json:"unfinished_renames,omitempty"`
	Renaming []string          `json:"renaming,omitempty"`
	// Queue is the long work, done or to be done; QueueBusy tells that a process
	// is at it.
	Queue     []JobReport `json:"queue,omitempty"`
	QueueBusy bool        `json:"queue_busy,omitempty"`
	// Letsencrypt is how renewals stand; nil where no app has any.
	Letsencrypt *Renewals `json:"letsencrypt,omitempty"`
	// Rollback is the version that the last upgrade came from, where it can be undone and
	// there is reason to: an app is down, or something is lost.
	Rollback string `json:"rollback,omitempty"`
	// Health is what ps:report --all and nginx -t would tell, in a line.
	Health string `json:"health"`
	Docker string `json:"docker_missing,omitempty"`
	// DockerCommand is what a person types then.
	DockerCommand string `json:"-"`
	// Nginx says why nginx could not be asked about its configuration.
	Nginx string `json:"nginx_unknown,omitempty"`
	// NoBaseline says of which apps nothing from before the last upgrade can be read,
	// Advice what to do then.
	NoBaseline string `json:"no_baseline,omitempty"`
	Advice     string `json:"no_baseline_advice,omitempty"`
	// Findings, Repaired and Drift are of what belongs to no app.
	Findings []hazard.Finding `json:"findings,omitempty"`
	Repaired []string         `json:"repaired,omitempty"`
	Drift    []string         `json:"drift,omitempty"`
	// Prevented are what the last upgrade would have lost of it, and did not, because of
	// what was done before.
	Prevented []string `json:"prevented,omitempty"`
}

// JobReport is a job with what it is in words.
type JobReport struct {
	state.Job
	Text string `json:"text"`
}

// AppReport is what the guard knows of one app.
type AppReport struct {
	// Version and Guard are those of Report, in the report of one app alone.
	Version int    `json:"version,omitempty"`
	Guard   string `json:"upgrade_guard,omitempty"`
	App     string `json:"app"`
	Status  string `json:"status"`
	// Asked tells that it was asked by requests whether it answers.
	Asked bool `json:"asked"`
	// Scale is what Dokku goes by now, BaselineScale what the newest snapshot of it that
	// it is held to says, taken at BaselineAt and called Baseline.
	Scale         string           `json:"scale"`
	BaselineScale string           `json:"baseline_scale"`
	BaselineAt    time.Time        `json:"baseline_at,omitzero"`
	Baseline      string           `json:"baseline"`
	Domains       []string         `json:"domains"`
	Ports         []string         `json:"ports"`
	Certificate   *app.Certificate `json:"certificate,omitempty"`
	Letsencrypt   app.Letsencrypt  `json:"letsencrypt"`
	Containers    int              `json:"containers"`
	Running       int              `json:"running"`
	ServedBy      string           `json:"served_by"`
	// Prevented is what was done before the last upgrade, so that it does not lose it;
	// Repaired what was put back after it.
	Prevented []string `json:"prevented,omitempty"`
	Repaired  []string `json:"repaired,omitempty"`
	// Drift is what differed from the baseline right after the last upgrade, is
	// explained by no known hazard, and was not touched.
	Drift    []string         `json:"drift,omitempty"`
	Findings []hazard.Finding `json:"findings,omitempty"`
	Problems []string         `json:"problems,omitempty"`
	// Unknown says why its status is unknown or no-baseline; ToDo are the commands that
	// there are to type for it, whatever its status.
	Unknown []string `json:"unknown,omitempty"`
	ToDo    []string `json:"to_do,omitempty"`
	// Settings are the guard's own properties, as they stand for the app.
	Settings map[string]Setting `json:"settings"`

	at time.Time // when the host was observed
	// NotAsked tells that it has what it could be asked for, and was not, or not for all;
	// Elsewhere that it is not served by nginx. Whether it answers is not known.
	NotAsked  bool `json:"-"`
	Elsewhere bool `json:"-"`
}

// Report observes the host and says how it stands. It changes nothing, and needs
// no lock: every file it reads is replaced in one step.
func (g *Guard) Report(ctx context.Context, only string) (Report, error) {
	var scope []string
	ahead := func(opened) {}
	if only != "" {
		scope = []string{only}
	} else {
		ahead = g.ahead()
	}
	o, err := g.observeAndAsk(ctx, scope...)
	if err != nil {
		return Report{}, err
	}
	if only != "" {
		if err := g.verifyApp(o.Files, only); err != nil {
			return Report{}, err
		}
		if half := g.otherHalves()[only]; half != "" {
			return Report{}, say.Hint(errors.New(half), "See dokku upgrade-guard:report")
		}
	}
	m, err := g.remember(o)
	if err != nil {
		return Report{}, err
	}
	ahead(m.past.opened)
	list, err := g.Store.List()
	if err != nil {
		return Report{}, err
	}
	r := Report{
		Version: JSONVersion, Guard: g.Version, Dokku: o.Now.Dokku, LastSeen: g.State.LastSeen(), Unfinished: m.upgraded, AutoApply: g.autoApply(),
		Snapshots: len(list), Docker: o.Now.DockerMissing, DockerCommand: o.dockerCommand, Nginx: o.nginxUnknown, Health: o.health(), Counts: map[string]int{}, Apps: []AppReport{},
		Settings: g.Settings(host.GlobalScope), NoProbe: g.NoProbe,
	}
	if !app.Known(r.Dokku) {
		r.NewestKnown = app.NewestKnown
	}
	if len(list) > 0 && !list[0].Future {
		r.Newest, r.NewestAt = list[0].ID, list[0].Time
	}
	recorded, _ := g.baselines(m.lastSeen, o.Files.Apps, m.state, m.past.opened)
	found := map[string][]hazard.Finding{}
	for _, f := range g.assess(o, m) {
		found[f.App] = append(found[f.App], f)
	}
	runs := m.state.Runs
	if n := len(m.state.Upgrades); n > 0 {
		r.Last = &m.state.Upgrades[n-1]
		runs = append(slices.Clone(r.Last.Runs), m.state.Runs...)
	}
	journal := g.journaled(runs, m.state.Renamed)
	prevented := g.prevented(r.Last, m.state)
	noBaseline, whyNone := g.withoutBaseline(m, o.Files.Apps)
	if len(noBaseline) > 0 {
		r.NoBaseline, r.Advice = whyNone.What, whyNone.Advice
	}
	halves := g.otherHalves()
	repaired := journal[plan.Done]
	statuses := make([]string, len(o.Files.Apps))
	app.Together(len(statuses), func(i int) {
		name := o.Files.Apps[i]
		statuses[i] = o.status(name, found[name], slices.Contains(noBaseline, name), len(repaired[name]) > 0)
	})
	for i, name := range o.Files.Apps {
		if halves[name] != "" && only == "" {
			continue // the other one is told, and so is the rename
		}
		a := appReport(o.Now.Apps[name], recorded[name], found[name], repaired[name])
		a.at = g.Host.Now()
		a.Prevented, a.Drift, a.Letsencrypt = prevented[name], journal[plan.Drift][name], g.settings(a.Letsencrypt)
		if slices.Contains(o.unasked, name) {
			a.Problems = append(a.Problems, notAllAsked)
		}
		a.Asked = slices.ContainsFunc(o.answered[name], func(n nginx.Answer) bool { return n.Error != nginx.NotAsked })
		s := o.Now.Apps[name]
		a.NotAsked = slices.Contains(o.unasked, name) || !g.probes(name) && !s.Stopped && len(s.Web()) > 0
		a.Settings = g.Settings(name)
		a.Status = statuses[i]
		a.ToDo = Commands(a.Findings)
		var why []Unknown
		switch a.Status {
		case StatusUnknown:
			why = o.unknown()
		case StatusNoBaseline:
			why = []Unknown{whyNone}
		}
		for _, u := range why {
			a.Unknown, a.ToDo = append(a.Unknown, u.What), append(a.ToDo, u.Command)
		}
		r.Counts[a.Status]++
		if only != "" {
			a.Version, a.Guard = r.Version, r.Guard
		}
		r.Apps = append(r.Apps, a)
	}
	if only == "" {
		r.Prevented = prevented[host.GlobalScope]
		g.ofHost(ctx, &r, o, m, found[host.GlobalScope], journal)
	}
	return r, nil
}

// ofHost is what a report says of the host itself.
func (g *Guard) ofHost(ctx context.Context, r *Report, o *Observation, m *memory, found []hazard.Finding, journal map[string]map[string][]string) {
	if len(m.state.Queue) > 0 {
		r.QueueBusy = state.QueueBusy(g.Host)
		for _, j := range m.state.Queue {
			r.Queue = append(r.Queue, JobReport{j, JobText(j)})
		}
	}
	if r.Last != nil {
		r.Gone = slices.DeleteFunc(g.gone(r.Last.Baseline, o.Files.Apps), func(name string) bool { return m.state.Renamed[name] != "" })
	}
	if r.Counts[StatusDown]+r.Counts[StatusLost] > 0 && !m.upgraded {
		r.Rollback, _ = g.cameFrom(m.state, o.Now.Dokku)
	}
	r.Renames, r.Renaming = g.unfinishedRenames()
	r.Renamed = maps.Clone(m.state.Renamed)
	maps.DeleteFunc(r.Renamed, func(old, _ string) bool { return slices.Contains(o.Files.Apps, old) })
	r.Letsencrypt = renewals(o.Now, g.Host.Now())
	r.Findings, r.Repaired, r.Drift = found, journal[plan.Done][host.GlobalScope], journal[plan.Drift][host.GlobalScope]
	if err := g.configured(ctx); err != nil {
		r.Unconfigured = err.Error()
	}
}

// ForYou tells whether anything is left to a person, or not known.
func (r Report) ForYou() bool {
	return r.Unfinished || r.Unconfigured != "" || r.Docker != "" || r.Nginx != "" || len(r.Renames) > 0 || open(r.Findings) ||
		slices.ContainsFunc(r.Apps, func(a AppReport) bool {
			return open(a.Findings) || a.Status != StatusOK && a.Status != StatusRepaired
		}) ||
		slices.ContainsFunc(r.Queue, func(j JobReport) bool { return j.State == state.JobFailed })
}

func appReport(s app.State, b baseline, found []hazard.Finding, repaired []string) AppReport {
	a := AppReport{
		App:   s.Name,
		Scale: s.EffectiveScale().String(), BaselineAt: b.time, Baseline: b.id,
		Domains: s.Domains.Effective(), Ports: s.Ports.Map, Certificate: s.Certificate, Letsencrypt: s.Letsencrypt,
		Containers: len(s.Containers), Running: s.Running(), Repaired: repaired, Findings: found,
		Problems: slices.Concat(s.Unreadable, s.LeftOut, s.Problems),
	}
	if byNginx, by := s.Proxy.ByNginx(); byNginx {
		a.ServedBy = by
	} else {
		a.ServedBy, a.Elsewhere = by+", which is not looked at", s.Proxy.Elsewhere() || len(s.Web()) > 0
	}
	if b.id != "" {
		a.BaselineScale = b.state.EffectiveScale().String()
	}
	if len(a.Ports) == 0 {
		a.Ports = s.Ports.Detected
	}
	a.Domains, a.Ports = orEmpty(a.Domains), orEmpty(a.Ports)
	return a
}

// gone are the apps of a snapshot that do not exist any more.
func (g *Guard) gone(baseline string, apps []string) []string {
	m, err := g.Store.Manifest(baseline)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			g.Out.Error(err)
		}
		return nil
	}
	var gone []string
	for _, name := range m.Apps {
		if !slices.Contains(apps, name) {
			gone = append(gone, name)
		}
	}
	return gone
}
