package guard

import (
	"slices"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/state"
)

// ToDo is all that there is to type, a command each and each once, in the order in which
// it helps: what everything else waits for, then what upgrade-guard does by itself, then
// the apps, those that are down first. What is only to be known has no place here: nobody
// is to type it unread.
func (r Report) ToDo() []string {
	var commands []string
	add := func(list ...string) {
		for _, command := range list {
			if command != "" && !slices.Contains(commands, command) {
				commands = append(commands, command)
			}
		}
	}
	if r.Unconfigured != "" {
		add("dpkg --configure -a")
	}
	if r.Docker != "" {
		add(r.DockerCommand)
	}
	if r.Nginx != "" {
		add("sudo nginx -t")
	}
	apps := slices.Clone(r.Apps)
	slices.SortStableFunc(apps, func(a, b AppReport) int {
		return slices.Index(Statuses, a.Status) - slices.Index(Statuses, b.Status)
	})
	due := r.Unfinished || len(r.Renames) > 0 || slices.ContainsFunc(r.Queue, func(j JobReport) bool {
		return j.State == state.JobFailed || !r.QueueBusy && j.Open()
	})
	for _, list := range append([][]hazard.Finding{r.Findings}, findingsOf(apps)...) {
		due = due || len(repairs(list)) > 0
	}
	if due {
		add("dokku upgrade-guard:apply")
	}
	add(Commands(forYou(r.Findings))...)
	for _, a := range apps {
		add(Commands(forYou(a.Findings))...)
		if a.Status == StatusNoBaseline {
			add("dokku upgrade-guard:snapshot")
		}
	}
	return commands
}

func findingsOf(apps []AppReport) [][]hazard.Finding {
	lists := make([][]hazard.Finding, len(apps))
	for i, a := range apps {
		lists[i] = a.Findings
	}
	return lists
}
