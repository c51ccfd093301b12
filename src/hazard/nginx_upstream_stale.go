package hazard

import "upgrade-guard/src/nginx"

// nginxUpstreamStale is an upstream with the address of a container that has gone, or
// has become another app's: docker gives addresses anew when it is restarted, and
// Dokku's own restart of the apps up to 0.37 builds nothing for those that run.
var nginxUpstreamStale = Hazard{
	Name:    "nginx-upstream-stale",
	About:   AboutNginx,
	Threads: "dokku/dokku#5066, #7253",

	Detect: func(s Subject) []Finding {
		found := s.built("Its visitors see the other app.", nginx.Foreign)
		found = append(found, s.built("Requests fail or wait there, and another app may come to have the address.", nginx.Dead)...)
		return append(found, s.built("The others do its work.", nginx.LeftOut)...)
	},
}
