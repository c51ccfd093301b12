package plugins

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// installed makes a host with one enabled plugin, made-up. Files that begin with
// #! are executable.
func installed(t *testing.T, files []txtar.File) host.Host {
	t.Helper()
	lib := t.TempDir()
	dir := filepath.Join(lib, "plugins", "available", "made-up")
	for _, f := range files {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(string(f.Data), "#!") {
			mode = 0o755
		}
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, mode); err != nil {
			t.Fatal(err)
		}
	}
	// Beside it are one of core's and the guard itself.
	core := filepath.Join(lib, "core-plugins", "available", "ps")
	for _, d := range []string{core, filepath.Join(lib, "plugins", "enabled"), filepath.Join(lib, "plugins", "available", host.Plugin)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"available/ps": core, "enabled/ps": "../available/ps", "enabled/made-up": dir,
		"enabled/" + host.Plugin: "../available/" + host.Plugin} {
		if err := os.Symlink(to, filepath.Join(lib, "plugins", link)); err != nil {
			t.Fatal(err)
		}
	}
	return host.NewLocal(host.Paths{LibRoot: lib, PluginPath: filepath.Join(lib, "plugins")})
}

// Each archive in testdata is a plugin, headed by what it is about; want is what
// it uses that is gone in some version, with the trigger that fails for want of it
// in a deploy in brackets.
func TestUses(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal(err, archives)
	}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			last := len(archive.Files) - 1
			if archive.Files[last].Name != "want" {
				t.Fatal("the last file of the archive is not want")
			}
			plugins, err := Read(installed(t, archive.Files[:last]))
			if err != nil || len(plugins) != 1 {
				t.Fatal(err, plugins)
			}
			var got strings.Builder
			for _, u := range plugins[0].Uses() {
				got.WriteString(u.What)
				switch {
				case u.Hook != "" && u.Always:
					got.WriteString(" [" + u.Hook + ", always]")
				case u.Hook != "":
					got.WriteString(" [" + u.Hook + "]")
				}
				got.WriteString("\n")
			}
			if want := string(archive.Files[last].Data); got.String() != want {
				t.Errorf("got:\n%s\nwant:\n%s", &got, want)
			}
		})
	}
}

// 0.37.0 brought a file back that 0.30.0 had removed.
func TestGoneAndBack(t *testing.T) {
	u := Use{gone: "0.30.0", back: "0.37.0"}
	for version, gone := range map[string]bool{"0.29.4": false, "0.30.0": true, "0.36.11": true, "0.37.0": false, "0.38.27": false} {
		if u.GoneIn(version) != gone {
			t.Errorf("%s: %v", version, !gone)
		}
	}
}

func TestPinned(t *testing.T) {
	for _, test := range []struct {
		files  string
		git    bool
		pinned string
	}{
		{"-- commands --\n#!/bin/sh\n", false, ""},
		{"-- .git/HEAD --\nref: refs/heads/master\n", true, ""},
		{"-- .git/HEAD --\n1a4b2e5f\n-- .plugin_committish --\n0.9.4\n", true, "0.9.4"},
		{"-- .git/HEAD --\n1a4b2e5f\n", true, "a commit"},
	} {
		plugins, err := Read(installed(t, txtar.Parse([]byte(test.files)).Files))
		if err != nil || len(plugins) != 1 || plugins[0].Git != test.git || plugins[0].Pinned != test.pinned {
			t.Errorf("%q: %v %+v", test.files, err, plugins)
		}
	}
}

// The table is what it says it is: every row has a version, and no name stands
// there twice for the same kind and version.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range all {
		if app.ValidVersion(r.gone) == (r.docker > 0) || r.back != "" && !app.Before(r.gone, r.back) || (r.with == "") != (r.home == "") {
			t.Errorf("%+v", r)
		}
		for _, name := range strings.Fields(r.names) {
			key := strings.Join([]string{string(rune('0' + r.kind)), name, r.with}, " ")
			if seen[key] {
				t.Errorf("%s is there twice", key)
			}
			seen[key] = true
		}
	}
}

func TestTakenAndDangling(t *testing.T) {
	h := installed(t, txtar.Parse([]byte("-- data --\n")).Files)
	lib := h.Paths().LibRoot
	for link, to := range map[string]string{
		"data/storage/app/media": "/mnt/a disk that is not mounted",
		"data/storage/app/fine":  lib,
		"plugins/enabled/gone":   "/nowhere", // all versions delete these
	} {
		name := filepath.Join(lib, link)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
	}
	if got := Taken(h); !slices.Equal(got, []string{"made-up", host.Plugin}) {
		t.Errorf("taken: %v", got)
	}
	if got, all := Dangling(h); !slices.Equal(got, []string{lib + "/data/storage/app/media"}) || !all {
		t.Errorf("dangling: %v %v", got, all)
	}
}

// Whatever a file holds, it is taken apart without a panic and line by line.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "'", `"$(`, "`", "a \\", "cat <<EOF", "cat <<EOF\nEOF", "cat <<-'E' <<F\n\tE\nF\nx", "$((1<<2))", "# it's\n(", ")))"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		began := cpu()
		defer func() {
			if took := cpu() - began; took > time.Second+time.Duration(len(source))*10*time.Microsecond {
				t.Fatalf("%d bytes took %s", len(source), took)
			}
		}()
		s := parse(source)
		lines := strings.Split(source, "\n")
		if len(s.text) != len(lines) || len(s.code) != len(lines) {
			t.Fatalf("%d lines became %d and %d", len(lines), len(s.text), len(s.code))
		}
		for n := range lines {
			if len(s.text[n]) != len(lines[n]) || len(s.code[n]) != len(lines[n]) {
				t.Errorf("line %d: %q became %q and %q", n+1, lines[n], s.text[n], s.code[n])
			}
		}
		s.sourcesOwn("made-up", "functions")
		for _, r := range all {
			for _, name := range strings.Fields(r.names) {
				if s.has(name) {
					r.lines(name)(s)
					s.matches(name, asking(name))
					s.defines(name)
				}
			}
		}
	})
}
