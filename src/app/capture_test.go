package app

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upgrade-guard/src/host"
)

// smallHost is a host with two apps, without a Dokku.
func smallHost(t *testing.T) *host.Local {
	t.Helper()
	dir := t.TempDir()
	h := host.NewLocal(host.Paths{DokkuRoot: dir + "/home/dokku", LibRoot: dir + "/var/lib/dokku"})
	for name, content := range map[string]string{
		"var/lib/dokku/STABLE_VERSION":       "0.35.5",
		"var/lib/dokku/config/ps/blog/scale": "web=1\n",
		"home/dokku/ENV":                     "export A=\"1\"\n",
		"home/dokku/blog/ENV":                "export B=\"1\"\n",
		"home/dokku/blog/VHOST":              "blog.example.org\n",
		"home/dokku/blog/refs/heads/master":  "1e3140184d7fd5de1577b60155b58d55ab073230\n",
		"home/dokku/shop/ENV":                "export C=\"1\"\n",
		"home/dokku/shop/refs/heads/master":  "1e3140184d7fd5de1577b60155b58d55ab073230\n",
		"home/dokku/shop/tls/server.crt":     "x",
		"home/dokku/shop/nginx.conf":         "x",
		"home/dokku/shop/notes.txt":          "not Dokku's",
	} {
		if err := h.Write(filepath.Join(dir, name), 0o600, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func capturedPaths(t *testing.T, h host.Host) (*Files, map[string]File) {
	t.Helper()
	files, err := Capture(context.Background(), h, What{NoCommands: true})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]File{}
	for _, f := range files.All() {
		found[f.Path] = f
	}
	return files, found
}

// meanwhile does something before the nth look at the host.
type meanwhile struct {
	host.Host
	n  int
	do func()
}

func (m *meanwhile) look() {
	if m.n--; m.n == -1 {
		m.do()
	}
}

func (m *meanwhile) ReadFile(name string) ([]byte, error) { m.look(); return m.Host.ReadFile(name) }
func (m *meanwhile) ReadDir(name string) ([]fs.DirEntry, error) {
	m.look()
	return m.Host.ReadDir(name)
}
func (m *meanwhile) See(name string, listed fs.DirEntry, limit int64) (host.Seen, error) {
	m.look()
	return m.Host.See(name, listed, limit)
}
func (m *meanwhile) Lstat(name string) (fs.FileInfo, error) { m.look(); return m.Host.Lstat(name) }
func (m *meanwhile) Stat(name string) (fs.FileInfo, error)  { m.look(); return m.Host.Stat(name) }

// Somebody destroyed a preview app while the snapshot was taken, and it was called
// incomplete. An app that is gone is none; and one that was renamed is there under one
// name or the other, whole.
func TestAppsChangeWhileTheyAreRead(t *testing.T) {
	looks := &meanwhile{Host: smallHost(t), n: -1}
	capturedPaths(t, looks)
	if looks.n = -looks.n - 1; looks.n < 30 {
		t.Fatalf("it looks %d times only", looks.n)
	}
	for name, do := range map[string]func(root string) error{
		"destroyed": func(root string) error { return os.RemoveAll(root + "/shop") },
		"renamed":   func(root string) error { return os.Rename(root+"/shop", root+"/store") },
	} {
		for n := range looks.n {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				h := smallHost(t)
				files, found := capturedPaths(t, &meanwhile{Host: h, n: n, do: func() {
					if err := do(h.Paths().DokkuRoot); err != nil {
						t.Error(err)
					}
				}})
				if missing := files.Incomplete(); len(missing) > 0 {
					t.Errorf("incomplete: %v", missing)
				}
				if _, ok := found["root/blog/VHOST"]; !ok {
					t.Error("the other app is not there")
				}
				for _, app := range []string{"shop", "store"} {
					whole := 0
					for _, f := range []string{"ENV", "refs/heads/master", "tls/server.crt", "nginx.conf", "notes.txt"} {
						if _, ok := found["root/"+app+"/"+f]; ok {
							whole++
						}
					}
					// What is destroyed in its very last moment may have been read whole.
					if whole != 0 && whole != 5 {
						t.Errorf("%d of 5 files of %s are there", whole, app)
					}
					if is := strings.Contains(strings.Join(files.Apps, " "), app); is != (whole == 5) {
						t.Errorf("it has the apps %v, and %d files of %s", files.Apps, whole, app)
					}
				}
			})
		}
	}
}

