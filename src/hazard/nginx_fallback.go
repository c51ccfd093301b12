package hazard

import (
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// nginxFallback is a configuration whose upstream is our own work, because Dokku could
// not build one. Dokku's next build takes its place. Where nginx refused what Dokku had
// built, it is not built again until a person has repaired that: each run would only be
// refused once more.
var nginxFallback = Hazard{
	Name:  "nginx-fallback",
	About: AboutNginx,

	Detect: func(s Subject) []Finding {
		found := s.built("It serves, by the addresses that its containers had then.", nginx.Fallback)
		for i := range found {
			// It has one already: only a build ends it.
			if found[i].Then = nil; found[i].Step != nil && (found[i].Step.Stage != plan.Build || !s.buildable()) {
				found[i].Step = nil
			}
			if found[i].Command == "" {
				found[i].Command = say.Command("dokku proxy:build-config", s.Now.Name)
			}
		}
		replaced := s.routingFinding("It serves by that. When what nginx refused is repaired, the command has Dokku build it.", nginx.Replaced)
		if replaced == nil {
			return found
		}
		if replaced.Command, _ = s.commandFor(s.duplicates(s.Now.Dokku)); replaced.Command == "" {
			replaced.Command = say.Command("dokku proxy:build-config", s.Now.Name)
		}
		return append(found, *replaced)
	},
}
