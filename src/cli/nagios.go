package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// nagiosState is what a plugin of Nagios, or of what speaks its language, comes to: a word
// and an exit code. It ends the command with it; what there is to say is said.
type nagiosState int

const (
	nagiosOK nagiosState = iota
	nagiosWarning
	nagiosCritical
	nagiosUnknown
)

func (s nagiosState) Error() string { return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s] }

// stateOf is what a report comes to. What is not known may be worse than what is left to
// a person.
func stateOf(r guard.Report) nagiosState {
	switch {
	case r.Counts[guard.StatusDown] > 0:
		return nagiosCritical
	case r.Docker != "" || r.Nginx != "" || r.Counts[guard.StatusUnknown] > 0:
		return nagiosUnknown
	case r.ForYou():
		return nagiosWarning
	}
	return nagiosOK
}

// asNagios tells whether a command line asks for the line of a Nagios plugin: there what
// goes wrong is UNKNOWN, and not 1, which means WARNING.
func asNagios(args []string) bool {
	i := slices.Index(args, "--format")
	return i >= 0 && i+1 < len(args) && args[i+1] == "nagios" || slices.Contains(args, "--format=nagios")
}

// printNagios prints a report in a line, with what is counted behind it.
func printNagios(out *say.Printer, r guard.Report, now time.Time) error {
	s := stateOf(r)
	nagiosLine(out, s, strings.Join(nagiosText(r), "; "), perfdata(r, now))
	return s
}

func nagiosText(r guard.Report) []string {
	var text []string
	add := func(is bool, format string, args ...any) {
		if is {
			text = append(text, fmt.Sprintf(format, args...))
		}
	}
	for _, s := range guard.Statuses {
		if s != guard.StatusOK && s != guard.StatusRepaired {
			names := some(r.Apps, func(a guard.AppReport) bool { return a.Status == s })
			add(names != "", "%s: %s", s, names)
		}
	}
	add(r.Unconfigured != "", "Dokku is half installed")
	add(r.Unfinished, "the work after the upgrade from %s is not done", r.LastSeen)
	add(r.Docker != "", "%s", r.Docker)
	add(r.Nginx != "", "%s", r.Nginx)
	open, failed, renames := openOf(r.Findings, openKinds...), jobsOf(r.Queue, state.JobFailed), len(r.Renames)
	add(open > 0, "%s of the host", say.Plural(open, "finding"))
	add(failed > 0, "%s", say.Plural(failed, "failed job"))
	add(renames > 0, "%s", say.Plural(renames, "unfinished rename"))
	add(true, "%d of %s ok", r.Counts[guard.StatusOK]+r.Counts[guard.StatusRepaired], say.Plural(len(r.Apps), "app"))
	unasked := some(r.Apps, func(a guard.AppReport) bool { return a.NotAsked || a.Elsewhere })
	add(unasked != "", "not asked whether it answers: %s", unasked)
	return text
}

// some are the names of the apps that are meant, as far as a line has place for them.
func some(apps []guard.AppReport, meant func(guard.AppReport) bool) string {
	const shown = 5
	var names []string
	for _, a := range apps {
		if meant(a) {
			names = append(names, a.App)
		}
	}
	if more := len(names) - shown; more > 0 {
		return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

func perfdata(r guard.Report, now time.Time) string {
	list := []string{fmt.Sprintf("apps=%d", len(r.Apps))}
	for _, s := range guard.Statuses {
		list = append(list, fmt.Sprintf("%s=%d", s, r.Counts[s]))
	}
	open := openOf(r.Findings, openKinds...)
	for _, a := range r.Apps {
		open += openOf(a.Findings, openKinds...)
	}
	list = append(list, fmt.Sprintf("findings=%d", open), fmt.Sprintf("queue=%d", jobsOf(r.Queue, state.JobQueued, state.JobRunning)))
	if !r.NewestAt.IsZero() {
		list = append(list, fmt.Sprintf("snapshot_age=%ds", max(0, int64(now.Sub(r.NewestAt).Seconds()))))
	}
	return strings.Join(list, " ")
}

// maxNagios is as much text as old carriers of the line let through, with its numbers.
const maxNagios = 700

// nagiosLine prints the line. What stands behind a bar are numbers, so there is no other.
func nagiosLine(out *say.Printer, s nagiosState, text, perfdata string) {
	text = strings.ReplaceAll(say.Plain(say.Redact(text)), "|", "/")
	if len(text) > maxNagios {
		text = strings.ToValidUTF8(text[:maxNagios], "") + "..."
	}
	if perfdata != "" {
		perfdata = " | " + perfdata
	}
	out.Value("UPGRADE-GUARD %s - %s%s", s.Error(), text, perfdata)
}

// nagiosError is what went wrong, as the line of a plugin.
func nagiosError(out *say.Printer, err error) int {
	nagiosLine(out, nagiosUnknown, say.Line(err), "")
	return int(nagiosUnknown)
}
