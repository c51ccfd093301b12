package hazard

import (
	"strings"
	"testing"

	"upgrade-guard/src/app"
)

// upgraded is the app blog, and the host, after an upgrade and before.
func upgraded(from, to string, was, now map[string]string) (Subject, HostSubject) {
	s, old := subject(to, now), subject(from, was)
	s.From, s.Baseline, s.Before = from, "the baseline", &old.Now
	s.Old = func() *app.Files { return old.Files }
	s.Shown = func(string) string { return "f" }
	before := app.Read(old.Files).Global
	return s, HostSubject{Context: s.Context, Now: app.Read(s.Files), Before: &before}
}

func whats(found []Finding) string {
	var all []string
	for _, f := range found {
		all = append(all, f.What)
	}
	return strings.Join(all, "; ")
}

// The loss of what plugins and people keep is told; that of what Dokku writes anew, of
// locks and caches, and of what a build has brought with other code, is none. What a
// snapshot from before it was captured does not have is not new either.
func TestDriftOfFiles(t *testing.T) {
	rev := "export GIT_REV=0123456789012345678901234567890123456789\n"
	for _, c := range []struct {
		about    string
		was, now map[string]string
		app      string
		host     string
	}{
		{"an app's", map[string]string{"root/blog/htpasswd": "x", "root/blog/m/a.html": "x", "lib/data/basic-auth/blog/users": "x"}, nil,
			"its file htpasswd is gone; its file m/a.html is gone; its file data/basic-auth/blog/users is gone", ""},
		{"changed", map[string]string{"root/blog/htpasswd": "x", "lib/data/basic-auth/blog/users": "x"}, map[string]string{"root/blog/htpasswd": "y", "lib/data/basic-auth/blog/users": "y"},
			"its file htpasswd has been changed", ""},
		{"Dokku's", map[string]string{"root/blog/IP.web.1": "x", "root/blog/.deploy.lock": "x", "lib/data/apps/blog/.deploy.lock": "x", "lib/data/scheduler-docker-local/blog/failed-containers": "x",
			"lib/data/nginx-vhosts/dokku-errors/400-error.html": "x", "lib/data/ps/retire": "x", "lib/data/storage-registry/migrations/blog": "x", "lib/data/letsencrypt/x": "x", "lib/data/cron/x": "x"}, nil, "", ""},
		{"locks and caches", map[string]string{"lib/data/caddy/caddy/locks/x": "x", "lib/data/x/blog/cache/y": "x", "root/blog/x.pid": "x", "lib/data/traefik/x.log": "x"}, nil, "", ""},
		{"the host's", map[string]string{"lib/data/traefik/traefik-acme.json": "x", "lib/data/caddy/caddy/certificates/x.crt": "x", "lib/data/basic-auth/list": "x"}, nil,
			"", "its file data/basic-auth/list is gone; its file data/caddy/caddy/certificates/x.crt is gone; its file data/traefik/traefik-acme.json is gone"},
		{"a build's, of the same code", map[string]string{"root/blog/ENV": rev, "lib/data/scheduler-k3s/blog/kustomization/k.yaml": "x", "lib/data/ps/blog/Procfile": "x"}, map[string]string{"root/blog/ENV": rev},
			"its file data/ps/blog/Procfile is gone; its file data/scheduler-k3s/blog/kustomization/k.yaml is gone", ""},
		{"a build's, of other code", map[string]string{"root/blog/ENV": rev, "lib/data/scheduler-k3s/blog/kustomization/k.yaml": "x"}, map[string]string{"root/blog/ENV": strings.Replace(rev, "0", "f", 1)}, "", ""},
		{"new", nil, map[string]string{"root/blog/htpasswd": "x", "lib/data/basic-auth/blog/users": "x", "lib/data/traefik/x": "x"}, "", ""},
	} {
		s, h := upgraded("0.36.11", "0.37.10", c.was, c.now)
		if got := whats(drift.Detect(s)); got != c.app {
			t.Errorf("%s: %s", c.about, got)
		}
		if got := whats(drift.DetectHost(h)); got != c.host {
			t.Errorf("%s, the host: %s", c.about, got)
		}
		h.Files.Partial = true
		if got := whats(drift.DetectHost(h)); got != "" {
			t.Errorf("%s, where not all is looked at: %s", c.about, got)
		}
	}
	// What is not known, in the baseline or at present, is neither gone nor changed.
	for _, path := range []string{"root/blog/m/", "lib/data/basic-auth/blog/", "lib/data/", "root/blog/m/a", "lib/data/basic-auth/blog/users", "lib/data/traefik/x"} {
		content := map[string]string{"root/blog/m/a": "x", "lib/data/basic-auth/blog/users": "x", "lib/data/traefik/x": "x"}
		s, h := upgraded("0.36.11", "0.37.10", content, nil)
		var list []app.File
		for p := range content {
			if !strings.HasPrefix(p, path) {
				list = append(list, app.File{Path: p, SHA256: app.Digest([]byte("x"))})
			}
		}
		s.Files = app.NewFiles("0.37.10", []string{"blog"}, nil, append(list, app.File{Path: path, Error: "left out: there are too many"}))
		h.Files = s.Files
		if got := whats(drift.Detect(s)) + whats(drift.DetectHost(h)); got != "" {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestDriftOfK3s(t *testing.T) {
	const ns = "lib/config/scheduler-k3s/"
	for _, c := range []struct {
		about, from, to string
		was, now        map[string]string
		want            string
	}{
		{"made maps", "0.37.10", "0.38.27", map[string]string{ns + "blog/web.pod": "a: b\n", ns + "--global/chart.traefik.x": "1"},
			map[string]string{ns + "blog/web.pod": `{"a":"b"}`, ns + "--global/chart-overrides.traefik": `{"x":"1"}`, ns + "blog/tls-cert-imported": "true"}, ""},
		{"its memory", "0.37.10", "0.38.27", map[string]string{ns + "blog/tls-cert-imported": "true"}, nil, ""},
		{"another value", "0.37.10", "0.38.27", map[string]string{ns + "blog/web.pod": "a: b\n"}, map[string]string{ns + "blog/web.pod": `{"a":"c"}`},
			"the property scheduler-k3s/blog/web.pod was a value with the fingerprint f, and is a value with the fingerprint f"},
		{"gone", "0.37.10", "0.38.27", map[string]string{ns + "blog/namespace": "x", ns + "--global/chart.traefik.x": "1", ns + "--global/token": "x"}, map[string]string{ns + "--global/chart-overrides.traefik": "{}"},
			`the property scheduler-k3s/blog/namespace was "x", and is gone; the property scheduler-k3s/--global/chart.traefik.x was a value with the fingerprint f, and is gone; ` +
				`the property scheduler-k3s/--global/token was a value with the fingerprint f, and is gone`},
	} {
		s, h := upgraded(c.from, c.to, c.was, c.now)
		if got := strings.Trim(whats(drift.Detect(s))+"; "+whats(drift.DetectHost(h)), "; "); got != c.want {
			t.Errorf("%s: %s", c.about, got)
		}
	}
}

// A mount whose entry is gone; and one of which that is not known.
func TestStorageEntries(t *testing.T) {
	const mounts, entry = "lib/config/storage/blog/mounts", "lib/data/storage-registry/entries/a.json"
	mount := `{"entry_name":"a","container_path":"/a","phases":["deploy"]}` + "\n"
	whole := `{"name":"a","scheduler":"docker-local"}`
	for _, c := range []struct {
		about    string
		to       string
		was, now map[string]string
		found    int
		step     bool
	}{
		{"gone, and held", "0.38.27", map[string]string{entry: whole}, map[string]string{mounts: mount}, 1, true},
		{"gone, and not held", "0.38.27", nil, map[string]string{mounts: mount}, 1, false},
		{"gone, and held as what is none", "0.38.27", map[string]string{entry: "x"}, map[string]string{mounts: mount}, 1, false},
		{"gone, at two places", "0.38.27", map[string]string{entry: whole}, map[string]string{mounts: mount + strings.Replace(mount, "/a", "/b", 1)}, 1, true},
		{"there", "0.38.27", map[string]string{entry: whole}, map[string]string{mounts: mount, entry: "another"}, 0, false},
		{"of no mount", "0.38.27", map[string]string{entry: whole}, nil, 0, false},
		{"no mount that can be read", "0.38.27", map[string]string{entry: whole}, map[string]string{mounts: "x\n"}, 0, false},
		{"a version that has none", "0.37.10", map[string]string{entry: whole}, map[string]string{mounts: mount}, 0, false},
	} {
		s, _ := upgraded("0.38.26", c.to, c.was, c.now)
		found := storageEntries.Detect(s)
		if len(found) != c.found || c.found > 0 && (found[0].Step != nil) != c.step || c.found > 0 && !c.step && found[0].Command == "" {
			t.Errorf("%s: %+v", c.about, found)
		}
	}
	s, _ := upgraded("0.38.26", "0.38.27", nil, nil)
	for _, path := range []string{entry, "lib/data/storage-registry/entries/", "lib/data/storage-registry/", "lib/data/"} {
		s.Files = app.NewFiles("0.38.27", []string{"blog"}, nil, []app.File{{Path: mounts, Data: []byte(mount), SHA256: "x"}, {Path: path, Error: "left out: permission denied"}})
		if found := storageEntries.Detect(s); len(found) > 0 {
			t.Errorf("%s: %+v", path, found)
		}
	}
	s.Old = func() *app.Files { return nil }
	s.Files = app.NewFiles("0.38.27", []string{"blog"}, nil, []app.File{{Path: mounts, Data: []byte(mount), SHA256: "x"}})
	if found := storageEntries.Detect(s); len(found) != 1 || found[0].Step != nil {
		t.Errorf("without a record: %+v", found)
	}
}

func TestK3sLists(t *testing.T) {
	const path = "lib/config/scheduler-k3s/blog/web.ingress"
	for _, c := range []struct {
		about, from, to, text string
		foreseen, found       string // the digest's text that it is to have, "!" for a person's
	}{
		{"good", "0.37.10", "0.38.27", "a: b\n", "", `{"a":"b"}`},
		{"lines", "0.37.10", "0.38.27", "a: b\nc\n", `{"a":"b\nc"}`, `{"a":"b\nc"}`},
		{"no pair at all", "0.37.10", "0.38.27", "c\n", "!", "!"},
		{"a map", "0.37.10", "0.38.27", `{"a":"b"}`, "", ""},
		{"empty", "0.37.10", "0.38.27", "", "", ""},
		{"below", "0.36.0", "0.38.14", "c\n", "", ""},
		{"above", "0.38.15", "0.38.27", "c\n", "", "!"},
	} {
		is := func(found []Finding) string {
			switch {
			case len(found) == 0:
				return ""
			case found[0].Step == nil:
				return strings.Repeat("!", len(found))
			}
			return string(found[0].Step.Data)
		}
		s, _ := upgraded(c.from, c.to, nil, map[string]string{path: c.text})
		if got := is(k3sLists.Foresee(s)); got != c.foreseen {
			t.Errorf("%s is foreseen as %q", c.about, got)
		}
		if got := is(k3sLists.Detect(s)); got != c.found {
			t.Errorf("%s is found as %q", c.about, got)
		}
		for _, f := range append(k3sLists.Foresee(s), k3sLists.Detect(s)...) {
			if strings.Contains(f.What+f.Consequence, "a: b") {
				t.Errorf("%s: a value is printed: %s", c.about, f.What)
			}
		}
	}
	s, _ := upgraded("0.37.10", "0.38.27", nil, nil)
	s.Files = app.NewFiles("0.38.27", []string{"blog"}, nil, []app.File{{Path: path, Error: "permission denied"}})
	if found := append(k3sLists.Foresee(s), k3sLists.Detect(s)...); len(found) > 0 {
		t.Errorf("what cannot be read: %+v", found)
	}
}

func TestK3sIngress(t *testing.T) {
	k3s := "lib/config/scheduler/blog/selected"
	for _, c := range []struct {
		about, from, to string
		was, now        map[string]string
		foreseen, found bool
	}{
		{"an old cluster", "0.33.9", "0.35.5", map[string]string{k3s: "k3s"}, map[string]string{k3s: "k3s"}, true, true},
		{"of the host's scheduler", "0.33.9", "0.35.5", nil, map[string]string{"lib/config/scheduler/--global/selected": "k3s"}, true, true},
		{"set", "0.33.9", "0.35.5", nil, map[string]string{k3s: "k3s", ingressClass: "nginx"}, false, false},
		{"taken away", "0.33.9", "0.35.5", map[string]string{ingressClass: "traefik"}, map[string]string{k3s: "k3s"}, true, false},
		{"no cluster", "0.33.9", "0.35.5", nil, nil, false, false},
		{"above", "0.34.0", "0.35.5", nil, map[string]string{k3s: "k3s"}, false, false},
		{"below", "0.33.0", "0.33.9", nil, map[string]string{k3s: "k3s"}, false, false},
	} {
		_, h := upgraded(c.from, c.to, c.was, c.now)
		if got := k3sIngress.ForeseeHost(h); (len(got) == 1 && string(got[0].Step.Data) == "traefik") != c.foreseen {
			t.Errorf("%s is foreseen: %+v", c.about, got)
		}
		if got := k3sIngress.DetectHost(h); (len(got) == 1 && string(got[0].Step.Data) == "traefik") != c.found {
			t.Errorf("%s is found: %+v", c.about, got)
		}
	}
	for ports, want := range map[string]int{"http:80:5000\nhttps:443:5000\n": 0, "http:80:5000\nhttp:8080:5000\n": 1, "": 0} {
		s, _ := upgraded("0.33.9", "0.35.5", nil, map[string]string{k3s: "k3s", "lib/config/ports/blog/map": ports})
		if got := k3sIngress.Foresee(s); len(got) != want || want > 0 && got[0].Kind != Notice {
			t.Errorf("%q: %+v", ports, got)
		}
	}
}
