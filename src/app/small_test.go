package app

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Whatever is small is captured, and what is not is named and left out as a whole; who
// fills one of these places costs nobody else anything. Nothing of it makes a snapshot
// incomplete.
func TestWhatIsSmall(t *testing.T) {
	h := smallHost(t)
	root, lib := h.Paths().DokkuRoot, h.Paths().LibRoot
	put := func(name, content string) {
		t.Helper()
		if err := h.Write(name, 0o600, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{
		root + "/shop/htpasswd", root + "/shop/maintenance/a/index.html", root + "/shop/objects/ab/cd", root + "/shop/hooks/x", root + "/shop/cache/x",
		lib + "/data/basic-auth/shop/users", lib + "/data/basic-auth/gone/users", lib + "/data/basic-auth/list", lib + "/data/file",
		lib + "/data/storage-registry/entries/e.json", lib + "/data/openresty-vhosts/app-shop/openresty-http-includes/x.conf", lib + "/data/traefik/traefik-acme.json",
		lib + "/data/ps/shop/Procfile", lib + "/data/ps/retire", lib + "/data/storage/shop/db", lib + "/data/upgrade-guard/key", lib + "/data/git/shop/x", lib + "/data/builds/shop/1.log",
	} {
		put(path, "x")
	}
	for n := range maxSmall + 1 {
		put(fmt.Sprintf("%s/data/many/shop/%d", lib, n), "x")
	}
	for n := range maxSmall + 5 {
		put(fmt.Sprintf("%s/data/storage-registry/entries/n%d.json", lib, n), "{}")
		put(fmt.Sprintf("%s/data/loose/%d", lib, n), "x")
	}
	put(lib+"/data/loose/shop/x", "x")
	for n := range 5 {
		put(fmt.Sprintf("%s/shop/large/%d", root, n), strings.Repeat("x", MaxFile-1))
	}
	put(root+"/shop/beside/large", strings.Repeat("x", MaxFile+1))
	put(root+"/shop/beside/small", "x")
	deep := root + "/shop/deep" + strings.Repeat("/d", maxDepth+2)
	put(deep+"/x", "x")
	if err := syscall.Mkfifo(root+"/shop/maintenance/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Link("/etc", root+"/shop/maintenance/etc"); err != nil {
		t.Fatal(err)
	}
	if err := h.Link("/etc", lib+"/data/linked"); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		put(lib+"/data/caddy/caddy/x", "x")
		if err := os.Chmod(lib+"/data/caddy/caddy", 0); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(lib+"/data/caddy/caddy", 0o700)
	}
	files, found := capturedPaths(t, h)
	if missing := files.Incomplete(); len(missing) > 0 {
		t.Errorf("incomplete: %q", missing)
	}
	for _, path := range []string{
		"root/shop/htpasswd", "root/shop/maintenance/a/index.html", "root/shop/beside/small", "root/shop/notes.txt", "lib/data/basic-auth/shop/users", "lib/data/basic-auth/gone/users", "lib/data/basic-auth/list",
		"lib/data/file", "lib/data/storage-registry/entries/e.json", "lib/data/openresty-vhosts/app-shop/openresty-http-includes/x.conf", "lib/data/traefik/traefik-acme.json",
		"lib/data/ps/shop/Procfile", "lib/data/ps/retire", "lib/data/storage-registry/entries/n1004.json", "lib/data/loose/shop/x",
	} {
		if found[path].SHA256 == "" {
			t.Errorf("%s is not captured: %q", path, found[path].Error)
		}
	}
	for path, want := range map[string]string{
		"lib/data/loose/": "more than 1000 files", "lib/data/many/shop/": "more than 1000 files", "root/shop/large/": "larger than 4 MiB together", "root/shop/deep/": "more than 50 deep", "root/shop/beside/large": "larger than 1 MiB",
		"root/shop/maintenance/fifo": "a FIFO",
	} {
		if f := found[path]; !f.LeftOut() || !strings.Contains(f.Error, want) {
			t.Errorf("%s: %q", path, f.Error)
		}
	}
	if found["root/shop/maintenance/etc"].Link != "/etc" || found["lib/data/linked"].Link != "/etc" {
		t.Error("a link is not captured as one")
	}
	for path := range found {
		for _, never := range []string{"lib/data/storage/", "lib/data/upgrade-guard", "lib/data/git", "lib/data/builds", "lib/data/many/shop/1", "root/shop/large/1", "root/shop/objects", "root/shop/hooks", "root/shop/cache"} {
			if strings.HasPrefix(path, never) && path != "lib/data/many/shop/" {
				t.Errorf("%s is captured", path)
			}
		}
		if !Holds(path) {
			t.Errorf("%s is captured, and no snapshot holds it", path)
		}
	}
	// What is left out stands in the way of no word about it: it is not known.
	if f, there := files.Get("lib/data/many/shop/1"); !there || f.Error == "" {
		t.Error("what was left out is said to be missing")
	}
}

// Those of a host have an end together, and it is not the first that comes that is left out.
func TestAllThatIsSmall(t *testing.T) {
	h := smallHost(t)
	for n := range 30 {
		for m := range 3 {
			if err := h.Write(fmt.Sprintf("%s/data/plugin/d%02d/%d", h.Paths().LibRoot, n, m), 0o600, []byte(strings.Repeat("x", MaxFile))); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, found := capturedPaths(t, h)
	for n := range 30 {
		_, whole := found[fmt.Sprintf("lib/data/plugin/d%02d/0", n)]
		left := found[fmt.Sprintf("lib/data/plugin/d%02d/", n)]
		if whole != (n < maxAllSmall>>20/3) || whole == left.LeftOut() {
			t.Errorf("%d: %v, %q", n, whole, left.Error)
		}
	}
	if missing := files.Incomplete(); len(missing) > 0 || found["root/shop/ENV"].SHA256 == "" {
		t.Errorf("incomplete: %q", missing)
	}
}
