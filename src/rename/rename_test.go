package rename

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// newRename is a rename of blog to journal on a host that has nothing but blog.
func newRename(t *testing.T, h func(host.Host) host.Host) *Rename {
	t.Helper()
	dir := t.TempDir()
	local := host.NewLocal(host.Paths{DokkuRoot: dir + "/home/dokku", LibRoot: dir + "/var/lib/dokku"})
	r := &Rename{State: State{From: "blog", To: "journal", Dokku: "0.35.5"}, Host: h(local), Out: &say.Printer{},
		Note: func(string, string, error) error { return nil }}
	for _, name := range []string{local.Paths().App("blog"), filepath.Dir(app.DeployLock(local.Paths(), r.Dokku, "blog"))} {
		if err := os.MkdirAll(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestDomainsOf(t *testing.T) {
	old := strings.Fields("shop.example.org my_app.ex.com not-my_app.ex.com my_app.other.net")
	for _, c := range []struct {
		about             string
		taken             []string
		keep, certificate bool
		want              string
	}{
		{"kept, and the new default one at the end", nil, true, false, "shop.example.org my_app.ex.com not-my_app.ex.com my_app.other.net my-app.ex.com"},
		{"a certificate would not cover it", nil, true, true, "shop.example.org my_app.ex.com not-my_app.ex.com my_app.other.net"},
		{"another app has it", []string{"my-app.ex.com"}, true, false, "shop.example.org my_app.ex.com not-my_app.ex.com my_app.other.net"},
		{"as Dokku has it", nil, false, false, "shop.example.org my-app.ex.com not-my_app.ex.com my_app.other.net"},
	} {
		if got := domainsOf("0.35.5", old, "my_app", "my-app", []string{"ex.com", "two.com"}, c.taken, c.keep, c.certificate); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: %v", c.about, got)
		}
	}
}

// What core takes for an app's default domain depends on its name (app.DefaultDomains).
func TestDomainsOfDottedNames(t *testing.T) {
	for _, c := range []struct{ about, from, to, old, hosts, want string }{
		{"a name with a dot is a domain by itself", "my.app", "my-app", "my.app", "ex.com two.com", "my.app my-app.ex.com my-app.two.com"},
		{"and becomes one", "my_app", "my.app", "my_app.ex.com my_app.two.com", "ex.com two.com", "my_app.ex.com my_app.two.com my.app"},
		{"a host with an address alone gives none", "my.app", "my-app", "my.app", "192.0.2.1", "my.app"},
		{"a name below the host's is one by itself too", "shop.ex.com", "shop", "shop.ex.com", "ex.com", "shop.ex.com"},
	} {
		want := strings.Fields(c.want)
		if got := domainsOf("0.35.5", strings.Fields(c.old), c.from, c.to, strings.Fields(c.hosts), nil, true, false); !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", c.about, got, want)
		}
	}
}

func TestHook(t *testing.T) {
	for hook, want := range map[string]string{
		"cat | DOKKU_ROOT=\"/home/dokku\" dokku git-hook my_app\n":   "cat | DOKKU_ROOT=\"/home/dokku\" dokku git-hook my-app\n",
		"cat | DOKKU_ROOT=\"/home/dokku\" dokku git-hook \"my_app\"": "cat | DOKKU_ROOT=\"/home/dokku\" dokku git-hook \"my-app\"",
		"dokku git-hook my_app_2\n":                                  "dokku git-hook my_app_2\n",
	} {
		if got := string(hookOf([]byte(hook), "my_app", "my-app")); got != want {
			t.Errorf("%q", got)
		}
	}
	// A name in Latin-1 is no pattern, and ended the process.
	for _, name := range []string{"caf\xe9", "a[b", "a.b"} {
		hook := "cat | DOKKU_ROOT=\"/home/dokku\" dokku git-hook " + name + "\n"
		if got := string(hookOf([]byte(hook+hook), name, "new")); strings.Contains(got, name) || strings.Count(got, "git-hook new\n") != 2 {
			t.Errorf("%q", got)
		}
	}
}
