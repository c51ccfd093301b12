package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/snapshot"
)

// What an app's status can be in a report.
const (
	StatusOK         = "ok"
	StatusRepaired   = "repaired"   // something was lost, and put back
	StatusLost       = "lost"       // something is lost that the guard can put back
	StatusWaiting    = "waiting"    // something waits for a person
	StatusUnreadable = "unreadable" // its state cannot be read
)

// Report is what the guard knows of the host.
type Report struct {
	Version int    `json:"version"` // of this shape
	Dokku   string `json:"dokku"`
	Stamp   string `json:"stamp"`
	// Unfinished tells that the version has changed and the post-upgrade work
	// has not been done.
	Unfinished bool `json:"unfinished"`
	// Unconfigured is what dpkg says of an installation of Dokku that has not
	// come to its end.
	Unconfigured string         `json:"unconfigured,omitempty"`
	Last         *snapshot.Jump `json:"last_upgrade,omitempty"`
	Snapshots    int            `json:"snapshots"`
	Newest       string         `json:"newest_snapshot,omitempty"`
	Apps         []AppReport    `json:"apps"`
	// Gone are apps that were recorded before the last upgrade and do not
	// exist any more. They are not brought back.
	Gone []string `json:"gone,omitempty"`
	// Renamed are the new names of apps by their old ones, Renames the renames that
	// were cut off, a sentence each.
	Renamed map[string]string `json:"renamed,omitempty"`
	Renames []string          `json:"unfinished_renames,omitempty"`
	// Queue is the long work, done or to be done; QueueBusy tells that a process
	// is at it.
	Queue     []JobReport `json:"queue,omitempty"`
	QueueBusy bool        `json:"queue_busy,omitempty"`
	// Letsencrypt is how renewals stand; nil where no app has any.
	Letsencrypt *Renewals `json:"letsencrypt,omitempty"`
	Docker      string    `json:"docker_missing,omitempty"`
	// Nginx says why nginx could not be asked about its configuration.
	Nginx string `json:"nginx_unknown,omitempty"`
	// Findings, Repaired and Drift are of what belongs to no app.
	Findings []hazard.Finding `json:"findings,omitempty"`
	Repaired []string         `json:"repaired,omitempty"`
	Drift    []string         `json:"drift,omitempty"`
}

// JobReport is a job with what it is in words.
type JobReport struct {
	snapshot.Job
	Text string `json:"text"`
}

// AppReport is what the guard knows of one app.
type AppReport struct {
	App    string `json:"app"`
	Status string `json:"status"`
	// Scale is what Dokku goes by now, RecordedScale what the newest record
	// says, taken at RecordedAt and kept in Record.
	Scale         string           `json:"scale"`
	RecordedScale string           `json:"recorded_scale"`
	RecordedAt    time.Time        `json:"recorded_at,omitzero"`
	Record        string           `json:"record"`
	Domains       []string         `json:"domains"`
	Ports         []string         `json:"ports"`
	Certificate   *app.Certificate `json:"certificate,omitempty"`
	Letsencrypt   app.Letsencrypt  `json:"letsencrypt"`
	Containers    int              `json:"containers"`
	Running       int              `json:"running"`
	ServedBy      string           `json:"served_by"`
	Repaired      []string         `json:"repaired,omitempty"`
	// Drift is what differed from the record right after the last upgrade, is
	// explained by no known hazard, and was not touched.
	Drift    []string         `json:"drift,omitempty"`
	Findings []hazard.Finding `json:"findings,omitempty"`
	Problems []string         `json:"problems,omitempty"`
}

// Report reads the host and says how it stands. It changes nothing, and needs
// no lock: every file it reads is replaced in one step.
func (g *Guard) Report(ctx context.Context, only string) (Report, error) {
	what := app.What{}
	if only != "" {
		what.Apps = []string{only}
	}
	files, err := app.Capture(ctx, g.Host, what)
	if err != nil {
		return Report{}, err
	}
	if only != "" {
		if err := g.verifyApp(files, only); err != nil {
			return Report{}, err
		}
	}
	ledger, err := g.ledger()
	if err != nil {
		return Report{}, err
	}
	list, err := g.Store.List()
	if err != nil {
		return Report{}, err
	}
	_, stamp, err := g.versions()
	if err != nil {
		return Report{}, err
	}
	now := app.Read(files)
	r := Report{
		Version: 1, Dokku: now.Dokku, Stamp: stamp, Unfinished: stamp != "" && stamp != now.Dokku,
		Snapshots: len(list), Docker: now.DockerMissing,
	}
	if only == "" && len(ledger.Queue) > 0 {
		r.QueueBusy = snapshot.QueueBusy(g.Host)
		for _, j := range ledger.Queue {
			r.Queue = append(r.Queue, JobReport{j, JobText(j)})
		}
	}
	if len(list) > 0 && !list[0].Future {
		r.Newest = list[0].ID
	}
	if stamp == "" {
		stamp = now.Dokku
	}
	owed, _ := g.owedRecords(files, now, stamp, ledger)
	recorded, _ := g.records(stamp, files.Apps, ledger)
	found := map[string][]hazard.Finding{}
	detected := g.detect(files, now, owed, ledger)
	for _, f := range detected {
		found[f.App] = append(found[f.App], f)
	}
	routes := g.routes(ctx, files, ledger.Unbuilt)
	routes.expect(detected)
	r.Nginx = routes.unknown
	for _, f := range routes.findings() {
		found[f.App] = append(found[f.App], f)
	}
	runs := ledger.Runs
	if n := len(ledger.Jumps); n > 0 {
		r.Last = &ledger.Jumps[n-1]
		runs = append(slices.Clone(r.Last.Runs), ledger.Runs...)
		for _, f := range g.worse(r.Last.Baseline, routes.answers) {
			found[f.App] = append(found[f.App], f)
		}
		for _, f := range g.keptNames(files, now) {
			found[f.App] = append(found[f.App], f)
		}
		if only == "" {
			r.Gone = slices.DeleteFunc(g.gone(r.Last.Baseline, files.Apps), func(name string) bool { return ledger.Renamed[name] != "" })
		}
	}
	journal := g.journaled(runs, ledger.Renamed)
	if only == "" {
		r.Renames, r.Renamed = g.unfinishedRenames(), maps.Clone(ledger.Renamed)
		maps.DeleteFunc(r.Renamed, func(old, _ string) bool { return slices.Contains(files.Apps, old) })
	}
	for _, name := range files.Apps {
		a := appReport(now.Apps[name], recorded[name], found[name], journal[plan.Done][name])
		a.Drift, a.Letsencrypt = journal[plan.Drift][name], g.settings(a.Letsencrypt)
		if slices.Contains(routes.unasked, name) {
			a.Problems = append(a.Problems, notAllAsked)
		}
		r.Apps = append(r.Apps, a)
	}
	if only == "" {
		r.Letsencrypt = renewals(now)
		r.Findings, r.Repaired, r.Drift = found[host.GlobalScope], journal[plan.Done][host.GlobalScope], journal[plan.Drift][host.GlobalScope]
		if err := g.configured(ctx); err != nil {
			r.Unconfigured = err.Error()
		}
	}
	return r, nil
}

