package restore

import (
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// Every part of a restore, with each of its files in turn not captured, in the
// snapshot or at present: no step comes of that which would not be there otherwise,
// the file itself is neither written nor taken for another one's absence, and it is said.
func TestRestoreOfWhatIsNotHeld(t *testing.T) {
	for _, dokku := range []string{"0.24.10", "0.30.11", "0.35.5", "0.38.27"} {
		old, now := manyFiles(dokku, "then"), manyFiles(dokku, "now")
		steps, notes, _ := restorationOf(old, now).Plan(Parts)
		whole := words(steps, notes)
		if len(whole) < 8 {
			t.Fatalf("%s: a whole restore has only %q", dokku, whole)
		}
		for _, why := range []string{"permission denied", "left out: larger than 1 MiB", "left out: not a regular file"} {
			for _, file := range old.All() {
				r := restorationOf(without(old, file.Path, why), now)
				check(t, dokku+" snapshot "+file.Path, r, whole, file.Path)
			}
			for _, file := range now.All() {
				r := restorationOf(old, without(now, file.Path, why))
				check(t, dokku+" present "+file.Path, r, whole, file.Path)
			}
		}
	}
}

func check(t *testing.T, what string, r Restoration, whole []string, path string) {
	t.Helper()
	steps, notes, _ := r.Plan(Parts)
	for _, s := range steps {
		if !slices.Contains(whole, s.Text) {
			t.Errorf("%s: a step of its own: %s", what, s.Text)
		}
		if s.Path != "" && s.Path == app.RealPath(r.paths, path) {
			t.Errorf("%s: it is written: %s", what, s.Text)
		}
	}
	said := strings.Join(notes, "\n")
	for _, unknown := range []map[app.Part]string{r.old.Unknown("blog"), r.Files.Unknown("blog")} {
		if why := unknown[app.PartEnv]; why != "" && strings.Count(said, "environment of blog") != 1 {
			t.Errorf("%s: it is said of the environment: %q", what, said)
		}
		for p, why := range unknown {
			if slices.Contains(Parts, string(p)) && (!strings.Contains(said, why) && !strings.Contains(said, strings.Replace(why, ": ", " (", 1)) || !strings.Contains(said, "left as it is")) {
				t.Errorf("%s: %s is not known (%s), and what is said is: %q", what, p, why, said)
			}
		}
	}
}

func words(steps plan.Plan, _ []string) []string {
	var texts []string
	for _, s := range steps {
		texts = append(texts, s.Text)
	}
	return texts
}

func restorationOf(old, now *app.Files) Restoration {
	known := app.Read(now).Apps["blog"]
	s := hazard.Subject{Context: hazard.Context{Paths: host.Paths{DokkuRoot: "/home/dokku", LibRoot: "/var/lib/dokku"}, To: now.Dokku, Files: now, Old: func() *app.Files { return nil }}, Now: known}
	return Restoration{Subject: s, was: app.Read(old).Apps["blog"], old: old, paths: s.Paths}
}

func without(files *app.Files, path, why string) *app.Files {
	list := slices.Clone(files.All())
	for i := range list {
		if list[i].Path == path {
			list[i] = app.File{Path: path, Error: why}
		}
	}
	return app.NewFiles(files.Dokku, files.Apps, nil, list)
}

// manyFiles is an app with something in all of its parts.
func manyFiles(dokku, value string) *app.Files {
	content := map[string]string{
		"root/blog/ENV":                                   "API=" + value + "\nONLY_" + strings.ToUpper(value) + "=1\n",
		"root/blog/VHOST":                                 value + ".example.com\n",
		"root/blog/DOKKU_SCALE":                           "web=" + map[string]string{"then": "1", "now": "2"}[value] + "\n",
		"root/blog/DOCKER_OPTIONS_DEPLOY":                 "--env X=" + value + "\n",
		"root/blog/DOCKER_OPTIONS_RUN":                    "--env Y=" + value + "\n",
		"root/blog/CONTAINER.web.1":                       "abc\n",
		"root/blog/nginx.conf":                            "server { listen 80; server_name " + value + ".example.com; }\n",
		"root/blog/nginx.conf.d/hsts.conf":                "add_header X " + value + ";\n",
		"root/VHOST":                                      "example.com\n",
		"lib/data/nginx-vhosts/app-blog/nginx.conf.sigil": "# " + value + "\n",
		"lib/config/nginx/blog/hsts":                      value,
		"lib/config/letsencrypt/blog/email":               value + "@example.com",
		"lib/config/ps/blog/scale":                        "web=" + map[string]string{"then": "1", "now": "2"}[value] + "\n",
		"root/blog/htpasswd":                              value,
		"root/blog/maintenance/index.html":                value,
		"lib/data/basic-auth/blog/users":                  value,
		"lib/config/ports/blog/map":                       "http:80:" + map[string]string{"then": "5000", "now": "3000"}[value] + "\n",
		"facts/letsencrypt-plugin":                        "0.25.0",
	}
	if app.Before(dokku, "0.31.0") {
		content["root/blog/ENV"] += "DOKKU_PROXY_PORT_MAP=http:80:" + map[string]string{"then": "5000", "now": "3000"}[value] + "\n"
	}
	if !app.Before(dokku, "0.38.0") {
		content["lib/config/blog/ENV"] = content["root/blog/ENV"]
		content["lib/config/config/blog/env-migrated"] = "true"
		content["lib/config/docker-options/blog/_default_.deploy"] = content["root/blog/DOCKER_OPTIONS_DEPLOY"]
		content["lib/config/docker-options/blog/web.deploy"] = "--env Z=" + value + "\n"
		content["lib/config/storage/blog/mounts"] = `{"entry_name":"` + value + `","container_path":"/` + value + `","phases":["deploy"]}` + "\n"
		content["lib/data/storage-registry/entries/"+value+".json"] = `{"name":"` + value + `","scheduler":"docker-local"}`
		for _, left := range []string{"root/blog/ENV", "root/blog/DOCKER_OPTIONS_DEPLOY", "root/blog/DOCKER_OPTIONS_RUN"} {
			delete(content, left)
		}
	}
	var list []app.File
	for path, text := range content {
		list = append(list, app.File{Path: path, Mode: 0o644, Data: []byte(text), Size: len(text), SHA256: app.Digest([]byte(text))})
	}
	return app.NewFiles(dokku, []string{"blog"}, nil, list)
}
