package hazard

import "upgrade-guard/src/nginx"

// nginxRefused is an app whose configuration nginx does not take (dokku/dokku#7253):
// nginx -t names it, it is not nginx's grammar, it names a certificate that is not
// there, or it belongs to root (from 0.35.17 on core's installation builds some as
// root, seen on 0.38.27) and says nothing to us. One such file keeps nginx from loading
// any change of any app, so it is the first that is built.
var nginxRefused = Hazard{
	Name:    "nginx-refused",
	About:   AboutNginx,
	Threads: "dokku/dokku#7253, #5453",

	Detect: func(s Subject) []Finding {
		found := s.built("Until it is repaired no change of any app takes effect, and nginx would not start again.", nginx.Refused, nginx.Unreadable, nginx.Certificate)
		return append(found, s.built("Whether it serves the app cannot be told; a build by Dokku makes it Dokku's own again.", nginx.Roots)...)
	},
}
