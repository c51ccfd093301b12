package hazard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// What Dokku's installation gives an app that has no domains is told from what a person
// has set, whatever the app and the host are called; and where it gives none, what comes
// of that is foreseen (app.DefaultDomains).
func TestDefaultDomainsOfAnInstallation(t *testing.T) {
	for _, c := range []struct{ name, hosts, now, taken string }{
		{"blog", "ex.com", "blog.ex.com", "blog.ex.com"},
		{"blog", "ex.com two.example", "blog.ex.com blog.two.example", "blog.ex.com blog.two.example"},
		{"shop.example.org", "ex.com", "shop.example.org", "shop.example.org"},
		{"shop.example.org", "ex.com two.example", "shop.example.org shop.example.org", "shop.example.org shop.example.org"},
		{"blog", "192.0.2.1 ex.com", "blog.ex.com", "blog.ex.com"},
		{"blog", "ex.com", "blog.example.org", ""},                    // a person's
		{"blog", "ex.com two.example", "blog.ex.com", ""},             // one of two is
		{"shop.example.org", "ex.com", "shop.example.org.ex.com", ""}, // no version gives that
	} {
		at := "root/" + c.name + "/"
		files := map[string]string{at + "CONTAINER.web.1": "f", "root/VHOST": strings.Join(strings.Fields(c.hosts), "\n")}
		s := overUpgrade(c.name, "0.29.4", "0.35.5", files, map[string]string{at + "VHOST": strings.Join(strings.Fields(c.now), "\n")})
		got := ""
		for _, f := range domainsRewritten.Detect(s) {
			got = strings.TrimSuffix(strings.TrimPrefix(f.Step.Text, "domains "), ", set by Dokku's installation")
		}
		if got != c.taken {
			t.Errorf("%s below %s, now %s: %q, not %q", c.name, c.hosts, c.now, got, c.taken)
		}
	}
	for _, c := range []struct {
		name, hosts string
		clears      bool
	}{
		{"blog", "", true}, {"blog", "ex.com", false}, {"blog", "192.0.2.1", true}, {"blog", "192.0.2.1.sslip.io", false}, {"blog", "my_host.com", true}, {"shop.example.org", "", true}, {"shop.example.org", "ex.com", false},
	} {
		at := "root/" + c.name + "/"
		files := map[string]string{at + "CONTAINER.web.1": "f", "lib/config/ports/" + c.name + "/map": "http:8080:5000", "root/VHOST": strings.Join(strings.Fields(c.hosts), "\n")}
		s := overUpgrade(c.name, "0.31.5", "0.35.20", files, nil)
		cleared := slices.ContainsFunc(portsLost.Foresee(s), func(f Finding) bool { return strings.Contains(f.What, "clears the port map") })
		if halts := needsScale(s.To, s.Now, app.Read(s.Files).Global.Domains); cleared != c.clears || halts != c.clears {
			t.Errorf("%s below %q: the map is cleared: %v, the installation ends: %v", c.name, c.hosts, cleared, halts)
		}
	}
}

// overUpgrade is an app over an upgrade, of files from before it and those that have come since.
func overUpgrade(name, from, to string, before, since map[string]string) Subject {
	files := func(version string, sides ...map[string]string) *app.Files {
		var list []app.File
		for _, side := range sides {
			for path, text := range side {
				list = append(list, app.File{Path: path, Mode: 0o644, Data: []byte(text), SHA256: app.Digest([]byte(text))})
			}
		}
		return app.NewFiles(version, []string{name}, nil, list)
	}
	old, now := files(from, before), files(to, before, since)
	was := app.Read(old).Apps[name]
	return Subject{
		Context: Context{
			Paths: host.Paths{DokkuRoot: "/home/dokku", LibRoot: "/var/lib/dokku"}, From: from, To: to, Baseline: fmt.Sprintf("20261123T013701Z-%s-pre-upgrade", from), JustInstalled: true,
			Files: now, Old: func() *app.Files { return old }, Shown: func(string) string { return "" }, Seeded: func(string, string) bool { return false },
		},
		Now: app.Read(now).Apps[name], Before: &was,
	}
}
