package hazard

import (
	"fmt"

	"upgrade-guard/src/nginx"
)

// nginxAnswer is an app whose files are right and whose requests nginx answers
// otherwise: with another app's page or certificate, or with an error of its own while
// the app's container answers. That is what nginx has in its memory; so it is reloaded
// first.
var nginxAnswer = Hazard{
	Name:    "nginx-answer",
	About:   AboutNginx,
	Threads: "dokku/dokku#7253",

	Detect: func(s Subject) []Finding {
		var found []Finding
		if f := s.routingFinding("Its visitors see the other app.", nginx.OtherApp); f != nil {
			step := reloadStep(s.Routing.Run)
			f.Step = &step
			if v := s.Routing.Public(); v.Closed+v.Unknown+v.NoBuild == "" && s.Routing.Drops().Part == "" && s.buildable() {
				f.Then = append(f.Then, s.buildStep())
			}
			found = append(found, *f)
		}
		if f := s.routingFinding("Its visitors get an error.", nginx.Silent); f != nil {
			step := reloadStep(s.Routing.Run)
			f.Step = &step
			found = append(found, *f)
		}
		return found
	},
}

// nginxNotRunning is one cause for all apps: nginx accepts no connection. It is started
// by what reloads it, where the Dokku user may do that (0.22 and later).
var nginxNotRunning = Hazard{
	Name:  "nginx-not-running",
	About: AboutNginx,

	DetectHost: func(s HostSubject) []Finding {
		if s.NotListening == "" {
			return nil
		}
		step := reloadStep(s.Run)
		return []Finding{{
			What:        fmt.Sprintf("nginx does not accept connections on port %s. Is it running?", s.NotListening),
			Consequence: "No app is answered.",
			Step:        &step,
		}}
	},
}

// answersLost are addresses that answered before the last upgrade and do not now.
var answersLost = Hazard{
	Name:  "answers-lost",
	About: AboutNginx,

	Detect: func(s Subject) []Finding {
		if s.Routing == nil || len(s.Routing.Worse) == 0 {
			return nil
		}
		var found []Finding
		for _, what := range s.Routing.Worse {
			found = append(found, Finding{Kind: Notice, What: what, Consequence: seeLogs(s.Now.Name)})
		}
		return found
	},
}