func appReport(s app.State, rec record, found []hazard.Finding, repaired []string) AppReport {
	a := AppReport{
		App: s.Name, Status: StatusOK,
		Scale: s.EffectiveScale().String(), RecordedAt: rec.time, Record: rec.id,
		Domains: s.Domains.Effective(), Ports: s.Ports.Map, Certificate: s.Certificate, Letsencrypt: s.Letsencrypt,
		Containers: len(s.Containers), Running: s.Running(), Repaired: repaired, Findings: found,
		Problems: slices.Concat(s.Unreadable, s.LeftOut, s.Problems),
	}
	if byNginx, by := s.Proxy.ByNginx(); byNginx {
		a.ServedBy = by
	} else {
		a.ServedBy = by + ", which is not looked at"
	}
	if rec.id != "" {
		a.RecordedScale = rec.state.EffectiveScale().String()
	}
	if len(a.Ports) == 0 {
		a.Ports = s.Ports.Detected
	}
	if len(repaired) > 0 {
		a.Status = StatusRepaired
	}
	for _, f := range found {
		switch {
		case f.Step != nil && !f.Step.Guess:
			a.Status = StatusLost
		case !f.Note && a.Status != StatusLost:
			a.Status = StatusWaiting
		}
	}
	if s.Scale.Unreadable {
		a.Status = StatusUnreadable
	}
	return a
}

// journaled are the texts of some runs' journals, by event and app, which is called
// what it is called now.
func (g *Guard) journaled(runs []string, renamed map[string]string) map[string]map[string][]string {
	texts := map[string]map[string][]string{plan.Done: {}, plan.Drift: {}}
	for _, run := range runs {
		lines, err := plan.ReadJournal(g.Host, run)
		if err != nil {
			g.Out.Error(err)
		}
		for _, l := range lines {
			if to := renamed[l.App]; to != "" {
				l.App = to
			}
			l.Text = g.journalText(l.Text)
			if of := texts[l.Event]; of != nil && !strings.HasPrefix(l.Text, textAside) && !slices.Contains(of[l.App], l.Text) {
				of[l.App] = append(of[l.App], l.Text)
			}
		}
	}
	return texts
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

// Flag is one line of an app's report, as ports:report has them.
type Flag struct{ Name, Value string }

// FlagNames are the names of all lines of an app's report; each is also a flag,
// --upgrade-guard-<name>, that prints its value alone.
func FlagNames() []string {
	var names []string
	for _, f := range (AppReport{}).Flags() {
		names = append(names, f.Name)
	}
	return names
}

// Flags are the lines of an app's report.
func (a AppReport) Flags() []Flag {
	recorded := ""
	if !a.RecordedAt.IsZero() {
		recorded = a.RecordedAt.Format(time.RFC3339)
	}
	var lost, waiting, commands []string
	for _, f := range a.Findings {
		switch {
		case f.Step != nil && f.Step.Guess:
			waiting = append(waiting, f.What+"; "+f.Step.Text)
			commands = append(commands, "dokku upgrade-guard:apply --guesses")
		case f.Step != nil:
			lost = append(lost, f.What)
			commands = append(commands, "dokku upgrade-guard:apply")
		case !f.Note:
			waiting = append(waiting, f.What)
		}
		if f.Command != "" {
			commands = append(commands, f.Command)
		}
	}
	return []Flag{
		{"status", a.Status},
		{"scale", a.Scale},
		{"recorded-scale", a.RecordedScale},
		{"recorded-at", recorded},
		{"record", a.Record},
		{"domains", strings.Join(a.Domains, " ")},
		{"ports", strings.Join(a.Ports, " ")},
		{"certificate", certificateLine(a.Certificate)},
		{"letsencrypt", letsencryptLine(a.Letsencrypt)},
		{"containers", fmt.Sprintf("%d of %d running", a.Running, a.Containers)},
		{"served-by", a.ServedBy},
		{"repaired", strings.Join(a.Repaired, "; ")},
		{"lost", strings.Join(lost, "; ")},
		{"waiting", strings.Join(waiting, "; ")},
		{"drift", strings.Join(a.Drift, "; ")},
		{"to-do", strings.Join(slices.Compact(commands), "; ")},
		{"problems", strings.Join(a.Problems, "; ")},
	}
}
