package hazard

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plugins"
)

const (
	onPort80   = "server {\n  listen [::]:80;\n  listen 80;\n  server_name blog.example.com;\n}\n"
	nameless   = "server {\n  listen [::]:32768;\n  listen 32768;\n}\n"
	onPort5000 = "server {\n  listen [::]:5000;\n  listen 5000;\n  server_name blog.example.com;\n}\n"
	onLoopback = "server {\n  listen [::1]:80;\n  listen 127.0.0.1:80;\n  server_name blog.example.com;\n}\n"
)

// closedApp is an app as each version keeps one whose proxy is disabled: no port map, no
// nginx.conf, domains disabled with it, and the ports its image exposes.
func closedApp(dokku string, more map[string]string) *app.Files {
	content := map[string]string{
		"root/VHOST":                "example.com\n",
		"root/blog/CONTAINER.web.1": "abc\n", "root/blog/IP.web.1": "172.17.0.2\n", "root/blog/PORT.web.1": "5000\n",
		"lib/config/ps/blog/scale": "web=1\n",
	}
	env := "DOKKU_DOCKERFILE_PORTS=5000\nNO_VHOST=1\n"
	if app.Before(dokku, "0.38.0") {
		content["root/blog/ENV"] = env + "DOKKU_DISABLE_PROXY=1\n"
	} else {
		content["lib/config/blog/ENV"], content["lib/config/config/blog/env-migrated"] = env, "true"
		content["lib/config/proxy/blog/disabled"] = "true"
	}
	if app.ScaleInFile(dokku) {
		content["root/blog/DOKKU_SCALE"] = "web=1\n"
	}
	maps.Copy(content, more)
	maps.DeleteFunc(content, func(_, text string) bool { return text == gone })
	return filesOf(dokku, content)
}

const gone = "\x00"

func filesOf(dokku string, content map[string]string) *app.Files {
	var list []app.File
	for path, text := range content {
		list = append(list, app.File{Path: path, Mode: 0o644, Data: []byte(text), Size: len(text), SHA256: app.Digest([]byte(text))})
	}
	return app.NewFiles(dokku, []string{"blog"}, nil, list)
}

// On real hosts an app with its proxy disabled and without a port map was given one, as
// "put back and verified", from 0.24 to 0.36, 0.29 to 0.38 and 0.22 to 0.34; on the
// way back from 0.38 it was then served on all addresses. Whatever an upgrade makes of
// it, no hazard gives such an app a port, a name, or its domains back; and no report
// says of the same thing that it is gone and that it was never recorded.
func TestNothingIsPutBackToAClosedApp(t *testing.T) {
	jumps := [][2]string{{"0.22.9", "0.34.9"}, {"0.24.10", "0.36.11"}, {"0.24.10", "0.29.4"}, {"0.29.4", "0.38.27"}, {"0.35.5", "0.38.27"}, {"0.38.0", "0.38.27"},
		{"0.38.27", "0.29.4"}, {"0.38.27", "0.24.10"}, {"0.30.11", "0.29.4"}, {"0.35.5", "0.35.5"}}
	// What may have become of the app's settings since.
	since := map[string]map[string]string{
		"kept":                           {},
		"a default domain":               {"root/blog/VHOST": "blog.example.com\n"},
		"the environment lost":           {"root/blog/ENV": gone, "lib/config/blog/ENV": gone, "lib/config/proxy/blog/disabled": gone},
		"the environment lost, a domain": {"root/blog/ENV": gone, "lib/config/blog/ENV": gone, "lib/config/proxy/blog/disabled": gone, "root/blog/VHOST": "blog.example.com\n"},
		"an nginx.conf":                  {"root/blog/nginx.conf": onPort5000},
		"a port, moved by installation":  {"lib/config/proxy/blog/proxy-port": "32768"},
		"scale lost":                     {"lib/config/ps/blog/scale": gone, "root/blog/DOKKU_SCALE": gone},
		"the proxy enabled":              {"lib/config/proxy/blog/disabled": gone, "root/blog/ENV": "DOKKU_DOCKERFILE_PORTS=5000\n"},
	}
	asked := 0
	for _, jump := range jumps {
		for what, change := range since {
			for _, late := range []bool{false, true} {
				asked++
				before, now := closedApp(jump[0], nil), closedApp(jump[1], change)
				var lost, never bool
				for _, f := range Detect(between(before, now, late)) {
					if f.Step != nil && opening(f.Step.Text) {
						t.Errorf("%v, %s: %s (%s)", jump, what, f.Step.Text, f.What)
					}
					lost = lost || strings.Contains(f.What, "port map") && strings.Contains(f.What, "gone")
					never = never || strings.Contains(f.What, "none was recorded") && strings.Contains(f.What, "port map")
				}
				if lost || never {
					t.Errorf("%v, %s: lost %v, never recorded %v", jump, what, lost, never)
				}
			}
		}
	}
	t.Logf("%d times asked", asked)
}

