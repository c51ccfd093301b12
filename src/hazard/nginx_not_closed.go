package hazard

import (
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/say"
)

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
