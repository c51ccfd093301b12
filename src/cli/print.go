package cli

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
)

// PrintApp prints the block of one app, as dokku report has them.
func PrintApp(out *say.Printer, a guard.AppReport) {
	out.Title("%s upgrade-guard information", a.App)
	for _, f := range a.Flags() {
		label := strings.ToUpper("u") + strings.ReplaceAll("pgrade-guard-"+f.Name, "-", " ") + ":"
		out.Result("       %-31s %s", label, f.Value)
	}
}

// printReport prints a line for each app, and below them what a line cannot say.
func printReport(out *say.Printer, r guard.Report) {
	found := slices.Clone(r.Findings)
	for _, a := range r.Apps {
		found = append(found, a.Findings...)
	}
	owed := slices.ContainsFunc(found, func(f hazard.Finding) bool { return f.Step != nil && !f.Step.Guess })
	switch {
	case r.Unconfigured != "":
		out.Title("Dokku %s is not wholly installed: %s", r.Dokku, r.Unconfigured)
		out.Result("       To do: dpkg --configure -a")
	case r.Unfinished:
		out.Title("Dokku was upgraded from %s to %s, and the apps have not been looked after yet", r.Stamp, r.Dokku)
		owed = true
	case r.Last != nil:
		out.Title("Dokku %s, upgraded from %s on %s", r.Dokku, r.Last.From, r.Last.Time.Format("2006-01-02 15:04 UTC"))
	default:
		out.Title("Dokku %s, no upgrade seen yet", r.Dokku)
	}
	if owed && r.Unconfigured == "" {
		out.Result("       To do: dokku upgrade-guard:apply")
	}
	out.Result("       Snapshots: %d, the newest %s", r.Snapshots, r.Newest)
	if r.Docker != "" {
		out.Result("       Nothing is known of containers: %s", r.Docker)
	}
	if r.Nginx != "" {
		out.Result("       Nothing is known of nginx: %s", r.Nginx)
	}
	if r.Letsencrypt != nil {
		out.Result("       %s", r.Letsencrypt)
	}
	rows := [][]string{{"APP", "STATUS", "SCALE", "RUNNING", "DOMAINS"}}
	for _, a := range r.Apps {
		scale := a.Scale
		if scale == "" {
			scale = "none"
		}
		rows = append(rows, []string{a.App, a.Status, scale, strconv.Itoa(a.Running), strings.Join(a.Domains, " ")})
	}
	out.Table("       ", rows)
	printQueue(out, r)
	for _, old := range slices.Sorted(maps.Keys(r.Renamed)) {
		out.Result("       %s is called %s now. Whoever pushes to it: git remote set-url dokku dokku@<this host>:%s", old, r.Renamed[old], say.Word(r.Renamed[old]))
	}
	for _, text := range r.Renames {
		out.Result("-----> %s", text)
	}
	for _, name := range r.Gone {
		out.Result("       %s does not exist any more", name)
	}
	printRepaired(out, host.GlobalScope, r.Repaired)
	for _, a := range r.Apps {
		printRepaired(out, a.App, a.Repaired)
		for _, p := range a.Problems {
			out.Result("-----> %s: %s", a.App, p)
		}
	}
	printFindings(out, false, slices.DeleteFunc(found, func(f hazard.Finding) bool { return f.Hazard == hazard.Drift }))
	printDrift(out, host.GlobalScope, r.Drift)
	for _, a := range r.Apps {
		printDrift(out, a.App, a.Drift)
	}
}

// printQueue says how the long work stands: what is open or has failed, and the
// last that is done.
func printQueue(out *say.Printer, r guard.Report) {
	owed, done := false, -1
	for i, j := range r.Queue {
		switch {
		case j.State == snapshot.JobDone:
			done = i
		case j.State == snapshot.JobFailed:
			out.Result("-----> Failed at %s: %s", j.Time.Format(jobTime), j.Text)
			out.Result("       %s", j.Error)
			owed = true
		case j.State == snapshot.JobRunning && r.QueueBusy:
			out.Result("-----> Running since %s: %s", j.Time.Format(jobTime), j.Text)
		case j.State == snapshot.JobRunning:
			out.Result("-----> Interrupted, begun at %s: %s", j.Time.Format(jobTime), j.Text)
			owed = true
		default:
			out.Result("-----> Queued since %s: %s", j.Time.Format(jobTime), j.Text)
			owed = owed || !r.QueueBusy
		}
	}
	if done >= 0 {
		out.Result("-----> Done at %s: %s", r.Queue[done].Time.Format(jobTime), r.Queue[done].Text)
	}
	if owed {
		out.Result("       To do: dokku upgrade-guard:apply")
	}
}

