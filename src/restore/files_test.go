package restore

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/app"
)

// filesOf is the app blog, beside another one, with some files.
func filesOf(dokku string, content map[string]string, links ...string) *app.Files {
	list := []app.File{{Path: "root/blog", Mode: fs.ModeDir | 0o755}}
	for path, text := range content {
		list = append(list, app.File{Path: path, Mode: 0o755, Data: []byte(text), Size: len(text), SHA256: app.Digest([]byte(text))})
	}
	for _, path := range links {
		list = append(list, app.File{Path: path, Mode: fs.ModeSymlink | 0o777, Link: "/etc"})
	}
	return app.NewFiles(dokku, []string{"blog", "other"}, nil, list)
}

// Of an app's own files a restore writes what is the app's and nothing else, whatever a
// snapshot holds, and nothing through a link. A file is no program.
func TestRestoreOfFiles(t *testing.T) {
	const rev = "0123456789012345678901234567890123456789"
	old := map[string]string{
		"root/blog/htpasswd": "x", "root/blog/maintenance/a/b.html": "x", "root/blog/same": "x", "root/blog/other": "x", "root/blog/linked": "x", "root/blog/dir/x": "x",
		"root/blog/.deploy.lock": "x", "root/blog/IP.web.1": "x", "root/blog/nginx.conf": "x", "root/blog/HEAD": "x", "root/blog/hooks/post-receive": "x",
		"root/other/htpasswd": "x", "root/htpasswd": "x", "lib/data/basic-auth/blog/users": "x", "lib/data/basic-auth/other/users": "x", "lib/data/basic-auth/users": "x",
		"lib/data/apps/blog/.deploy.lock": "x", "lib/data/letsencrypt/blog/x": "x", "lib/data/upgrade-guard/blog/x": "x", "lib/data/storage/blog/x": "x", "lib/data/ln/blog/x": "x",
		"lib/data/ps/blog/Procfile": "x", "lib/data/app-json/blog/app.json": "x", "lib/data/scheduler-k3s/blog/kustomization/k.yaml": "x", "lib/data/scheduler-docker-local/blog/failed-containers": "x",
	}
	now := map[string]string{"root/blog/same": "x", "root/blog/other": "y", "lib/data/app-json/blog/app.json": "y"}
	for _, c := range []struct{ about, was, is, want string }{
		{"the same code", rev, rev, "[+] data/ps/blog/Procfile, [+] data/scheduler-k3s/blog/kustomization/k.yaml, "},
		{"other code", rev, strings.Replace(rev, "0", "f", 1), ""},
		{"no code", "", "", ""},
	} {
		was, is := filesOf("0.37.10", old), filesOf("0.37.10", now, "root/blog/linked", "root/blog/dir", "lib/data/ln")
		r := restorationOf(was, is)
		r.was.Git.Revision, r.Now.Git.Revision = c.was, c.is
		var got []string
		for _, s := range r.files() {
			if s == nil {
				continue
			}
			got = append(got, s.Mark+" "+strings.TrimPrefix(s.Text, "file "))
			if s.Mode&0o133 != 0 && s.Mark == "[+]" {
				t.Errorf("%s has the mode %o", s.Text, s.Mode)
			}
		}
		slices.Sort(got)
		want := "[+] data/basic-auth/blog/users, " + c.want + "[+] htpasswd, [+] maintenance/a/b.html, [~] other"
		if strings.Join(got, ", ") != want {
			t.Errorf("%s:\n%s, not\n%s", c.about, strings.Join(got, ", "), want)
		}
	}
}

