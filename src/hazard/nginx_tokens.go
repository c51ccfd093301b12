package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
)

// nginxTokens is about the directive server_tokens, which nginx takes once: it is in the
// dokku.conf of every Dokku, and in Debian 13's own nginx.conf. Where dpkg puts that in
// place nginx does not start again, its package stays half-configured and apt's run fails,
// and with it a Dokku that is upgraded in the same run. Dokku's installation takes it out of
// nginx.conf from 0.36.7 on, where there is one then (docs/dokku-versions.md#what-dokku-asks-of-docker).
var nginxTokens = Hazard{
	Name:    "nginx-tokens",
	Threads: "dokku/dokku#7976",

	Ground: func(g Ground) []Finding {
		raw := g.Changes["nginx"]
		// nginx.org's packages (1.28.0-1~bookworm) and Ubuntu's have another.
		if strings.Contains(raw.To, "~") || strings.Contains(raw.To, "ubuntu") || g.Nginx == "" || !app.Before(g.Nginx, "1.26") || app.Before(g.To("nginx"), "1.26") {
			return nil
		}
		var own, dokkus string
		for path, text := range g.Confs {
			switch {
			case strings.HasSuffix(path, "/conf.d/dokku.conf"):
				dokkus = text
			case path == g.NginxConf:
				own = text
			}
		}
		if own == "" || !strings.Contains(dokkus, "server_tokens") {
			return nil
		}
		f := Finding{
			Kind:        Notice,
			What:        fmt.Sprintf("Debian's nginx %s has server_tokens in its nginx.conf, and Dokku has it in conf.d/dokku.conf: nginx takes it once", g.To("nginx")),
			Consequence: fmt.Sprintf("Where dpkg asks about %s, keep yours (N). With the new one nginx does not start again, and apt's run fails.", g.NginxConf),
		}
		if strings.Contains(own, "server_tokens") { // as it came with its package, which dpkg replaces without a word
			f.Kind, f.Command = Manual, withoutTokens(g.NginxConf)
			f.Consequence = "dpkg may put the new nginx.conf in place without asking. nginx does not start again then, apt's run fails, and Dokku is not upgraded in it. " +
				"With the command the file is yours: dpkg asks about it, and keeps it unless you say otherwise."
		}
		return []Finding{f}
	},
}

// withoutTokens is what Dokku's installation does from 0.36.7 on.
func withoutTokens(conf string) string { return "sed -i /server_tokens/d " + conf }
