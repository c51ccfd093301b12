package hazard

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/app"
)

// before029 is an app called blog on 0.29.4, after038 what 0.38.27's installation makes of it.
var (
	before029 = map[string]string{
		"root/blog/ENV":                   "export A=\"1\"\nexport DOKKU_CHECKS_WAIT=\"7\"\nexport DOKKU_PROXY_PORT_MAP=\"http:80:5000\"\n",
		"root/blog/VHOST":                 "blog.example\n",
		"root/blog/DOCKER_OPTIONS_DEPLOY": "--label a=b\n-v /srv/up:/up\n--restart=on-failure:3\n",
		"root/blog/DOCKER_OPTIONS_RUN":    "-v /srv/up:/up\n",
		"root/blog/nginx.conf":            "# old\n",
		"lib/config/ps/blog/scale":        "web=1\n",
		"lib/config/nginx/blog/hsts":      "false",
	}
	after038 = map[string]string{
		"lib/config/blog/ENV":                             "A=1\n",
		"lib/config/config/blog/env-migrated":             "true",
		"root/blog/VHOST":                                 "blog.example\n",
		"root/blog/nginx.conf":                            "# new\n",
		"lib/config/docker-options/blog/_default_.deploy": "--label a=b\n",
		"lib/config/docker-options/blog/migrated-deploy":  "true",
		"lib/config/storage/blog/mounts":                  `{"entry_name":"legacy-1","container_path":"/up"}` + "\n",
		"lib/config/storage/blog/legacy-mounts-migrated":  "true",
		"lib/data/storage-registry/entries/legacy-1.json": `{"name":"legacy-1","scheduler":"docker-local","host_path":"/srv/up"}`,
		"lib/config/ps/blog/restart-policy":               "on-failure:3",
		"lib/config/checks/blog/wait":                     "7",
		"lib/config/ports/blog/map":                       "http:80:5000\n",
		"lib/config/ps/blog/scale":                        "web=1\n",
		"lib/config/nginx/blog/hsts":                      "false",
		"lib/config/nginx/blog/nginx-conf-sigil-migrated": "true",
	}
)

// An older Dokku is installed over a newer one: what the upgrade has moved, rewritten or
// deleted is as it was, byte for byte, its marks are gone, and what was set since is carried
// over where the older version has a place for it.
func TestUndo(t *testing.T) {
	with := func(files map[string]string, more ...string) map[string]string {
		files = maps.Clone(files)
		for i := 0; i < len(more); i += 2 {
			if files[more[i]] = more[i+1]; more[i+1] == "" {
				delete(files, more[i])
			}
		}
		return files
	}
	for about, c := range map[string]struct {
		now           map[string]string
		want          map[string]string // otherwise than before the upgrade; "" for not there
		carried, left string
		unread        string // what is left as it is
	}{
		"nothing was set since": {now: after038},
		"variables": {now: with(after038, "lib/config/blog/ENV", "B=2\n"),
			want:    map[string]string{"root/blog/ENV": "B=\"2\"\nDOKKU_CHECKS_WAIT=\"7\"\nDOKKU_PROXY_PORT_MAP=\"http:80:5000\"\n"},
			carried: "the variable A, the variable B"},
		"a setting that was a variable": {now: with(after038, "lib/config/checks/blog/wait", "9", "lib/config/proxy/blog/disabled", "true"),
			want:    map[string]string{"root/blog/ENV": "A=\"1\"\nDOKKU_CHECKS_WAIT=\"9\"\nDOKKU_DISABLE_PROXY=\"1\"\nDOKKU_PROXY_PORT_MAP=\"http:80:5000\"\n"},
			carried: "the variable DOKKU_CHECKS_WAIT, the variable DOKKU_DISABLE_PROXY"},
		"ports": {now: with(after038, "lib/config/ports/blog/map", "http:80:5000\nhttp:81:5000\n"),
			want:    map[string]string{"root/blog/ENV": "A=\"1\"\nDOKKU_CHECKS_WAIT=\"7\"\nDOKKU_PROXY_PORT_MAP=\"http:80:5000 http:81:5000\"\n"},
			carried: "the variable DOKKU_PROXY_PORT_MAP"},
		"docker options": {now: with(after038, "lib/config/docker-options/blog/_default_.deploy", "--label c=d\n", "lib/config/ps/blog/restart-policy", "always"),
			want:    map[string]string{"root/blog/DOCKER_OPTIONS_DEPLOY": "-v /srv/up:/up\n--label c=d\n--restart=always\n"},
			carried: "docker options for deploy"},
		"a mount less": {now: with(after038, "lib/config/storage/blog/mounts", ""),
			want:    map[string]string{"root/blog/DOCKER_OPTIONS_DEPLOY": "--label a=b\n--restart=on-failure:3\n", "root/blog/DOCKER_OPTIONS_RUN": ""},
			carried: "docker options for deploy, docker options for run"},
		"what the upgrade left alone": {now: with(after038, "root/blog/VHOST", "other.example\n", "lib/config/ps/blog/scale", "web=3\n", "lib/config/nginx/blog/hsts", ""),
			want: map[string]string{"root/blog/VHOST": "other.example\n", "lib/config/ps/blog/scale": "web=3\n", "lib/config/nginx/blog/hsts": "-"}},
		"what has no place": {now: with(after038, "lib/config/docker-options/blog/web.deploy", "--label x=y\n"), want: map[string]string{"lib/config/docker-options/blog/web.deploy": "--label x=y\n"}, left: "docker options for one process type (web.deploy)"},
		// What cannot be read is not known to be unset, and is not thrown away.
		"options that are not read":       {now: with(after038, "lib/config/docker-options/blog/_default_.deploy", "unreadable"), left: "config/docker-options/blog/_default_.deploy, which cannot be read", unread: "lib/config/docker-options/blog/_default_.deploy"},
		"a setting that is not read":      {now: with(after038, "lib/config/checks/blog/wait", "unreadable"), left: "config/checks/blog/wait, which cannot be read", unread: "lib/config/checks/blog/wait"},
		"an environment that is not read": {now: with(after038, "lib/config/blog/ENV", "unreadable"), left: "config/blog/ENV, which cannot be read, the environment as it was set since, which cannot be read", unread: "lib/config/blog/ENV"},
		"started on the newer version":    {now: with(after038, "lib/config/ps/blog/restore", "true")},
		"a new property":                  {now: with(after038, "lib/config/nginx/blog/proxy-keepalive", "9"), want: map[string]string{"lib/config/nginx/blog/proxy-keepalive": "9"}},
	} {
		hop := Hop{Before: valuesOf("0.29.4", before029), After: valuesOf("0.38.27", after038)}
		u := undo("blog", []Hop{hop}, valuesOf("0.38.27", c.now))
		want := maps.Clone(before029)
		delete(want, "root/blog/nginx.conf")
		for path, text := range c.want {
			if want[path] = text; text == "-" {
				delete(want, path)
			}
		}
		got := map[string]string{}
		for path, f := range u.want {
			switch {
			case path == c.unread && f.Error != "":
			case there(f):
				got[path] = string(f.Data)
			case path == c.unread:
				t.Errorf("%s: %s is thrown away", about, path)
			}
		}
		for _, path := range slices.Sorted(maps.Keys(both(want, got))) {
			if _, has := got[path]; want[path] != got[path] || !has {
				t.Errorf("%s: %s is %q, not %q", about, path, got[path], want[path])
			}
		}
		if carried := strings.Join(u.carried, ", "); carried != c.carried {
			t.Errorf("%s: carried over is %q", about, carried)
		}
		if left := strings.Join(u.left, ", "); left != c.left {
			t.Errorf("%s: left is %q", about, left)
		}
	}
}

