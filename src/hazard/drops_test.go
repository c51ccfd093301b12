package hazard

import (
	"testing"
	"time"

	"upgrade-guard/src/app"
)

// What a build of Dokku's would end is told where a snapshot has it, and only there: what
// has something else in its place was set by somebody.
func TestDrops(t *testing.T) {
	const https = "server {\n  listen 443 ssl;\n  server_name a.example.com b.example.com;\n  ssl_certificate /home/dokku/blog/tls/server.crt;\n}\n"
	const plain = "server {\n  listen 80;\n  listen 8080;\n  server_name a.example.com b.example.com;\n}\n"
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	good := &app.Certificate{Names: []string{"a.example.com"}, NotAfter: now.Add(24 * time.Hour), KeyFits: true}
	side := func(conf, domains, ports string, c *app.Certificate) Side {
		content := map[string]string{"root/blog/VHOST": domains, "lib/config/ports/blog/map": ports, "root/blog/nginx.conf": conf}
		for path, text := range content {
			if text == "" {
				delete(content, path)
			}
		}
		f := filesOf("0.35.5", content)
		s := app.Read(f).Apps["blog"]
		s.Certificate = c
		return Side{State: s, Files: f, Of: "by X", ID: "X"}
	}
	both, map2 := "a.example.com\nb.example.com\n", "http:80:5000\nhttp:8080:5000\n"
	for _, c := range []struct {
		name        string
		now, before Side
		older       *app.Certificate // in a snapshot further back
		want        app.Part
	}{
		{name: "nothing is gone", now: side(https, both, map2, good), before: side(https, both, map2, good)},
		{name: "the certificate", now: side(https, both, "", nil), before: side(https, both, "", good), want: app.PartCertificate},
		{name: "its key", now: side(https, both, "", &app.Certificate{}), before: side(https, both, "", good), want: app.PartCertificate},
		{name: "the certificate and nginx.conf", now: side("", both, "", nil), before: side(https, both, "", good), want: app.PartCertificate},
		{name: "the certificate, which only an older record has", now: side(https, both, "", nil), before: side(https, both, "", nil), older: good, want: app.PartCertificate},
		{name: "a certificate that nginx does not serve", now: side(plain, both, "", nil), before: side(https, both, "", good)},
		{name: "one that has expired", now: side(https, both, "", nil), before: side(https, both, "", &app.Certificate{Names: []string{"a.example.com"}, NotAfter: now, KeyFits: true})},
		{name: "one for other names", now: side(https, "c.example.com\n", "", nil), before: side(https, both, "", good)},
		{name: "a domain", now: side(plain, "a.example.com\n", "", nil), before: side(plain, both, "", nil), want: app.PartDomains},
		{name: "all domains", now: side(plain, "", "", nil), before: side(plain, both, "", nil), want: app.PartDomains},
		{name: "domains with another in their place", now: side(plain, "c.example.com\n", "", nil), before: side(plain, both, "", nil)},
		{name: "a domain that nginx does not have", now: side(plain, both, "", nil), before: side(plain, both+"c.example.com\n", "", nil)},
		{name: "a port", now: side(plain, both, "http:80:5000\n", nil), before: side(plain, both, map2, nil), want: app.PartPorts},
		{name: "the port map", now: side(plain, both, "", nil), before: side(plain, both, map2, nil), want: app.PartPorts},
		{name: "another port map", now: side(plain, both, "http:3000:5000\n", nil), before: side(plain, both, map2, nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Drops(c.now, &c.before, func(want func(app.State) bool) *Side {
				s := c.before
				if s.State.Certificate = c.older; c.older == nil || !want(s.State) {
					return nil
				}
				return &s
			}, now)
			if d.Part != c.want {
				t.Errorf("%q (%s), want %q", d.Part, d.Why(), c.want)
			}
			if want := "dokku upgrade-guard:restore blog --only " + string(c.want) + " --snapshot X"; c.want != "" && d.Command != want {
				t.Errorf("%q, want %q", d.Command, want)
			}
		})
	}
}
