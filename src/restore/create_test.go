package restore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
)

var versions = []string{"0.20.4", "0.24.10", "0.26.8", "0.29.4", "0.32.4", "0.35.5", "0.38.27"}

// An app goes from each version to each: what its files say there they say here, as that
// version reads them, and what has no place here is named. dokku/dokku#3078, #4961.
func TestCreationFromEachVersionToEach(t *testing.T) {
	for _, from := range versions {
		for _, to := range versions {
			t.Run(from+" to "+to, func(t *testing.T) {
				old := movingApp(from)
				r, now := made(t, old, to)
				steps, left, err := r.Creation()
				if err != nil {
					t.Fatal(err)
				}
				list := slices.Clone(now.All())
				env := map[string]string{}
				for _, s := range steps {
					if s.Path == "" {
						continue
					}
					path := strings.NewReplacer("/home/dokku/", "root/", "/var/lib/dokku/", "lib/").Replace(s.Path)
					list = append(list, app.File{Path: path, Mode: 0o600, Data: s.Data, Size: len(s.Data), SHA256: app.Digest(s.Data)})
				}
				got := app.Read(app.NewFiles(to, now.Apps, nil, list)).Apps["blog"]
				want := app.Read(old).Apps["blog"]
				said := fmt.Sprint(left)
				for _, s := range steps {
					said += s.Text + "\n"
				}
				compare := func(what string, got, want any) {
					if d := cmp.Diff(want, got); d != "" {
						t.Errorf("%s: %s\n%s", what, d, said)
					}
				}
				compare("scale", got.EffectiveScale().String(), want.EffectiveScale().String())
				compare("domains", got.Domains.Names, want.Domains.Names)
				if !app.Before(to, "0.31.0") { // before that Dokku's own config:set writes them
					compare("ports", got.Ports.Map, want.Ports.Map)
				} else if !strings.Contains(said, "ports http:80:5000") {
					t.Errorf("no ports: %s", said)
				}
				compare("proxy disabled", got.Proxy.Disabled, want.Proxy.Disabled)
				compare("stopped", got.Stopped, want.Stopped)
				for _, env := range []map[string]string{env, got.Env, want.Env} {
					maps.DeleteFunc(env, func(name, _ string) bool { return app.OwnVariable(name) })
				}
				compare("environment", got.Env, want.Env)
				// Settings that were variables are in force here, by either name.
				for _, setting := range []struct{ variable, path, value, since string }{
					{"DOKKU_WAIT_TO_RETIRE", "checks/blog/wait-to-retire", "30", "0.29.0"},
					{"DOKKU_SCHEDULER", "scheduler/blog/selected", "docker-local", "0.26.0"},
					{"DOKKU_CHECKS_WAIT", "checks/blog/wait", "7", "0.38.0"},
				} {
					files := app.NewFiles(to, now.Apps, nil, list)
					value, _ := files.Variable("blog", setting.variable)
					if !app.Before(to, setting.since) {
						value, _ = files.Text("lib/config/" + setting.path)
					}
					if value != setting.value {
						t.Errorf("%s is %q here\n%s", setting.variable, value, said)
					}
				}
				// The mount, the restart policy and the memory.
				files := app.NewFiles(to, now.Apps, nil, list)
				options := strings.Join(files.DockerOptions("blog", "deploy"), "\n")
				policy, _ := files.Text("lib/config/ps/blog/restart-policy")
				if !strings.Contains(options, "--memory=512m") || !strings.Contains(options+"--restart="+policy, "--restart=always") {
					t.Errorf("docker options are %q, the restart policy %q\n%s", options, policy, said)
				}
				mounts := options + said
				if text, ok := files.Text(app.MountsPath("blog")); ok {
					mounts += strings.ReplaceAll(text, `"container_path":"/b"`, "/a:/b")
				}
				if !strings.Contains(mounts, "/a:/b") {
					t.Errorf("no mount: %s", mounts)
				}
				// A property is written where this Dokku is no older, and else named.
				_, hsts := files.Get("lib/config/nginx/blog/hsts")
				if older := app.Before(to, from); hsts == older || older && !strings.Contains(said, "nginx hsts") {
					t.Errorf("nginx hsts is there: %v\n%s", hsts, said)
				}
				if !app.Before(to, "0.38.0") {
					if _, left := files.Get("root/blog/ENV"); left {
						t.Error("an environment where no Dokku from 0.38 on reads it")
					}
				}
			})
		}
	}
}

