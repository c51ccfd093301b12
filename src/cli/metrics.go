package cli

import (
	"slices"
	"strings"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// metric is a gauge with its samples, by Prometheus' text format.
type metric struct {
	name, help string
	samples    []sample
}

type sample struct {
	labels []string // a name and a value, and again
	value  int64
}

func (m *metric) add(value int64, labels ...string) {
	m.samples = append(m.samples, sample{labels, value})
}

// printMetrics prints a report, of all or of one app, for node_exporter's textfile
// collector (docs/monitoring.md). What nothing is known of is left out.
func printMetrics(out *say.Printer, r guard.Report, ofHost bool) {
	metrics := ofApps(r)
	if ofHost {
		metrics = append(hostMetrics(r), metrics...)
	}
	for _, m := range metrics {
		if len(m.samples) == 0 {
			continue
		}
		out.Value("# HELP upgrade_guard_%s %s", m.name, m.help)
		out.Value("# TYPE upgrade_guard_%s gauge", m.name)
		told := map[string]bool{} // an address in a name is left out, and a series may be there once
		for _, s := range m.samples {
			var labels []string
			for l := range slices.Chunk(s.labels, 2) {
				labels = append(labels, l[0]+`="`+labelValue(l[1])+`"`)
			}
			braces := ""
			if len(labels) > 0 {
				braces = "{" + strings.Join(labels, ",") + "}"
			}
			if told[braces] {
				continue
			}
			told[braces] = true
			out.Value("upgrade_guard_%s%s %d", m.name, braces, s.value)
		}
	}
}

// labelValue is a text as it stands between the quotes of a label.
func labelValue(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(say.Plain(say.Redact(text)))
}

// openKinds are the kinds of findings that are not done with.
var openKinds = []hazard.Kind{hazard.Repair, hazard.Guess, hazard.Manual, hazard.Refuse}

// openOf is how many findings there are, of a kind or of all that are open.
func openOf(found []hazard.Finding, kinds ...hazard.Kind) int {
	n := 0
	for _, f := range found {
		if slices.Contains(kinds, f.Kind) {
			n++
		}
	}
	return n
}

// jobsOf is how many jobs have one of these states.
func jobsOf(queue []guard.JobReport, states ...string) int {
	n := 0
	for _, j := range queue {
		if slices.Contains(states, j.State) {
			n++
		}
	}
	return n
}

func hostMetrics(r guard.Report) []*metric {
	one := func(name, help string, value int64, labels ...string) *metric {
		return &metric{name, help, []sample{{labels, value}}}
	}
	list := []*metric{
		one("info", "The versions of upgrade-guard and of the Dokku on the disk.", 1, "version", r.Guard, "dokku", r.Dokku),
		one("left_to_you", "1 where something is left to a person, or not known: where report --exit-code ends with 2.", truth(r.ForYou())),
		one("upgrade_unfinished", "1 where Dokku was upgraded and the work after it is not done.", truth(r.Unfinished)),
		one("dokku_unconfigured", "1 where Dokku is half installed.", truth(r.Unconfigured != "")),
		one("docker_unknown", "1 where docker could not be asked.", truth(r.Docker != "")),
		one("nginx_unknown", "1 where nginx could not be asked about its configuration.", truth(r.Nginx != "")),
		one("auto_apply", "1 where losses are prevented and repaired without being asked.", truth(r.AutoApply)),
		one("unfinished_renames", "Renames that were cut off.", int64(len(r.Renames))),
		one("snapshots", "Snapshots there are.", int64(r.Snapshots)),
	}
	if !r.NewestAt.IsZero() {
		list = append(list, one("newest_snapshot_timestamp_seconds", "When the newest snapshot was taken.", r.NewestAt.Unix()))
	}
	if r.Last != nil {
		list = append(list, one("last_upgrade_timestamp_seconds", "When the last upgrade of Dokku was looked after.", r.Last.Time.Unix()))
	}
	jobs := &metric{name: "queue_jobs", help: "Jobs of the queue by their state; queued and running are still to be done."}
	for _, s := range []string{state.JobQueued, state.JobRunning, state.JobFailed, state.JobDone} {
		jobs.add(int64(jobsOf(r.Queue, s)), "state", s)
	}
	found := &metric{name: "findings", help: "Open findings of what belongs to no app, by their kind."}
	for _, kind := range openKinds {
		found.add(int64(openOf(r.Findings, kind)), "kind", string(kind))
	}
	return append(list, jobs, found)
}

func ofApps(r guard.Report) []*metric {
	status := &metric{name: "app_status", help: "1 for the status that an app has, 0 for the others."}
	asked := &metric{name: "app_asked", help: "1 where requests were made to the app; at 0 nothing is said of whether it answers."}
	containers := &metric{name: "app_containers", help: "Containers of the app."}
	running := &metric{name: "app_containers_running", help: "Containers of the app that run."}
	expiry := &metric{name: "app_certificate_expiry_timestamp_seconds", help: "When the certificate that the app is served with ends."}
	found := &metric{name: "app_findings", help: "Open findings of an app, by their kind."}
	for _, a := range r.Apps {
		for _, s := range guard.Statuses {
			status.add(truth(a.Status == s), "app", a.App, "status", s)
		}
		asked.add(truth(a.Asked), "app", a.App)
		if r.Docker == "" {
			containers.add(int64(a.Containers), "app", a.App)
			running.add(int64(a.Running), "app", a.App)
		}
		if a.Certificate != nil {
			expiry.add(a.Certificate.NotAfter.Unix(), "app", a.App)
		}
		for _, kind := range openKinds {
			found.add(int64(openOf(a.Findings, kind)), "app", a.App, "kind", string(kind))
		}
	}
	return []*metric{status, asked, containers, running, expiry, found}
}

func truth(is bool) int64 { return map[bool]int64{true: 1}[is] }
