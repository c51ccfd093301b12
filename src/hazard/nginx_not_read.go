package hazard

import "upgrade-guard/src/nginx"

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
