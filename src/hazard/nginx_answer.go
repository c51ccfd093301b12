package hazard

import "upgrade-guard/src/nginx"

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
			if v := s.Routing.Public(); v.Closed+v.Unknown+v.NoBuild == "" && s.Routing.Drops().Part == "" && s.buildable() && len(s.duplicates(s.Now.Dokku)) == 0 {
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
