package hazard

import (
	"fmt"
	"slices"

	"upgrade-guard/src/app"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// crontabLost is about what people have put into the dokku user's crontab: from
// 0.23 on it is Dokku's own, which overwrites it at every deploy and deletes it
// when no app has a task (docs/dokku-versions.md#cron). Lines put back there would go
// the same way; they belong somewhere else, so it is told once and nothing is owed.
// They may hold secrets and are not shown.
var crontabLost = Hazard{
	Name:    "crontab-lost",
	Threads: "dokku/dokku-letsencrypt#215, #225",
	Guide:   "https://dokku.com/docs/appendices/0.23.0-migration-guide/",

	ForeseeHost: func(s HostSubject) []Finding {
		lines := foreignLines(s.Now.Global.Crontab)
		if !s.Crosses("0.23.0") || len(lines) == 0 {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("the dokku user's crontab has %s that Dokku did not write, and from 0.23 on it overwrites the crontab at every deploy", countLines(lines)),
			Consequence: "What is in them ends with the first deploy. Keep them as a file in /etc/cron.d, with the user's name after the time.",
			Command:     "crontab -u dokku -l",
		}}
	},

	DetectHost: func(s HostSubject) []Finding {
		if s.Before == nil || !s.Crosses("0.23.0") || !cronIsKnown(s.Files) {
			return nil
		}
		lines := foreignLines(s.Before.Crontab)
		gone := without(lines, s.Now.Global.Crontab)
		switch {
		case len(lines) == 0:
			return nil
		case len(gone) == 0:
			return []Finding{{
				What:        fmt.Sprintf("the dokku user's crontab still has %s that Dokku did not write, and the next deploy deletes them", countLines(lines)),
				Consequence: "Keep them as a file in /etc/cron.d, with the user's name after the time, and take them out of the crontab.",
				Command:     "crontab -u dokku -l",
				Kind:        Notice,
			}}
		}
		return []Finding{{
			What:        fmt.Sprintf("%s of the dokku user's crontab that Dokku did not write %s gone", countLines(gone), map[bool]string{true: "is", false: "are"}[len(gone) == 1]),
			Consequence: "Dokku overwrites the crontab. Put them into a file in /etc/cron.d, with the user's name after the time; the command shows all of them.",
			Command:     say.Command("tar xzOf", s.Paths.Data("snapshots", s.Baseline+".tar.gz"), "facts/crontab"),
			Kind:        Notice,
		}}
	},
}

func countLines(lines []string) string {
	if len(lines) == 1 {
		return "1 line"
	}
	return fmt.Sprintf("%d lines", len(lines))
}

var cronVariable = pattern.Of(`^[A-Za-z_]+ *=`)

// foreignLines are the lines of a crontab that were put there by neither Dokku
// nor its letsencrypt plugin.
func foreignLines(crontab []string) []string {
	return slices.DeleteFunc(slices.Clone(crontab), func(l string) bool {
		return l[0] == '#' || cronVariable().MatchString(l) || app.IsRenewal(l)
	})
}
