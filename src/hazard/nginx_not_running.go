package hazard

import "fmt"

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
