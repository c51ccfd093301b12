package app

import (
	"strings"
	"testing"
)

// A branch called feature/hooks made every snapshot of the host unusable, and so did
// most other ordinary names. A name is only a name; what is refused is where a path
// leads.
func TestHolds(t *testing.T) {
	for _, path := range []string{
		"root/ENV", "root/VHOST", "root/shop", "root/shop/", "root/shop/HEAD", "root/shop/nginx.conf.d/x.conf",
		"root/shop/refs/heads/hooks", "root/shop/refs/heads/feature/hooks", "root/shop/refs/heads/hooks/x", "root/shop/refs/tags/hooks",
		"root/shop/refs/heads/caf\xe9", "root/shop/refs/heads/a\nb", "root/shop/refs/heads/a b", `root/shop/refs/heads/a\b`, "root/shop/refs/heads/...",
		"root/shop/refs/heads/.ssh", "root/shop/tls/hooks", "root/shop/.hidden", "root/caf\xe9/ENV", "root/-rf/ENV", "root/--global/ENV",
		"root/hooks", "root/hooks/ENV", "root/hooks/refs/heads/hooks", "root/shop/Hooks/x", "root/shop/hooks2/x",
		"lib/VERSION", "lib/STABLE_VERSION", "lib/config/hooks/shop/hooks", "lib/config/nginx/hooks/hooks", "lib/config/ps/caf\xe9/scale",
		"lib/config/..x/shop/y", "lib/data/ps/shop/Procfile", "lib/config/ps/",
		"facts/docker", "facts/crontab", "facts/letsencrypt-plugin", "facts/image/hooks/Procfile", "facts/image/caf\xe9/Procfile",
		"root/" + strings.Repeat("x", maxPath-5),
	} {
		if !Holds(path) {
			t.Errorf("%q is refused", path)
		}
	}
	for _, path := range []string{
		"", "/", "root", "root/", "lib", "lib/", "facts", "facts/", "x", "manifest.json", "/root/shop/ENV", "//", "root//ENV", "root/shop//ENV",
		"root/.ssh", "root/.ssh/authorized_keys", "root/.dokkurc/x", "root/.upgrade-guard/shop", "root/.", "root/..", "root/../etc/passwd",
		"root/shop/hooks", "root/shop/hooks/", "root/shop/hooks/post-receive", "root/hooks/hooks/post-receive", "root/shop/./hooks/post-receive",
		"root/shop/../.ssh/authorized_keys", "root/shop/..", "root/shop/.", "root/shop/nginx.conf.d/../hooks/x", "root/shop/\x00", "root/shop//",
		"lib/plugins/enabled/x/install", "lib/core-plugins", "lib/config/..", "lib/config/../../../etc/passwd", "lib/config/ps/../x", "lib/data/..", "lib/x",
		"facts/../x", "facts/Docker", "facts/a b", "/etc/passwd", "../etc/passwd", "etc/passwd", "./root/shop/ENV", "ROOT/shop/ENV",
		"root/" + strings.Repeat("x", maxPath),
	} {
		if Holds(path) {
			t.Errorf("%q is taken", path)
		}
	}
}

func TestScope(t *testing.T) {
	for path, want := range map[string]string{
		"root/shop/ENV": "shop", "root/shop/": "shop", "root/app-shop/ENV": "app-shop",
		"lib/config/ps/shop/scale": "shop", "lib/config/shop/ENV": "shop", "lib/config/ps/app-shop/scale": "app-shop", "lib/config/ps/": "",
		"lib/data/nginx-vhosts/app-shop/nginx.conf.sigil": "shop", "lib/data/ps/shop/Procfile": "shop", "lib/VERSION": "",
		"facts/docker": "", "facts/image/shop/Procfile": "shop",
	} {
		if got := Scope(path); got != want {
			t.Errorf("%s is of %q, not %q", path, got, want)
		}
	}
}

// An app is renamed, and another one is called app-<its old name>: that one's files
// stay its own.
func TestRenamedLeavesOthersAlone(t *testing.T) {
	var list []File
	paths := []string{
		"facts/image/blog/Procfile", "lib/config/blog/ENV", "lib/config/ps/app-blog/scale", "lib/config/ps/blog/blog",
		"lib/data/nginx-vhosts/app-blog/nginx.conf.sigil", "root/app-blog/ENV", "root/blog/ENV", "root/blog/refs/heads/blog",
	}
	for _, p := range paths {
		list = append(list, File{Path: p})
	}
	files := NewFiles("0.38.0", []string{"app-blog", "blog"}, nil, list).Renamed("blog", "news")
	var got []string
	for _, f := range files.All() {
		got = append(got, f.Path)
	}
	want := "facts/image/news/Procfile lib/config/news/ENV lib/config/ps/app-blog/scale lib/config/ps/news/blog " +
		"lib/data/nginx-vhosts/app-news/nginx.conf.sigil root/app-blog/ENV root/news/ENV root/news/refs/heads/blog"
	if strings.Join(got, " ") != want {
		t.Errorf("renamed they are\n%s, not\n%s", strings.Join(got, " "), want)
	}
}