// Nothing that a person may not see is in what is printed of it.
func TestCreationPrintsNoValue(t *testing.T) {
	for _, from := range versions {
		r, _ := made(t, movingApp(from), "0.38.27")
		steps, left, _ := r.Creation()
		said := fmt.Sprint(left)
		for _, s := range steps {
			said += s.Text + "\n"
		}
		if strings.Contains(said, "s3cret") {
			t.Errorf("from %s: %s", from, said)
		}
	}
}

// What a snapshot does not hold of an app is named, and nothing is made up for it.
func TestCreationOfWhatIsNotHeld(t *testing.T) {
	for _, from := range versions {
		whole, _ := made(t, movingApp(from), "0.38.27")
		all, _, _ := whole.Creation()
		for _, file := range movingApp(from).All() {
			r, _ := made(t, without(movingApp(from), file.Path, "permission denied"), "0.38.27")
			steps, left, err := r.Creation()
			texts := words(all, nil)
			for _, s := range steps {
				if !slices.Contains(texts, s.Text) && !strings.HasPrefix(s.Text, "docker options for") {
					t.Errorf("from %s without %s: a step of its own: %s", from, file.Path, s.Text)
				}
			}
			if len(steps) < len(all) && len(left) == 0 && err == nil {
				t.Errorf("from %s without %s: nothing is said", from, file.Path)
			}
		}
	}
}

// The domains of an app that is made are those that it answered to, by whatever it did so.
func TestCreationOfDomains(t *testing.T) {
	const own, deployed, hosts = "root/blog/VHOST", "root/blog/CONTAINER.web.1", "root/VHOST"
	for _, c := range []struct {
		about, from, to string
		old             map[string]string
		step            string // what is done about domains, "" for nothing: Dokku's default stays
	}{
		{"the host's", "0.20.4", "0.38.27", map[string]string{hosts: "shared_host.example\nb.c\n", deployed: "a"}, "domains shared_host.example b.c"},
		{"the host's, on an older one", "0.20.4", "0.24.10", map[string]string{hosts: "b.c\n", deployed: "a"}, "domains b.c"},
		{"its HOSTNAME", "0.24.10", "0.29.4", map[string]string{hosts: "b.c\n", "root/HOSTNAME": "h.c\n", deployed: "a"}, "domains h.c"},
		{"never deployed", "0.20.4", "0.38.27", map[string]string{hosts: "b.c\n"}, ""},
		{"without a web process", "0.20.4", "0.38.27", map[string]string{hosts: "b.c\n", "root/blog/CONTAINER.worker.1": "a"}, ""},
		{"never deployed, of 0.28", "0.28.4", "0.38.27", nil, ""},
		{"deployed, of 0.28", "0.28.4", "0.38.27", map[string]string{deployed: "a"}, "no domain"},
		{"cleared", "0.20.4", "0.38.27", map[string]string{hosts: "b.c\n", own: "", deployed: "a"}, "no domain"},
		{"cleared by a newer one", "0.38.27", "0.38.27", nil, "no domain"},
		{"disabled", "0.20.4", "0.38.27", map[string]string{hosts: "b.c\n", "root/blog/ENV": "NO_VHOST=1\n", deployed: "a"}, "domains disabled"},
		{"not held", "0.20.4", "0.38.27", map[string]string{hosts: "b.c\n", own: "unreadable", deployed: "a"}, ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			if c.old == nil {
				c.old = map[string]string{}
			}
			c.old["root/blog/URLS"] = ""
			r, _ := made(t, hostFiles(c.from, c.old), c.to)
			steps, left, _ := r.Creation()
			var got []string
			for _, s := range words(steps, nil) {
				if strings.Contains(s, "domain") {
					got = append(got, s)
				}
			}
			if strings.Join(got, "; ") != c.step {
				t.Errorf("%q, not %q", got, c.step)
			}
			if strings.Contains(fmt.Sprint(left), "domains:") {
				t.Error("left to a person: ", left)
			}
		})
	}
}

