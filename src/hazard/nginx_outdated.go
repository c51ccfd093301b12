package hazard

import (
	"upgrade-guard/src/app"
	"upgrade-guard/src/nginx"
)

// nginxOutdated is a configuration without some of the app's domains or host ports.
// Domains and ports that were put back have no effect until it is built: 0.35.17 and
// later build it in the middle of their installation, right after they have reset them.
var nginxOutdated = Hazard{
	Name:    "nginx-outdated",
	About:   AboutNginx,
	Threads: "dokku/dokku#7253",

	Detect: func(s Subject) []Finding { return s.built("They are not answered.", nginx.Names) },
}

// Unbuilt says what an app's configuration lacks of the domains and ports that were put
// back, also where a template of the app's own may have its reasons; nil for nothing.
func Unbuilt(files *app.Files, s app.State) *nginx.Finding {
	if byNginx, _ := s.Proxy.ByNginx(); !byNginx || !s.Deployed() || s.EffectiveScale().Of("web") == 0 || nginx.Serves(files, s) {
		return nil
	}
	return &nginx.Finding{App: s.Name, Kind: nginx.Names, What: "its nginx configuration does not have all of its domains and ports"}
}
