package hazard

import (
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// Dokku gives my_app a domain that its own commands take for none: a command of these is no
// help to anybody. Seen on a real 0.38.27.
func TestDomainsCommand(t *testing.T) {
	paths := host.Paths{DokkuRoot: "/home/dokku"}
	for _, c := range []struct {
		to       string
		disabled bool
		domains  []string
		want     string
	}{
		{"0.38.27", false, []string{"a.example", "*.b.example"}, "dokku domains:set my_app a.example '*.b.example'"},
		{"0.38.27", false, []string{"my_app.b.example", "a.example"}, `printf '%s\n' my_app.b.example a.example | sudo -u dokku tee /home/dokku/my_app/VHOST >/dev/null && dokku proxy:build-config my_app`},
		{"0.38.27", true, []string{"my_app.b.example"}, `dokku config:unset --no-restart my_app NO_VHOST && printf '%s\n' my_app.b.example | sudo -u dokku tee /home/dokku/my_app/VHOST >/dev/null && dokku proxy:build-config my_app`},
		{"0.38.27", false, []string{"_"}, "dokku domains:set my_app _"},
		{"0.24.10", false, []string{"_"}, `printf '%s\n' _ | sudo -u dokku tee /home/dokku/my_app/VHOST >/dev/null && dokku proxy:build-config my_app`},
	} {
		s := Subject{Context: Context{To: c.to, Paths: paths}, Now: app.State{Name: "my_app", Domains: app.Domains{Disabled: c.disabled}}}
		if got := domainsCommand(s, c.domains); got != c.want {
			t.Errorf("%v on %s: %s", c.domains, c.to, got)
		}
	}
	for _, c := range [][2]string{{"b.example", "dokku domains:set-global b.example"}, {"my_host.example", `printf '%s\n' my_host.example | sudo -u dokku tee /home/dokku/VHOST >/dev/null`}} {
		if got := GlobalDomainsCommand(paths, "0.38.27", []string{c[0]}); got != c[1] {
			t.Errorf("%s: %s", c[0], got)
		}
	}
}