// opening tells the steps that put something where Dokku reads it to have the app
// reachable: what a hazard with such a step says of it.
func opening(text string) bool {
	for _, begins := range []string{"ports ", "proxy-port ", "proxy-ssl-port ", "domains "} {
		if strings.HasPrefix(text, begins) && !strings.Contains(text, "set by Dokku's installation") && text != "domains disabled" {
			return true
		}
	}
	return strings.HasPrefix(text, "NO_VHOST")
}

func between(before, now *app.Files, late bool) Subject {
	was := app.Read(before).Apps["blog"]
	return Subject{
		Context: Context{Paths: host.Paths{DokkuRoot: "/home/dokku", LibRoot: "/var/lib/dokku"}, From: before.Dokku, To: now.Dokku, Baseline: "20261123T013701Z-before", NoBaseline: late, JustInstalled: true,
			Files: now, Old: func() *app.Files { return before }, Plugins: plugins.Facts{Installed: func() []plugins.Plugin { return nil }, Taken: func() []string { return nil }}},
		Now: app.Read(now).Apps["blog"], Before: &was,
	}
}

// What was reachable is put back all the same.
func TestWhatWasPublicIsPutBack(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		before, now    map[string]string
		want           string // the step; "" for none
		told           string // of the finding's consequence
	}{
		{
			name: "a map that was set", from: "0.35.5", to: "0.36.5",
			before: map[string]string{"root/blog/ENV": "A=1\n", "lib/config/ports/blog/map": "http:8080:5000\n"}, now: map[string]string{"root/blog/ENV": "A=1\n"},
			want: "ports http:8080:5000",
		}, {
			// The app goes on with its proxy disabled, and by its map docker publishes it.
			name: "a map, and its proxy disabled before and after", from: "0.35.5", to: "0.36.5",
			before: map[string]string{"lib/config/ports/blog/map": "http:3000:3000\n"}, now: map[string]string{},
			want: "ports http:3000:3000",
		}, {
			name: "a map, and its proxy disabled by a person since", from: "0.35.5", to: "0.36.5",
			before: map[string]string{"root/blog/ENV": "A=1\n", "lib/config/ports/blog/map": "http:8080:5000\n"}, now: map[string]string{},
			told: "its proxy is disabled now",
		}, {
			name: "a map, and its proxy enabled by a person since", from: "0.35.5", to: "0.36.5",
			before: map[string]string{"lib/config/ports/blog/map": "http:8080:5000\n"}, now: map[string]string{"root/blog/ENV": "A=1\n"},
			told: "its proxy was disabled (20261123T013701Z-before)",
		}, {
			name: "exposed ports that nginx listened on", from: "0.29.4", to: "0.38.27",
			before: map[string]string{"root/blog/ENV": "DOKKU_DOCKERFILE_PORTS=5000\n", "root/blog/nginx.conf": onPort5000},
			now:    map[string]string{"lib/config/proxy/blog/disabled": gone, "lib/config/blog/ENV": "A=1\n", "root/blog/nginx.conf": onPort5000},
			want:   "ports http:5000:5000",
		}, {
			name: "exposed ports that nginx did not listen on", from: "0.29.4", to: "0.38.27",
			before: map[string]string{"root/blog/ENV": "DOKKU_DOCKERFILE_PORTS=5000\n", "root/blog/nginx.conf": onPort80},
			now:    map[string]string{"lib/config/proxy/blog/disabled": gone, "lib/config/blog/ENV": "A=1\n", "root/blog/nginx.conf": onPort80},
		}, {
			name: "domains", from: "0.29.4", to: "0.35.5",
			before: map[string]string{"root/blog/ENV": "A=1\n", "root/blog/VHOST": "blog.example.com\n"}, now: map[string]string{"root/blog/ENV": "A=1\n"},
			want: "domains blog.example.com",
		}, {
			name: "domains that were disabled", from: "0.29.4", to: "0.35.5",
			before: map[string]string{"root/blog/ENV": "NO_VHOST=1\n", "root/blog/VHOST": "blog.example.com\n"}, now: map[string]string{"root/blog/ENV": "A=1\n"},
			told: "its domains were disabled",
		}, {
			name: "domains, and its proxy enabled by a person since", from: "0.29.4", to: "0.35.5",
			before: map[string]string{"root/blog/ENV": "DOKKU_DISABLE_PROXY=1\n", "root/blog/VHOST": "blog.example.com\n"}, now: map[string]string{"root/blog/ENV": "A=1\n"},
			told: "its proxy was disabled",
		}, {
			name: "the host's domains, of an app whose proxy was disabled", from: "0.21.4", to: "0.35.5",
			before: map[string]string{"root/blog/ENV": "DOKKU_DISABLE_PROXY=1\n"}, now: map[string]string{"root/blog/ENV": "A=1\n"},
			told: "its proxy was disabled",
		}, {
			name: "a port of the proxy", from: "0.35.5", to: "0.36.5",
			before: map[string]string{"root/blog/ENV": "DOKKU_PROXY_PORT=32768\n"}, now: map[string]string{"root/blog/ENV": "A=1\n"},
			want: "proxy-port 32768",
		}, {
			name: "a port of the proxy, of an app whose proxy was disabled", from: "0.35.5", to: "0.36.5",
			before: map[string]string{"root/blog/ENV": "DOKKU_PROXY_PORT=32768\nDOKKU_DISABLE_PROXY=1\n"}, now: map[string]string{"root/blog/ENV": "A=1\n"},
			told: "its proxy was disabled",
		}, {
			name: "proxy disabled, on the way back", from: "0.38.27", to: "0.29.4",
			before: map[string]string{}, now: map[string]string{"root/blog/ENV": "A=1\n"},
			want: "proxy disabled; domains disabled",
		}, {
			name: "proxy disabled, on the way up", from: "0.29.4", to: "0.38.27",
			before: map[string]string{}, now: map[string]string{"lib/config/proxy/blog/disabled": gone},
			want: "proxy disabled",
		}, {
			name: "proxy enabled, within 0.38", from: "0.38.0", to: "0.38.27",
			before: map[string]string{}, now: map[string]string{"lib/config/proxy/blog/disabled": gone},
			told: "becomes public",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, now := closedApp(c.from, c.before), closedApp(c.to, c.now)
			var steps []string
			told := ""
			for _, f := range Detect(between(before, now, false)) {
				if f.Step != nil && (opening(f.Step.Text) || f.Hazard == reopened.Name) {
					steps = append(steps, f.Step.Text)
				}
				if f.Kind == Notice && f.Command != "" {
					told += f.Consequence
				}
			}
			if got := strings.Join(steps, "; "); got != c.want {
				t.Errorf("steps %q, want %q", got, c.want)
			}
			if c.told == "" && strings.Contains(told, "not put back") || !strings.Contains(told, c.told) {
				t.Errorf("told %q, want %q", told, c.told)
			}
		})
	}
}

