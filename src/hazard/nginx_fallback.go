package hazard

import (
	"strings"

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
			if s.Routing.Drops().Part == "" {
				found[i].Command = say.Command("dokku proxy:build-config", s.Now.Name)
			}
		}
		return found
	},
}

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

// nginxNotClosed is an app whose proxy is disabled, and which nginx serves all the same.
var nginxNotClosed = Hazard{
	Name:  "nginx-not-closed",
	About: AboutNginx,

	Detect: func(s Subject) []Finding {
		f := s.routingFinding("Who can reach this host can reach the app. The command takes the configuration away.", nginx.Open)
		if f == nil {
			return nil
		}
		f.Command = say.Command("dokku proxy:build-config", s.Now.Name) // of an app whose proxy is disabled Dokku deletes it
		return []Finding{*f}
	},
}

// nginxNotRead is a configuration that is larger than is read.
var nginxNotRead = Hazard{
	Name:  "nginx-not-read",
	About: AboutNginx,

	Detect: func(s Subject) []Finding {
		f := s.routingFinding("Whether it serves the app cannot be told.", nginx.Large)
		if f == nil {
			return nil
		}
		f.Kind = Notice
		return []Finding{*f}
	},
}

// nginxOthers is a file that is no app's and that nginx does not take.
var nginxOthers = Hazard{
	Name:  "nginx-others",
	About: AboutNginx,

	DetectHost: func(s HostSubject) []Finding {
		if s.Refused == "" {
			return nil
		}
		return []Finding{{
			What:        "nginx refuses its configuration: " + s.Refused,
			Consequence: "The file is no app's. Until it is repaired no change of any app takes effect, and nginx would not start again. Then: dokku upgrade-guard:apply",
		}}
	},
}
