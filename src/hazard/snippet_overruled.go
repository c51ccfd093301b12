package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// snippetOverruled is the other half of snippetDuplicate: what Dokku's template has come to
// set within its location (docs/dokku-versions.md#directives-of-the-template). A snippet
// stands in the server, so nginx does not complain: the location has its way, and what
// people have set is gone without a word with the first build. Its property is set to the
// same: before the upgrade where the old version does not read it, else after it.
var snippetOverruled = Hazard{
	Name:  "snippet-overruled",
	Guide: "https://dokku.com/docs/networking/proxies/nginx/",
	Reads: []app.Part{app.PartPorts, app.PartProxy},

	Foresee: func(s Subject) []Finding {
		return s.overruled(func(d locationDirective, f *Finding, step *plan.Step) {
			if app.Before(s.From, d.property) {
				step.Text, step.Seed = step.Text+", written where "+s.To+" reads it", d.property
				f.Step = step
			} else {
				f.Afterwards = step.Text
			}
		})
	},
	Detect: func(s Subject) []Finding {
		if s.Before == nil {
			return nil
		}
		return s.overruled(func(_ locationDirective, f *Finding, step *plan.Step) { f.Step = step })
	},
}

// locationDirective is one that Dokku's template sets in its location for http and for
// https from these versions on, and by its property from that one.
type locationDirective struct {
	name, property, http, https string
	// together is one of the sizes of buffers: nginx refuses one that does not go with the
	// others, which Dokku sets too, so it is only told.
	together bool
}

var locationDirectives = []locationDirective{
	{name: "proxy_read_timeout", property: "0.21.0", http: "0.21.0", https: "0.21.4"},
	{name: "proxy_buffering", property: "0.22.0", http: "0.22.0", https: "0.22.0"},
	{name: "proxy_buffer_size", property: "0.22.0", http: "0.22.0", https: "0.22.0", together: true},
	{name: "proxy_buffers", property: "0.22.0", http: "0.22.0", https: "0.22.0", together: true},
	{name: "proxy_busy_buffers_size", property: "0.22.0", http: "0.22.0", https: "0.22.0", together: true},
	{name: "proxy_connect_timeout", property: "0.35.6", http: "0.35.6", https: "0.35.6"},
	{name: "proxy_send_timeout", property: "0.35.6", http: "0.35.6", https: "0.35.6"},
}

// overruled are the settings of an app's snippets that lose their effect with the upgrade.
func (s Subject) overruled(remedy func(locationDirective, *Finding, *plan.Step)) []Finding {
	if byNginx, _ := s.Now.Proxy.ByNginx(); !byNginx {
		return nil
	}
	if _, own, known := s.ownTemplate(s.To); own || !known {
		return nil // what it sets is as it was
	}
	kinds := s.serverKinds()
	var found []Finding
	for _, d := range locationDirectives {
		if kinds&plainServer == 0 || !s.Crosses(d.http) {
			if kinds&secureServer == 0 || !s.Crosses(d.https) {
				continue
			}
		}
		property := strings.ReplaceAll(d.name, "_", "-")
		for _, snippet := range s.snippets() {
			for _, set := range snippet.directives {
				value := duplicate{Directive: set}.value()
				path := s.Paths.Property("nginx", s.Now.Name, property)
				if set.Name != d.name || s.nginxProperty(property) != "" && !s.Seeded(path, s.Digest(path)) {
					continue
				}
				f := Finding{
					What:        fmt.Sprintf("%s sets %s, which has no effect any more: Dokku's own location sets it from %s on", snippet.name, strings.TrimSpace(d.name+" "+value), d.property),
					Consequence: "With the next build or deploy the app gets what Dokku sets by itself.",
				}
				switch {
				case d.together:
					f.Kind = Notice
					f.Consequence += " To keep it: dokku nginx:set with proxy-buffer-size, proxy-buffers and proxy-busy-buffers-size, which must go together."
				case value == "":
					f.Command = say.Command("dokku nginx:set", s.Now.Name, property) + " <value>"
				case s.Digest(path) == app.Digest([]byte(value)):
					continue // ours, and it is there
				default:
					remedy(d, &f, &plan.Step{Mark: plan.Add, Text: fmt.Sprintf("the property nginx/%s/%s, as its snippet says: %s", s.Now.Name, property, value),
						Path: path, Mode: 0o600, Data: []byte(value), Was: s.Digest(path)})
				}
				found = append(found, f)
			}
		}
	}
	return found
}
