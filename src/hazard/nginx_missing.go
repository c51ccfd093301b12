package hazard

import "upgrade-guard/src/nginx"

// nginxMissing is an app that runs, and nginx has no configuration for it: 0.29 to 0.37
// delete it when they build it for an app without a running web container, or without
// the files that say where its containers listen, and ps:restore begins with that.
var nginxMissing = Hazard{
	Name:    "nginx-missing",
	About:   AboutNginx,
	Threads: "dokku/dokku#7253, #5453",

	Detect: func(s Subject) []Finding {
		return s.built("Its domains are answered by another app, or not at all.", nginx.NoConfig)
	},
}