// What a restore finds as a variable in the snapshot, and this Dokku has as a property, is
// put back as that, and not once more where an older one had it so already.
func TestRestoreOfVariablesThatBecameProperties(t *testing.T) {
	old := hostFiles("0.29.4", map[string]string{"root/blog/ENV": "DOKKU_CHECKS_WAIT=7\nDOKKU_CHECKS_TIMEOUT=9\nDOKKU_WAIT_TO_RETIRE=30\nDOKKU_DOCKER_BUILD_OPTS=x\nDOKKU_APP_TYPE=dockerfile\n"})
	now := hostFiles("0.38.27", map[string]string{"lib/config/blog/ENV": "A=1\n", "lib/config/config/blog/env-migrated": "true", "lib/config/checks/blog/wait": "8", "lib/config/checks/blog/timeout": "9", "root/blog/VHOST": ""})
	s := hazard.Subject{Context: hazard.Context{Paths: host.Paths{DokkuRoot: "/home/dokku", LibRoot: "/var/lib/dokku"}, From: "0.29.4", To: "0.38.27", Files: now, Old: func() *app.Files { return nil }}, Now: app.Read(now).Apps["blog"]}
	r, err := New(s, "20260101T000000Z-before", []string{"blog"}, old)
	if err != nil {
		t.Fatal(err)
	}
	steps, notes, err := r.Plan([]string{"env"})
	if got := words(steps, nil); err != nil || !slices.Equal(got, []string{"property checks/blog/wait, which was the variable DOKKU_CHECKS_WAIT"}) {
		t.Errorf("%q, %v", got, err)
	}
	if !strings.Contains(strings.Join(notes, "\n"), "The variable DOKKU_DOCKER_BUILD_OPTS is not put back, since 0.38.27 does not read it. In its place: dokku docker-options:add blog build") {
		t.Errorf("what has no place here is not named: %q", notes)
	}
}

func made(t *testing.T, old *app.Files, to string) (Restoration, *app.Files) {
	t.Helper()
	now := app.NewFiles(to, nil, nil, nil).With("blog")
	s := hazard.Subject{Context: hazard.Context{Paths: host.Paths{DokkuRoot: "/home/dokku", LibRoot: "/var/lib/dokku"}, From: old.Dokku, To: to, Files: now, Old: func() *app.Files { return nil }}, Now: app.Read(now).Apps["blog"]}
	r, err := New(s, "20260101T000000Z-"+old.Dokku+"-manual--elsewhere", []string{"blog"}, old)
	if err != nil {
		t.Fatal(err)
	}
	return r, now
}

// movingApp is an app with settings in all the places where a version has them.
func movingApp(dokku string) *app.Files {
	env := "API=s3cret\nNAME=blog\nGIT_REV=0123456789012345678901234567890123456789\n"
	content := map[string]string{
		"root/blog/HEAD":                   "ref: refs/heads/master\n",
		"root/blog/VHOST":                  "www.example.com\nexample.com\n",
		"root/blog/CONTAINER.web.1":        "abc\n",
		"root/blog/nginx.conf.d/hsts.conf": "add_header X s3cret;\n",
		"root/blog/htpasswd":               "s3cret",
		"lib/config/nginx/blog/hsts":       "false",
	}
	setting := func(variable, property, value, becomes, since string) {
		if app.Before(dokku, since) {
			env += variable + "=" + value + "\n"
		} else {
			content["lib/config/"+property] = becomes
		}
	}
	setting("DOKKU_PROXY_PORT_MAP", "ports/blog/map", "http:80:5000", "http:80:5000\n", "0.31.0")
	setting("DOKKU_WAIT_TO_RETIRE", "checks/blog/wait-to-retire", "30", "30", "0.29.0")
	setting("DOKKU_SCHEDULER", "scheduler/blog/selected", "docker-local", "docker-local", "0.26.0")
	setting("DOKKU_CHECKS_WAIT", "checks/blog/wait", "7", "7", "0.38.0")
	setting("DOKKU_APP_RESTORE", "ps/blog/restore", "0", "false", "0.38.0")
	setting("DOKKU_DISABLE_PROXY", "proxy/blog/disabled", "1", "true", "0.38.0")
	content[strings.TrimPrefix(map[bool]string{true: "root/blog/DOKKU_SCALE", false: "lib/config/ps/blog/scale"}[app.ScaleInFile(dokku)], "/")] = "web=2\nworker=1\n"
	options := "--memory=512m\n--env X=s3cret\n"
	if app.Before(dokku, "0.38.0") {
		content["root/blog/ENV"] = env
		content["root/blog/DOCKER_OPTIONS_DEPLOY"] = options + "--restart=always\n-v /a:/b\n"
		content["root/blog/DOCKER_OPTIONS_RUN"] = "-v /a:/b\n"
	} else {
		content["lib/config/blog/ENV"] = env
		content["lib/config/config/blog/env-migrated"] = "true"
		content["lib/config/docker-options/blog/_default_.deploy"] = options
		content["lib/config/ps/blog/restart-policy"] = "always"
		content["lib/config/storage/blog/mounts"] = `{"entry_name":"here","container_path":"/b","phases":["deploy","run"]}` + "\n"
		content["lib/data/storage-registry/entries/here.json"] = `{"name":"here","scheduler":"docker-local","host_path":"/a"}`
	}
	var list []app.File
	for path, text := range content {
		list = append(list, app.File{Path: path, Mode: 0o644, Data: []byte(text), Size: len(text), SHA256: app.Digest([]byte(text))})
	}
	return app.NewFiles(dokku, []string{"blog"}, nil, list)
}
