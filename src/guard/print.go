package guard

import (
	"fmt"
	"slices"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// What a run prints of findings: a plan before it, and what is left after it.

// printLeft says what is left when a run has ended: what is a person's, and what is only
// to be known and has consequences.
func (g *Guard) printLeft(found []hazard.Finding) {
	for _, f := range found {
		if !f.ForYou() && (f.Kind != hazard.Notice || f.Command == "" && f.Consequence == "") {
			continue
		}
		g.Out.Trouble("%s: %s", host.Place(f.App), sentence(f.What))
		if f.Consequence != "" {
			g.Out.Trouble("    %s", f.Consequence)
		}
		if f.Kind == hazard.Guess {
			g.Out.Trouble("    A guess: %s. If it is right: dokku upgrade-guard:apply --guesses", f.Does)
		}
		if f.Command != "" {
			g.Out.Trouble("    To do: %s", f.Command)
		}
	}
}

// printPlan shows what act would do, by the same findings: the first rung of each, and
// what follows where it does not end it. It returns the marks, for their legend.
func printPlan(out *say.Printer, found []hazard.Finding, guesses bool) (marks []string) {
	routing, printed := false, map[string]bool{}
	for _, f := range found {
		if f.Kind != hazard.Repair && (f.Kind != hazard.Guess || !guesses) || f.Step == nil || printed[rung(*f.Step)] {
			continue
		}
		printed[rung(*f.Step)] = true
		marks = append(marks, f.Step.Mark)
		out.Result("       %-4s %s: %s", f.Step.Mark, host.Place(f.App), f.Does)
		for _, next := range f.Next {
			out.Result("            then, if it is needed: %s", next)
		}
		if f.Kind == hazard.Guess && hazard.Named(f.Hazard).About == hazard.AboutScale {
			// Without a scale Dokku builds nothing, and with it what it could not.
			out.Result("            then, if it is needed: %s", hazard.TextBuild)
		}
		routing = routing || f.Step.Stage > plan.Files || hazard.Named(f.Hazard).InNginx
	}
	if routing {
		marks = append(marks, plan.Change)
		out.Result("       %-4s %s", plan.Change, ConditionalRouting)
	}
	return marks
}

// planned is the title of a dry run.
func planned(title string) string { return title + " (dry run: nothing is changed)" }

// ConditionalRouting is what may follow any change of nginx's configurations: nginx
// names one file that it refuses at a time, so nobody knows beforehand which is next.
const ConditionalRouting = "nginx, reloaded; an app's configuration that it refuses: built by Dokku, else its fallback upstream or its configuration from before, else quarantined"

// tellUnknown says what is not known, at the end of a run.
func tellUnknown(out *say.Printer, list []Unknown) {
	for _, u := range list {
		out.Trouble("%s", sentence(u.What))
		if u.Advice != "" {
			out.Trouble("    %s", sentence(u.Advice))
		}
		out.Trouble("    To do: %s", u.Command)
	}
}

// atRisk counts what an upgrade would lose: "5 at risk, 5 handled, 0 for you".
func atRisk(found []hazard.Finding, handled bool) string {
	theirs, ours := len(forYou(found)), len(repairs(found))
	switch {
	case theirs+ours == 0:
		return "nothing known to be at risk"
	case !handled:
		return fmt.Sprintf("%d at risk, 0 handled", theirs+ours)
	}
	return fmt.Sprintf("%d at risk, %d handled, %d for you", theirs+ours, ours, theirs)
}

// Commands are what there is to type for findings, each once.
func Commands(found []hazard.Finding) []string {
	var commands []string
	add := func(command string) {
		if command != "" && !slices.Contains(commands, command) {
			commands = append(commands, command)
		}
	}
	for _, f := range found {
		switch f.Kind {
		case hazard.Repair:
			add("dokku upgrade-guard:apply")
		case hazard.Guess:
			add("dokku upgrade-guard:apply --guesses")
		}
		add(f.Command)
	}
	return commands
}
