package app

import (
	"slices"
	"strings"
	"testing"
)

// What get_default_vhosts of plugins/domains/functions prints, for names over versions. The
// function is the same in all tags from v0.20.0 to v0.38.27, but for the check of the name
// and is_valid_hostname. Most of this was held to those of 0.20.4, 0.24.10, 0.29.4 and
// 0.38.27, and tried with apps:create on 0.38.27 and domains:setup on 0.20.4.
func TestDefaultDomains(t *testing.T) {
	all := "0.20.4 0.21.4 0.22.9 0.24.10 0.25.7 0.27.10 0.29.4 0.30.11 0.34.9 0.35.20 0.37.10 0.38.27"
	for _, c := range []struct{ about, versions, name, hosts, want string }{
		{"below the host's", all, "blog", "ex.com", "blog.ex.com"},
		{"below each of them, in their order", all, "blog", "ex.com two.example", "blog.ex.com blog.two.example"},
		{"an underscore is written unchecked", all, "my_app", "ex.com", "my_app.ex.com"},
		{"a digit", all, "1-2", "ex.com", "1-2.ex.com"},
		{"a dot: the name itself", all, "shop.example.org", "ex.com", "shop.example.org"},
		{"once for each of the host's", all, "shop.example.org", "ex.com two.example", "shop.example.org shop.example.org"},
		{"below the host's already", all, "blog.ex.com", "ex.com", "blog.ex.com"},
		{"a dot at the end", all, "blog.", "ex.com", "blog."},
		{"called as the host", all, "ex.com", "ex.com", "ex.com"},
		{"called as the host's first label", all, "ex", "ex.com", "ex.ex.com"},
		{"a slash, which 0.20 allows, is a dash", "0.20.4", "team/blog", "ex.com", "team-blog.ex.com"},
		{"the first one", "0.20.4", "a/b/c", "ex.com", "a-b/c.ex.com"},
		{"capitals of the host stay", all, "blog", "Ex.COM", "blog.Ex.COM"},
		{"the host has none", all, "blog", "", ""},
		{"nor for a name with a dot", all, "shop.example.org", "", ""},
		{"an address gives none", all, "blog", "192.0.2.1", ""},
		{"and is passed over", all, "blog", "192.0.2.1 ex.com", "blog.ex.com"},
		{"also at the end of a name", all, "blog", "x192.0.2.1", ""},
		{"a name with an address in it does", all, "blog", "192.0.2.1.sslip.io", "blog.192.0.2.1.sslip.io"},
		{"an address of six", all, "blog", "2001:db8::1", ""},
		{"nor a dotted one", all, "shop.example.org", "192.0.2.1", ""},
		{"a wildcard is taken for a name", all, "blog", "*.ex.com", "blog.*.ex.com"},
		{"an underscore in the host's alone is no host name", all, "blog", "my_host.com", ""},
		{"beside one that is, it counts", all, "blog", "my_host.com ex.com", "blog.my_host.com blog.ex.com"},
		{"the catch-all to 0.30.3", "0.20.4 0.29.4 0.30.3", "blog", "_", ""},
		{"and later", "0.30.4 0.38.27", "blog", "_", "blog._"},
	} {
		for _, version := range strings.Fields(c.versions) {
			if got := DefaultDomains(version, c.name, strings.Fields(c.hosts)); !slices.Equal(got, strings.Fields(c.want)) {
				t.Errorf("%s on %s: %q below %q gives %q, not %q", c.about, version, c.name, c.hosts, got, c.want)
			}
		}
	}
}

func TestInherited(t *testing.T) {
	for _, c := range []struct {
		version string
		there   bool
		want    string
	}{
		{"0.20.4", true, "ex.com two.example"}, {"0.21.4", true, "ex.com two.example"}, {"0.21.4", false, "host.ex.com"},
		{"0.22.0", true, "host.ex.com"}, {"0.24.10", false, "host.ex.com"}, {"0.25.0", true, ""}, {"0.38.27", true, ""},
	} {
		if got := Inherited(c.version, c.there, []string{"ex.com", "two.example"}, []string{"host.ex.com"}); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s, %v: %q", c.version, c.there, got)
		}
	}
}
