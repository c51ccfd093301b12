package hazard

import "upgrade-guard/src/nginx"

// nginxUpstreamMissing is a configuration that passes requests to an upstream which it
// does not have, or answers 502 itself. 0.29 to 0.37 end so when an app without a scale
// gets a domain or a port; 0.38 writes return 502 there.
var nginxUpstreamMissing = Hazard{
	Name:    "nginx-upstream-missing",
	About:   AboutNginx,
	Threads: "dokku/dokku#7253, #5453",

	Detect: func(s Subject) []Finding {
		found := s.built("nginx does not load it, nor any change of any app.", nginx.NoUpstream)
		return append(found, s.built("Its visitors get an error.", nginx.Returns502)...)
	},
}
