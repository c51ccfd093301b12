package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// PrintApp prints the block of one app, as dokku report has them.
func PrintApp(out *say.Printer, a guard.AppReport) { printBlock(out, a.App, a.Flags()) }

// printBlock prints the block of an app, or of the host.
func printBlock(out *say.Printer, scope string, flags []guard.Flag) {
	out.Title("%s upgrade-guard information", scope)
	width := 31 // Dokku's least
	for _, f := range flags {
		width = max(width, len("Upgrade guard ")+len(f.Name)+1)
	}
	for _, f := range flags {
		out.Result("       %-*s %s", width, "Upgrade guard "+strings.ReplaceAll(f.Name, "-", " ")+":", f.Value)
	}
}

// printReport prints a line for each app, and below them what a line cannot say.
func printReport(out *say.Printer, r guard.Report) {
	found := slices.Clone(r.Findings)
	for _, a := range r.Apps {
		found = append(found, a.Findings...)
	}
	due := slices.ContainsFunc(found, func(f hazard.Finding) bool { return f.Kind == hazard.Repair })
	switch {
	case r.Unconfigured != "":
		out.Verdict("Dokku %s is not wholly installed: %s", r.Dokku, r.Unconfigured)
		out.Result("       To do: dpkg --configure -a")
	case r.Unfinished:
		out.Verdict("Dokku was upgraded from %s to %s, and the work after it is not done yet", r.LastSeen, r.Dokku)
		due = true
	case r.Last != nil:
		out.Title("Dokku %s, upgraded from %s on %s", r.Dokku, r.Last.From, r.Last.Time.Format("2006-01-02 15:04 UTC"))
	default:
		out.Title("Dokku %s, no upgrade seen yet", r.Dokku)
	}
	if prevented, repaired := len(r.Prevented), len(r.Repaired); r.Last != nil {
		for _, a := range r.Apps {
			prevented, repaired = prevented+len(a.Prevented), repaired+len(a.Repaired)
		}
		if prevented+repaired > 0 {
			text := say.Plural(prevented, "loss") + " prevented"
			if repaired > 0 {
				text += fmt.Sprintf(", %d repaired", repaired)
			}
			out.Result("       %s. See: dokku upgrade-guard:log", text)
		}
	}
	off := ""
	if !r.AutoApply {
		off = "auto-apply is off: nothing is prevented or repaired by itself"
	}
	switch {
	case due && r.Unconfigured == "" && off != "":
		out.Result("       To do: dokku upgrade-guard:apply (%s)", off)
	case due && r.Unconfigured == "":
		out.Result("       To do: dokku upgrade-guard:apply")
	case off != "":
		out.Result("       %s", off)
	}
	if r.Snapshots == 0 {
		out.Result("       Snapshots: none. To take one: dokku upgrade-guard:snapshot")
	} else {
		out.Result("       Snapshots: %d, the newest %s", r.Snapshots, r.Newest)
	}
	out.Result("       Health: %s%s", r.Health, unasked(r))
	if r.Rollback != "" {
		out.Result("       Back to Dokku %s, if all else fails: dokku upgrade-guard:rollback", r.Rollback)
	}
	if r.Docker != "" {
		out.Result("       To do: %s", r.DockerCommand)
	}
	if r.Nginx != "" {
		out.Result("       To do: sudo nginx -t")
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
	looks := statusLooks(rows)
	if out.Quiet {
		rows, looks = rows[1:], statusLooks(rows[1:])
	}
	out.Table("       ", rows, looks)
	if r.NoBaseline != "" {
		out.Result("-----> %s", r.NoBaseline)
		out.Result("       %s", r.Advice)
		out.Result("       To do: dokku upgrade-guard:snapshot")
	}
	printQueue(out, r)
	for _, old := range slices.Sorted(maps.Keys(r.Renamed)) {
		out.Result("       %s is called %s now. Whoever pushes to it: git remote set-url dokku dokku@<this host>:%s", old, r.Renamed[old], say.Word(r.Renamed[old]))
	}
	for _, text := range slices.Concat(r.Renaming, r.Renames) {
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
	printFindings(out, plans{first: urgent(r)}, slices.DeleteFunc(found, func(f hazard.Finding) bool { return f.Hazard == hazard.Drift }))
	printDrift(out, host.GlobalScope, r.Drift)
	for _, a := range r.Apps {
		printDrift(out, a.App, a.Drift)
	}
}

// unasked says which apps were not asked whether they answer, and may be asked: no status
// claims that they do.
func unasked(r guard.Report) string {
	names := some(r.Apps, func(a guard.AppReport) bool { return a.NotAsked })
	why := "the property probe, or no time"
	if r.NoProbe {
		why = "--no-probe"
	}
	switch {
	case names == "":
		return ""
	case !slices.ContainsFunc(r.Apps, func(a guard.AppReport) bool { return a.Asked }):
		return fmt.Sprintf("; no app was asked whether it answers (%s)", why)
	}
	return fmt.Sprintf("; not asked whether they answer (%s): %s", why, names)
}

// urgent tells which findings come first: those of apps that are down, and what of the host
// needs somebody. Whoever reads it at night needs those.
func urgent(r guard.Report) func(hazard.Finding) bool {
	return func(f hazard.Finding) bool {
		return f.App == host.GlobalScope && f.ForYou() ||
			slices.ContainsFunc(r.Apps, func(a guard.AppReport) bool { return a.App == f.App && a.Status == guard.StatusDown })
	}
}

// printQueue says how the long work stands: what is open or has failed, and the
// last that is done.
func printQueue(out *say.Printer, r guard.Report) {
	owed, done := false, -1
	for i, j := range r.Queue {
		switch {
		case j.State == state.JobDone:
			done = i
		case j.State == state.JobFailed:
			out.Result("-----> Failed at %s: %s", j.Time.Format(jobTime), j.Text)
			out.Result("       %s", j.Error)
			owed = true
		case j.State == state.JobRunning && r.QueueBusy:
			out.Result("-----> Running since %s: %s", j.Time.Format(jobTime), j.Text)
		case j.State == state.JobRunning:
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
		if i == shown && scope != host.GlobalScope { // which has no report of its own
			out.Result("       and %d more: dokku upgrade-guard:report %s --upgrade-guard-drift", len(texts)-shown, say.Word(scope))
			return
		}
		out.Result("-----> %s: not touched: %s", host.Place(scope), t)
	}
}

// PrintCheck prints a check for a person.
func PrintCheck(out *say.Printer, c guard.Check) {
	out.Verdict("Dokku %s now: %s", c.From, c.PresentText())
	printFindings(out, plans{now: "done by dokku upgrade-guard:apply: "}, c.Present)
	if c.To != c.From {
		out.Verdict("%s", c.UpgradeTitle())
		by := plans{now: "prevented by upgrade-guard: ", afterwards: "done by upgrade-guard after the upgrade: "}
		if !c.AutoApply {
			by = plans{now: "not prevented: ", afterwards: "done by dokku upgrade-guard:apply after the upgrade: "}
		}
		printFindings(out, by, c.Upgrade)
		if !c.AutoApply {
			out.Trouble("auto-apply is off: nothing of it is prevented, and nothing is put back by itself. To change that: dokku upgrade-guard:set --global auto-apply true")
		}
	}
	if len(c.Ground) > 0 {
		out.Verdict("%s", c.GroundTitle())
		printFindings(out, plans{}, c.Ground)
	}
	for _, u := range c.Unknown {
		out.Trouble("%s", u)
	}
}

// plans are the words for who does what is planned: now, or before an upgrade, and after
// it. Without them it is not said.
type plans struct {
	now, afterwards string
	first           func(hazard.Finding) bool // what comes first; nil where that is not known
}

// printFindings prints findings by hazard: what it is, what comes of it, who does what.
// What comes of several alike, and where to read about it, stands there once, with how many
// it is of: all of a broken host fits a screen.
func printFindings(out *say.Printer, by plans, found []hazard.Finding) {
	for _, group := range grouped(found, by.first) {
		many := len(group) > 1
		for _, f := range group {
			out.Result("-----> %s: %s", host.Place(f.App), f.What)
			if !many {
				printConsequence(out, "", f)
			}
			switch {
			case f.Kind == hazard.Guess:
				out.Result("       %s A guess: %s. If it is right: dokku upgrade-guard:apply --guesses", plan.Person, f.Does)
			case f.Step != nil && by.now != "":
				out.Result("       %s %s%s", f.Step.Mark, by.now, f.Does)
				for _, next := range f.Next {
					out.Result("           then, if it is needed: %s", next)
				}
			}
			if f.Afterwards != "" {
				out.Result("       %s %s%s", plan.Add, by.afterwards, f.Afterwards)
			}
			if f.Command != "" {
				out.Result("       %s To do: %s", plan.Person, f.Command)
			}
		}
		if many {
			printConsequence(out, fmt.Sprintf("Each of these %d: ", len(group)), group[0])
		}
	}
}

// printConsequence prints what comes of a finding, and where to read about it: behind it,
// unless it ends with a command.
func printConsequence(out *say.Printer, of string, f hazard.Finding) {
	guide := f.Guide
	if guide != "" {
		guide = "See " + guide
	}
	switch {
	case f.Consequence == "" && guide == "":
	case f.Consequence == "":
		out.Result("       %s", guide)
	case strings.HasSuffix(f.Consequence, ".") || guide == "":
		out.Result("       %s%s", of, strings.TrimSpace(f.Consequence+" "+guide))
	default:
		out.Result("       %s%s", of, f.Consequence)
		out.Result("       %s", guide)
	}
}

// grouped are the findings that come to the same together, in the order of the hazards;
// before them those among which is one that comes first.
func grouped(found []hazard.Finding, first func(hazard.Finding) bool) [][]hazard.Finding {
	late := func(f hazard.Finding) int {
		if first == nil || first(f) {
			return 0
		}
		return 1
	}
	found = slices.Clone(found)
	slices.SortStableFunc(found, func(a, b hazard.Finding) int { return late(a) - late(b) })
	rank := map[string]int{}
	for i, h := range hazard.All {
		if _, known := rank[h.Name]; !known {
			rank[h.Name] = i + 1
		}
	}
	type same struct{ hazard, consequence string }
	var order []same
	groups := map[same][]hazard.Finding{}
	for _, f := range found {
		k := same{f.Hazard, f.Consequence}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], f)
	}
	slices.SortStableFunc(order, func(a, b same) int {
		return cmp.Or(late(groups[a][0])-late(groups[b][0]), rank[a.hazard]-rank[b.hazard])
	})
	var list [][]hazard.Finding
	for _, k := range order {
		list = append(list, groups[k])
	}
	return list
}