// What has nginx serve an app is done where it did so before, and is no wider.
func TestServing(t *testing.T) {
	side := func(more map[string]string) Side {
		f := closedApp("0.35.5", maps.Collect(maps.All(merge(map[string]string{"root/blog/ENV": "A=1\n", "root/blog/VHOST": "blog.example.com\n"}, more))))
		return Side{State: app.Read(f).Apps["blog"], Files: f, Of: "then"}
	}
	plain := map[string]string{}
	conf := func(text string) map[string]string { return map[string]string{"root/blog/nginx.conf": text} }
	disabled := map[string]string{"root/blog/ENV": "DOKKU_DISABLE_PROXY=1\n"}
	for _, c := range []struct {
		name                     string
		now, before              map[string]string // nil before: nothing is recorded
		closed, unknown, noBuild string
	}{
		{name: "it is served", now: conf(onPort80)},
		{name: "it was served", now: plain, before: conf(onPort80)},
		{name: "by another port map", now: merge(conf(onPort80), map[string]string{"lib/config/ports/blog/map": "http:8080:5000\n"}), before: conf(onPort80), noBuild: "it did not answer on port 8080"},
		{name: "by a map that was set", now: merge(conf(onPort80), map[string]string{"lib/config/ports/blog/map": "http:8080:5000\n"}), before: merge(conf(onPort80), map[string]string{"lib/config/ports/blog/map": "http:8080:5000\n"})},
		{name: "by a detected port", now: merge(conf(onPort80), map[string]string{"lib/config/ports/blog/map": "http:8080:5000\n"}), before: merge(conf(onPort80), map[string]string{"lib/config/ports/blog/map-detected": "http:8080:5000\n"})},
		{name: "under a name of a person's", now: merge(conf(onPort80), map[string]string{"root/blog/VHOST": "blog.example.com\nshop.example.org\n"}), before: conf(onPort80)},
		{name: "under the default name, given by an installation", now: merge(conf(nameless), plain), before: merge(conf(nameless), map[string]string{"root/blog/VHOST": gone}), noBuild: "it did not answer to blog.example.com"},
		{name: "under no name", now: merge(conf(onPort80), map[string]string{"root/blog/VHOST": gone}), before: conf(onPort80), noBuild: "no domain any more"},
		{name: "under no name, its domains disabled", now: merge(conf(onPort80), map[string]string{"root/blog/ENV": "NO_VHOST=1\n"}), before: conf(onPort80), noBuild: "no domain any more"},
		{name: "under no name, as ever", now: merge(conf(nameless), map[string]string{"root/blog/VHOST": gone}), before: merge(conf(nameless), map[string]string{"root/blog/VHOST": gone})},
		{name: "on the loopback alone", now: conf(onLoopback), before: conf(onLoopback), noBuild: "nginx listened on 127.0.0.1 alone, and bind-address-ipv4 is not set"},
		{name: "on the loopback alone, by properties", now: merge(conf(onLoopback), map[string]string{"lib/config/nginx/blog/bind-address-ipv4": "127.0.0.1", "lib/config/nginx/--global/bind-address-ipv6": "::1"}), before: conf(onLoopback)},
		{name: "on the loopback alone, and open to IPv6", now: merge(conf(onLoopback), map[string]string{"lib/config/nginx/blog/bind-address-ipv4": "127.0.0.1"}), before: conf(onLoopback), noBuild: "nginx listened on ::1 alone"},
		{name: "nothing is recorded", now: plain, unknown: "nothing is recorded"},
		{name: "it had no configuration", now: plain, before: plain, closed: "nginx had no configuration for it (then)"},
		{name: "its configuration is empty", now: conf("# nothing\n"), unknown: "nothing is recorded"},
		{name: "its configuration is no grammar", now: conf("server {\n"), before: conf(onPort80)},
		{name: "its proxy was disabled", now: conf(onPort80), before: merge(conf(onPort80), disabled), closed: "it was served by no proxy: it is disabled (then)"},
		{name: "its proxy is disabled", now: merge(conf(onPort80), disabled), before: conf(onPort80), closed: "it is served by no proxy"},
		{name: "another proxy served it", now: plain, before: merge(conf(onPort80), map[string]string{"root/blog/ENV": "DOKKU_APP_PROXY_TYPE=caddy\n"}), closed: "it was served by caddy"},
		{name: "a template of its own", now: merge(conf(onPort80), map[string]string{"lib/data/nginx-vhosts/app-blog/nginx.conf.sigil": "x", "lib/config/ports/blog/map": "http:8080:5000\n"}), before: conf(onPort80)},
		{name: "set aside", now: map[string]string{"root/blog/nginx.conf.set-aside": onPort80}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before *Side
			if c.before != nil {
				b := side(c.before)
				before = &b
			}
			v := Serving(side(c.now), before)
			for _, p := range []struct{ what, got, want string }{{"closed", v.Closed, c.closed}, {"unknown", v.Unknown, c.unknown}, {"no build", v.NoBuild, c.noBuild}} {
				if p.want == "" && p.got != "" || !strings.Contains(p.got, p.want) {
					t.Errorf("%s: %q, want %q", p.what, p.got, p.want)
				}
			}
		})
	}
	// And where the proxy's settings are not known, neither is whether it was closed.
	for _, path := range []string{"root/blog/ENV", "root/ENV", "lib/config/network/"} {
		now := side(conf(onPort80))
		list := append(slices.DeleteFunc(slices.Clone(now.Files.All()), func(f app.File) bool { return f.Path == path }), app.File{Path: path, Error: "permission denied"})
		files := app.NewFiles("0.35.5", []string{"blog"}, nil, list)
		b := side(conf(onPort80))
		for i, v := range []Verdict{Serving(Side{State: app.Read(files).Apps["blog"], Files: files}, &b), Serving(now, &Side{State: app.Read(files).Apps["blog"], Files: files, Of: "then"})} {
			if !strings.Contains(v.Closed, "what is not known") {
				t.Errorf("%s unreadable (%d): %+v", path, i, v)
			}
		}
	}
}