// An app linked to itself made every snapshot of the host incomplete; so did a file in
// the place of a directory.
func TestLinksToThemselves(t *testing.T) {
	h := smallHost(t)
	root, lib := h.Paths().DokkuRoot, h.Paths().LibRoot
	for name, target := range map[string]string{
		root + "/loop": "loop", root + "/nowhere": "/does/not/exist", root + "/blog/nginx.conf.d": "nginx.conf.d",
		lib + "/config/loop": "loop", lib + "/data/ps/blog": "blog",
	} {
		if err := h.Link(target, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{lib + "/config/stray", lib + "/data/app-json/blog", root + "/shop/refs/heads/x", root + "/shop/hooks"} {
		if err := h.Write(name, 0o600, []byte("stray")); err != nil {
			t.Fatal(err)
		}
	}
	files, found := capturedPaths(t, h)
	if missing := files.Incomplete(); len(missing) > 0 {
		t.Errorf("incomplete: %v", missing)
	}
	if got := strings.Join(files.Apps, " "); got != "blog shop" {
		t.Errorf("the apps are %s", got)
	}
	if found["root/blog/nginx.conf.d"].Link != "nginx.conf.d" || found["lib/config/loop"].Link != "loop" || string(found["lib/config/stray"].Data) != "stray" {
		t.Error("a link or a file in the place of a directory is not captured")
	}
	if _, ok := found["root/shop/hooks"]; ok {
		t.Error("hooks was captured, and no snapshot holds that")
	}
	for path := range found {
		if !Holds(path) {
			t.Errorf("%q was captured, and no snapshot holds it", path)
		}
	}
}

// One who deploys makes as many branches as he likes, and they are no reason for the
// others to be without a snapshot.
func TestTooManyBranches(t *testing.T) {
	h := smallHost(t)
	dir := h.Paths().App("shop") + "/refs/heads/x"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for n := range maxTree {
		if err := os.WriteFile(fmt.Sprintf("%s/%06d", dir, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, found := capturedPaths(t, h)
	if missing := files.Incomplete(); len(missing) != 0 {
		t.Errorf("incomplete: %v", missing)
	}
	if left := found["root/shop/refs/heads/x/"]; left.Error != "left out: there are more than 20000 files" {
		t.Errorf("it says %q", left.Error)
	}
	if len(found) < maxTree || len(found) > maxTree+50 {
		t.Errorf("it has %d files", len(found))
	}
}

// What is captured of one app alone is what is captured of it beside the others, with what is
// the host's: whatever apps and namespaces are called.
func TestOneAppIsCapturedAsBesideTheOthers(t *testing.T) {
	h := smallHost(t)
	for name, content := range map[string]string{
		"lib/config/--global/ENV":          "G=1\n", // of 0.38
		"lib/config/blog/ENV":              "B=1\n",
		"lib/config/shop/ENV":              "C=1\n",
		"lib/config/shop/blog/url":         "a namespace that is called like an app",
		"lib/config/shop/--global/url":     "and has something of the host's",
		"lib/config/gone/blog/x":           "of a plugin that is gone",
		"lib/config/blog/shop/x":           "a namespace that is called like this app",
		"lib/config/nginx/blog/hsts":       "false",
		"lib/config/nginx/shop/hsts":       "false",
		"lib/config/nginx/--global/hsts":   "true",
		"root/blog/CONTAINER.web.1":        "abc\n",
		"lib/data/letsencrypt/autorenew":   "on",
		"lib/config/letsencrypt/blog/mail": "x",
	} {
		path := RealPath(h.Paths(), name)
		if err := h.Write(path, 0o600, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := Capture(context.Background(), h, What{NoCommands: true})
	if err != nil {
		t.Fatal(err)
	}
	one, err := Capture(context.Background(), h, What{Apps: []string{"blog"}, NoCommands: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range whole.All() {
		if scope := Scope(file.Path); scope == "shop" || strings.HasPrefix(file.Path, "facts/") {
			continue
		}
		if got, there := one.Get(file.Path); !there || got.SHA256 != file.SHA256 {
			t.Errorf("%s is not captured with blog alone", file.Path)
		}
	}
}
