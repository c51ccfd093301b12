package hazard

import (
	"strings"

	"upgrade-guard/src/nginx"
	"upgrade-guard/src/say"
)

// textAside is what 939a39f and before wrote into their journals for TextQuarantine.
const textAside = "nginx configuration, set aside"

// IsQuarantine tells that a journal's text is of a quarantine, which has repaired nothing.
func IsQuarantine(text string) bool {
	return strings.HasPrefix(text, TextQuarantine) || strings.HasPrefix(text, textAside)
}

// nginxQuarantined is a configuration that kept nginx from loading any. Each run asks
// Dokku to build it again: whoever has repaired what was wrong need not know more.
var nginxQuarantined = Hazard{
	Name:  "nginx-quarantined",
	About: AboutNginx,

	Detect: func(s Subject) []Finding {
		found := s.built("It comes back when Dokku can build one that nginx takes.", nginx.Quarantined)
		for i := range found {
			if s.Routing.Drops().Part == "" {
				found[i].Command = say.Command("dokku nginx:validate-config", s.Now.Name) + "; when it is repaired: dokku upgrade-guard:apply"
			}
			if found[i].Step != nil {
				// Of a file that nginx refused, its own text is no better with another upstream.
				found[i].Then = nil
			}
		}
		return found
	},
}