// A mount that is in force stays unless the snapshot has another at its place; an entry that
// is there stays; one that says of itself that it is another is none.
func TestRestoreOfMounts(t *testing.T) {
	mount := func(entry, at, process string) string {
		return `{"entry_name":"` + entry + `","container_path":"` + at + `","phases":["deploy"],"process_type":"` + process + `"}` + "\n"
	}
	entry := func(name string) string { return `{"name":"` + name + `","scheduler":"docker-local"}` }
	const mounts, entries = "lib/config/storage/blog/mounts", "lib/data/storage-registry/entries/"
	for _, c := range []struct {
		about     string
		was, now  map[string]string
		mounts    string // what is written, "" for nothing
		entries   string
		said      string
		onlyFiles bool
	}{
		{about: "all gone", was: map[string]string{mounts: mount("a", "/a", "_default_"), entries + "a.json": entry("a")}, mounts: mount("a", "/a", "_default_"), entries: "a"},
		{about: "the entry alone", was: map[string]string{mounts: mount("a", "/a", ""), entries + "a.json": entry("a")}, now: map[string]string{mounts: mount("a", "/a", "")}, entries: "a"},
		{about: "the entry alone, with the files", was: map[string]string{entries + "a.json": entry("a")}, now: map[string]string{mounts: mount("a", "/a", "")}, entries: "a", onlyFiles: true},
		{about: "not its mounts, with the files", was: map[string]string{mounts: mount("b", "/b", ""), entries + "b.json": entry("b")}, onlyFiles: true},
		{about: "another place stays", was: map[string]string{mounts: mount("a", "/a", "")}, now: map[string]string{mounts: mount("b", "/b", ""), entries + "a.json": "", entries + "b.json": ""}, mounts: mount("a", "/a", "") + mount("b", "/b", "")},
		{about: "another process stays", was: map[string]string{mounts: mount("a", "/a", "web")}, now: map[string]string{mounts: mount("b", "/a/", "worker"), entries + "a.json": "", entries + "b.json": ""}, mounts: mount("a", "/a", "web") + mount("b", "/a/", "worker")},
		{about: "the same place is the snapshot's", was: map[string]string{mounts: mount("a", "/a", "")}, now: map[string]string{mounts: mount("b", "/a/", ""), entries + "a.json": "", entries + "b.json": ""}, mounts: mount("a", "/a", "")},
		{about: "the same", was: map[string]string{mounts: mount("a", "/a", "")}, now: map[string]string{mounts: mount("a", "/a", ""), entries + "a.json": ""}},
		{about: "another entry", was: map[string]string{mounts: mount("a", "/a", ""), entries + "a.json": entry("a")}, now: map[string]string{mounts: mount("a", "/a", ""), entries + "a.json": "x"}, said: "is another than in the snapshot"},
		{about: "held by none", was: map[string]string{mounts: mount("a", "/a", "")}, mounts: mount("a", "/a", ""), said: "does not hold the storage entry a"},
		{about: "no entry", was: map[string]string{mounts: mount("a", "/a", ""), entries + "a.json": entry("b")}, mounts: mount("a", "/a", ""), said: "does not hold the storage entry a"},
		{about: "no JSON", was: map[string]string{mounts: mount("a", "/a", ""), entries + "a.json": "x"}, mounts: mount("a", "/a", ""), said: "does not hold the storage entry a"},
		{about: "no name", was: map[string]string{mounts: mount("../../x", "/a", "")}, said: "in the snapshot cannot be read"},
		{about: "no mounts", was: map[string]string{mounts: "x\n"}, said: "in the snapshot cannot be read"},
		{about: "none that can be read now", was: map[string]string{mounts: mount("a", "/a", ""), entries + "a.json": entry("a")}, now: map[string]string{mounts: "x\n"}, entries: "a", said: "The mounts of blog cannot be read"},
		{about: "an older snapshot, without entries", was: map[string]string{}, now: map[string]string{mounts: mount("a", "/a", ""), entries + "a.json": ""}},
	} {
		r := restorationOf(filesOf("0.38.27", c.was), filesOf("0.38.27", c.now))
		parts := []string{"properties"}
		if c.onlyFiles {
			parts = []string{"files"}
		}
		steps, notes, _ := r.Plan(parts)
		gotMounts, gotEntries := "", ""
		for _, s := range steps {
			switch {
			case strings.HasSuffix(s.Path, "/mounts"):
				gotMounts = string(s.Data)
			case strings.Contains(s.Path, "/entries/"):
				gotEntries += strings.TrimSuffix(s.Path[strings.LastIndex(s.Path, "/")+1:], ".json")
				if s.Mode != 0o600 {
					t.Errorf("%s: %o", c.about, s.Mode)
				}
			}
		}
		if gotMounts != c.mounts || gotEntries != c.entries {
			t.Errorf("%s: %q and %q", c.about, gotMounts, gotEntries)
		}
		if said := strings.Join(notes, "\n"); c.said == "" && said != "" || !strings.Contains(said, c.said) {
			t.Errorf("%s: it is said: %q", c.about, said)
		}
	}
}
