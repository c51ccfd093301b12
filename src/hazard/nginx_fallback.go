package hazard

import (
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// nginxFallback is a configuration whose upstream is our own work, because Dokku could
// not build one. Dokku's next build takes its place.
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
		return found
	},
}