const jobTime = "2006-01-02 15:04:05 UTC"

func printRepaired(out *say.Printer, scope string, texts []string) {
	if len(texts) > 0 {
		out.Result("-----> %s: put back and verified: %s", host.Place(scope), strings.Join(texts, "; "))
	}
}

// printDrift says what differed after the upgrade. More than three of one app are
// in its own report.
func printDrift(out *say.Printer, scope string, texts []string) {
	const shown = 3
	for i, t := range texts {
		if i == shown {
			out.Result("       and %d more: dokku upgrade-guard:report %s --upgrade-guard-drift", len(texts)-shown, say.Word(scope))
			return
		}
		out.Result("-----> %s: not touched: %s", host.Place(scope), t)
	}
}

// PrintCheck prints a check for a person.
func PrintCheck(out *say.Printer, c guard.Check) {
	out.Title("Dokku %s now: %s", c.From, countOf(c.Present, "finding"))
	printFindings(out, true, c.Present)
	if c.To != c.From {
		out.Title("Upgrade to %s: %s", c.To, countOf(c.Upgrade, "loss"))
		printFindings(out, true, c.Upgrade)
	}
	for _, u := range c.Unknown {
		out.Trouble("%s", u)
	}
}

func countOf(found []hazard.Finding, what string) string {
	n := 0
	for _, f := range found {
		if !f.Note {
			n++
		}
	}
	if n == 0 {
		return "nothing found"
	}
	return guard.Plural(n, what)
}

// printFindings prints findings by hazard, so that what comes of it, what to do
// about it and where to read about it stand there once and not for every app: all of
// a broken host fits a screen. With plans it is said of each what the guard will do
// about it.
func printFindings(out *say.Printer, plans bool, found []hazard.Finding) {
	for _, group := range grouped(found) {
		var last hazard.Finding
		for _, f := range group {
			out.Result("-----> %s: %s", host.Place(f.App), f.What)
			switch {
			case f.Step != nil && f.Step.Guess:
				out.Result("       %s A guess: %s. If it is right: dokku upgrade-guard:apply --guesses", plan.Person, f.Step.Text)
			case f.Step != nil && plans:
				out.Result("       %s upgrade-guard: %s", f.Step.Mark, f.Step.Text)
			}
			if f.Afterwards != "" {
				out.Result("       %s upgrade-guard, after the upgrade: %s", plan.Add, f.Afterwards)
			}
			if f.Command != "" {
				out.Result("       %s To do: %s", plan.Person, f.Command)
			}
			last = f
		}
		if text := strings.TrimSpace(last.Consequence + " " + last.Guide); text != "" {
			out.Result("       %s", text)
		}
	}
}

// grouped are the findings of each hazard together, in the order of the hazards;
// of nginx, those that come to the same.
func grouped(found []hazard.Finding) [][]hazard.Finding {
	var groups [][]hazard.Finding
	group := func(belongs func(hazard.Finding) bool) {
		var g []hazard.Finding
		for _, f := range found {
			if belongs(f) {
				g = append(g, f)
			}
		}
		if len(g) > 0 {
			groups = append(groups, g)
		}
	}
	for _, h := range hazard.All {
		group(func(f hazard.Finding) bool { return f.Hazard == h.Name })
	}
	done := map[string]bool{}
	for _, n := range found {
		if n.Hazard == hazard.Nginx && !done[n.Consequence] {
			done[n.Consequence] = true
			group(func(f hazard.Finding) bool { return f.Hazard == hazard.Nginx && f.Consequence == n.Consequence })
		}
	}
	return groups
}