func merge(a, b map[string]string) map[string]string {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

// Containers that were down before are not started.
func TestStarting(t *testing.T) {
	state := func(running bool) app.State {
		return app.State{Name: "blog", Containers: []app.Container{{Type: "web", Index: "1", Running: running}, {Type: "worker", Index: "1"}}}
	}
	for what, c := range map[string]struct {
		before *Side
		want   string
	}{
		"ran":                {&Side{State: state(true)}, ""},
		"was down":           {&Side{State: state(false), Of: "then"}, "closed: it did not run before (then)"},
		"docker was down":    {&Side{State: state(false), NoDocker: true, Of: "then"}, "unknown: whether it ran before is not known (then)"},
		"was not recorded":   {nil, "unknown: nothing is recorded of whether it ran before"},
		"was never deployed": {&Side{State: app.State{Name: "blog"}}, ""},
	} {
		v := Starting(c.before)
		got := ""
		if v.Closed != "" {
			got = "closed: " + v.Closed
		} else if v.Unknown != "" {
			got = "unknown: " + v.Unknown
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}

// Options that open a port of the host are no part of a guess.
func TestPublishes(t *testing.T) {
	for option, want := range map[string]bool{
		"-p 80:80": true, "-p8080:80": true, "-p=80:80": true, "-P": true, "--publish 80:80": true, "--publish=80:80": true, "--publish-all": true, "-dp 80:80": true,
		"--network host": true, "--net=host": true, "'-p' 80:80": true,
		"--network backend": false, "--cap-add X": false, "--env P=1": false, "--pids-limit 5": false, "--privileged": false, "-v /p:/p": false, "--label p=1": false, "--platform x": false,
	} {
		if publishes(option) != want {
			t.Errorf("%s: %v", option, !want)
		}
	}
}
