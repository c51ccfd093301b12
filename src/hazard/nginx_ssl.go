package hazard

import (
	"fmt"
	"maps"
	"slices"

	"upgrade-guard/src/app"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/say"
)

// nginxSSL is about the directive ssl, which nginx 1.25.1 has taken away and every nginx
// before that only warned about, for years. One that refuses a file does not start again, for all
// apps (docs/dokku-versions.md#what-dokku-asks-of-docker).
var nginxSSL = Hazard{
	Name: "nginx-ssl",

	Ground: func(g Ground) []Finding {
		to := g.To(nginxPackages...)
		if to == "" || app.Before(to, withoutSSL) || g.Nginx != "" && !app.Before(g.Nginx, withoutSSL) {
			return nil
		}
		var found []Finding
		for _, path := range slices.Sorted(maps.Keys(g.Confs)) {
			list, err := nginx.Parse(g.Confs[path])
			if err != nil {
				continue // nginx says so itself
			}
			if line := lineOf(list, "ssl"); line > 0 {
				found = append(found, Finding{
					What:        fmt.Sprintf("nginx %s, which apt would install, refuses the directive ssl: %s, line %d", to, say.Word(path), line),
					Consequence: "It would not start with it, and no app would answer. Take it out, and write the word ssl behind the ports that are for TLS: listen 443 ssl; which every nginx takes. Then: sudo nginx -t",
				})
			}
		}
		return found
	},
}

// withoutSSL is the first nginx without that directive.
const withoutSSL = "1.25.1"

// lineOf is the line of the first directive of a name, in whatever block; 0 for none.
func lineOf(list []nginx.Directive, name string) int {
	for _, d := range list {
		if d.Name == name {
			return d.Line
		}
		if line := lineOf(d.Block, name); line > 0 {
			return line
		}
	}
	return 0
}
