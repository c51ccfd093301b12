package hazard

import (
	"strings"
	"testing"
	"time"

	"upgrade-guard/src/app"
)

// A setting of a snippet that Dokku's location has its way over, by version, server and
// what is set already.
func TestSnippetOverruled(t *testing.T) {
	const property = "lib/config/nginx/blog/proxy-read-timeout"
	for _, c := range []struct {
		name, snippet, from, to string
		tls                     bool
		more                    map[string]string
		want                    string // of the finding's remedy; "" for none
	}{
		{name: "a timeout", snippet: "proxy_read_timeout 300s;", from: "0.20.4", to: "0.35.5", want: "the property nginx/blog/proxy-read-timeout, as its snippet says: 300s, written where"},
		{name: "https, from 0.21.4 on", snippet: "proxy_read_timeout 300s;", from: "0.21.3", to: "0.21.4", tls: true, want: "as its snippet says: 300s"},
		{name: "https, before", snippet: "proxy_read_timeout 300s;", from: "0.20.4", to: "0.21.3", tls: true},
		{name: "it was so before", snippet: "proxy_read_timeout 300s;", from: "0.21.4", to: "0.38.27"},
		{name: "a person has set it", snippet: "proxy_read_timeout 300s;", from: "0.20.4", to: "0.35.5", more: map[string]string{property: "9s"}},
		{name: "it is there", snippet: "proxy_read_timeout 300s;", from: "0.20.4", to: "0.35.5", more: map[string]string{property: "300s"}},
		{name: "in a location", snippet: "location /a { proxy_read_timeout 300s; }", from: "0.20.4", to: "0.35.5"},
		{name: "buffering", snippet: "proxy_buffering off;", from: "0.21.4", to: "0.22.9", want: "nginx/blog/proxy-buffering, as its snippet says: off"},
		{name: "sizes of buffers go together", snippet: "proxy_buffer_size 64k;", from: "0.21.4", to: "0.22.9", want: "To keep it: dokku nginx:set with proxy-buffer-size"},
		{name: "not shown", snippet: "proxy_read_timeout $CANARY;", from: "0.20.4", to: "0.35.5", want: "dokku nginx:set blog proxy-read-timeout <value>"},
		{name: "a template of its own", snippet: "proxy_read_timeout 300s;", from: "0.29.4", to: "0.38.27", more: map[string]string{"lib/data/nginx-vhosts/app-blog/nginx.conf.sigil": "server { }"}},
		{name: "another", snippet: "proxy_http_version 1.0;", from: "0.20.4", to: "0.38.27"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"root/blog/nginx.conf.d/a.conf": c.snippet + "\n"}
			for path, text := range c.more {
				files[path] = text
			}
			s := subject(c.from, files)
			s.From, s.To, s.Seeded = c.from, c.to, func(string, string) bool { return false }
			s.Now.Ports.Map = []string{"http:80:5000"}
			if c.tls {
				s.Now.Ports.Map, s.Now.Certificate = []string{"http:80:5000", "https:443:5000"}, &app.Certificate{NotAfter: time.Now()}
			}
			check := func(found []Finding) {
				t.Helper()
				switch {
				case c.want == "" && len(found) > 0:
					t.Errorf("%+v", found)
				case c.want == "":
				case len(found) != 1 || strings.Contains(found[0].What, "CANARY"):
					t.Errorf("%+v", found)
				default:
					remedy := found[0].Command + found[0].Afterwards + found[0].Consequence
					if found[0].Step != nil {
						remedy += found[0].Step.Text
					}
					if want, _, _ := strings.Cut(c.want, ", written"); !strings.Contains(remedy, want) {
						t.Errorf("%+v", found)
					}
				}
			}
			check(snippetOverruled.Foresee(s))
			before := s.Now
			s.Before = &before
			check(snippetOverruled.Detect(s))
		})
	}
}