// An app that was made on the newer version has been nowhere else: all that it has is
// carried over.
func TestUndoOfANewApp(t *testing.T) {
	hop := Hop{Before: app.NewFiles("0.29.4", nil, nil, nil), After: app.NewFiles("0.38.27", nil, nil, nil)}
	u := undo("blog", []Hop{hop}, valuesOf("0.38.27", after038))
	for path, want := range map[string]string{
		"root/blog/ENV":                       "A=\"1\"\nDOKKU_CHECKS_WAIT=\"7\"\nDOKKU_PROXY_PORT_MAP=\"http:80:5000\"\n",
		"root/blog/DOCKER_OPTIONS_DEPLOY":     "--label a=b\n-v /srv/up:/up\n--restart=on-failure:3\n",
		"root/blog/VHOST":                     "blog.example\n",
		"lib/config/ps/blog/scale":            "web=1\n",
		"lib/config/blog/ENV":                 "",
		"lib/config/config/blog/env-migrated": "",
	} {
		if got := string(u.want[path].Data); got != want {
			t.Errorf("%s is %q", path, got)
		}
	}
}

// A file in a place that only the newer version reads was there before the upgrade, from an
// earlier way back: it is as it was, whatever became of it.
func TestUndoOfWhatWasThereUnread(t *testing.T) {
	scale, ports := "lib/config/ps/blog/scale", "lib/config/ports/blog/map"
	before := map[string]string{"root/blog/ENV": before029["root/blog/ENV"], "root/blog/DOKKU_SCALE": "web=1\n", scale: "web=7\n", ports: "http:81:5000\n"}
	hop := Hop{Before: valuesOf("0.20.4", before), After: valuesOf("0.38.27", after038)}
	for about, now := range map[string]map[string]string{
		"nothing was set since": {},
		"both were set since":   {scale: "web=4\n", ports: "http:80:4000\n"},
	} {
		u := undo("blog", []Hop{hop}, valuesOf("0.38.27", both(after038, now)))
		if s, p := string(u.want[scale].Data), string(u.want[ports].Data); s != before[scale] || p != before[ports] || len(u.left) > 0 {
			t.Errorf("%s: %q, %q, left %q", about, s, p, u.left)
		}
		if got := string(u.want["root/blog/DOKKU_SCALE"].Data); len(now) > 0 && got != now[scale] {
			t.Errorf("%s: the scale is %q", about, got)
		}
	}
}

// Two upgrades are undone one after the other, the last one first.
func TestUndoOfTwoUpgrades(t *testing.T) {
	before020 := map[string]string{"root/blog/ENV": before029["root/blog/ENV"], "root/blog/DOKKU_SCALE": "web=1\n# mine\n"}
	hops := []Hop{
		{Before: valuesOf("0.29.4", before029), After: valuesOf("0.38.27", after038)},
		{Before: valuesOf("0.20.4", before020), After: valuesOf("0.29.4", before029)},
	}
	u := undo("blog", hops, valuesOf("0.38.27", after038))
	if got := string(u.want["root/blog/DOKKU_SCALE"].Data); got != "web=1\n# mine\n" {
		t.Errorf("the scale is %q", got)
	}
	now := maps.Clone(after038)
	now["lib/config/ps/blog/scale"] = "web=4\n"
	u = undo("blog", hops, valuesOf("0.38.27", now))
	if got := string(u.want["root/blog/DOKKU_SCALE"].Data); got != "web=4\n" || there(u.want["lib/config/ps/blog/scale"]) {
		t.Errorf("the scale set since is %q, and %v", got, u.want["lib/config/ps/blog/scale"])
	}
	if got := string(u.want["root/blog/ENV"].Data); got != before020["root/blog/ENV"] {
		t.Errorf("the environment is %q", got)
	}
}
