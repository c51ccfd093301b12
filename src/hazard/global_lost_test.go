package hazard

import (
	"maps"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// hostSubject is the host over an upgrade, of a few files before and after it.
func hostSubject(from, to string, before, now map[string]string, fresh bool) HostSubject {
	files := func(version string, texts map[string]string) *app.Files {
		var list []app.File
		for path, text := range texts {
			f := app.File{Path: path, Mode: 0o644, Data: []byte(text), SHA256: app.Digest([]byte(text))}
			if text == "unreadable" {
				f = app.File{Path: path, Error: "permission denied"}
			}
			list = append(list, f)
		}
		return app.NewFiles(version, nil, nil, list)
	}
	old, present := files(from, before), files(to, now)
	global := app.Read(old).Global
	return HostSubject{
		Context: Context{
			Paths: host.Paths{DokkuRoot: "/home/dokku", LibRoot: "/var/lib/dokku"}, From: from, To: to, Baseline: "20261123T013701Z-before", JustInstalled: fresh,
			Files: present, Old: func() *app.Files { return old }, Shown: func(string) string { return "" },
		},
		Now: app.Read(present), Before: &global,
	}
}

// What belongs to no app: what is destroyed is put back, what differs is told with the
// command, and neither is done twice.
func TestGlobalLost(t *testing.T) {
	const env = "root/ENV"
	for _, c := range []struct {
		about        string
		from, to     string
		before, now  map[string]string
		fresh        bool
		repairs, say string // texts of steps, and what drift tells; "" for none
	}{
		{"as it was", "0.20.4", "0.35.5", map[string]string{"root/VHOST": "a.b\n", env: "X=1\n"}, map[string]string{"root/VHOST": "a.b\n", env: "X=1\n"}, true, "", ""},
		{"one more is no loss", "0.20.4", "0.35.5", map[string]string{"root/VHOST": "a.b\n"}, map[string]string{"root/VHOST": "c.d\na.b\n"}, true, "", ""},
		{"the file is gone", "0.20.4", "0.35.5", map[string]string{"root/VHOST": "a.b\nc.d\n"}, nil, false, "global domain a.b c.d", ""},
		{"emptied by the installation", "0.29.4", "0.38.27", map[string]string{"root/VHOST": "a.b\n"}, map[string]string{"root/VHOST": ""}, true, "global domain a.b", ""},
		{"emptied by a person", "0.29.4", "0.38.27", map[string]string{"root/VHOST": "a.b\n"}, map[string]string{"root/VHOST": ""}, false, "", "dokku domains:set-global a.b"},
		{"another one", "0.20.4", "0.35.5", map[string]string{"root/VHOST": "a.b\n"}, map[string]string{"root/VHOST": "x.y\n"}, true, "", "dokku domains:set-global a.b"},
		{"one of two", "0.20.4", "0.35.5", map[string]string{"root/VHOST": "a.b\nc.d\n"}, map[string]string{"root/VHOST": "a.b\n"}, true, "", "dokku domains:add-global c.d"},
		{"cannot be read now", "0.20.4", "0.35.5", map[string]string{"root/VHOST": "a.b\n"}, map[string]string{"root/VHOST": "unreadable"}, true, "", ""},
		{"could not be read before", "0.20.4", "0.35.5", map[string]string{"root/VHOST": "unreadable"}, nil, true, "", ""},
		{"HOSTNAME written by postinst", "0.20.4", "0.24.10", map[string]string{"root/HOSTNAME": "a.b\n"}, map[string]string{"root/HOSTNAME": "debconf.b\n"}, true, "HOSTNAME debconf.b -> a.b", ""},
		{"HOSTNAME of a person", "0.20.4", "0.24.10", map[string]string{"root/HOSTNAME": "a.b\n"}, map[string]string{"root/HOSTNAME": "person.b\n"}, false, "", "restore --global --only domains"},
		{"HOSTNAME gone", "0.20.4", "0.22.9", map[string]string{"root/HOSTNAME": "a.b\n"}, nil, false, "HOSTNAME a.b", ""},
		{"HOSTNAME is not read", "0.20.4", "0.25.0", map[string]string{"root/HOSTNAME": "a.b\n"}, nil, true, "", ""},
		{"the environment is gone", "0.20.4", "0.35.5", map[string]string{env: "X=1\nY=2\n"}, nil, false, "global environment: 2 variables", ""},
		{"emptied by the installation ", "0.20.4", "0.35.5", map[string]string{env: "X=1\n"}, map[string]string{env: ""}, true, "global environment: 1 variable", ""},
		{"emptied by a person ", "0.20.4", "0.35.5", map[string]string{env: "X=1\n"}, map[string]string{env: ""}, false, "", "restore --global --only env"},
		{"Dokku's own among it are not brought back", "0.29.4", "0.38.27", map[string]string{env: "X=1\nDOKKU_PROXY_TYPE=caddy\n"}, nil, true, "for a person: restore --global --only env", ""},
		{"Dokku's own alone have moved", "0.29.4", "0.38.27", map[string]string{env: "DOKKU_PROXY_TYPE=caddy\n"}, nil, true, "", ""},
		{"moved by 0.38", "0.29.4", "0.38.27", map[string]string{env: "X=1\n"}, map[string]string{"lib/config/--global/ENV": "X=\"1\"\n", "lib/config/config/--global/env-migrated": "true"}, true, "", ""},
		{"not moved by 0.38", "0.29.4", "0.38.27", map[string]string{env: "X=1\n"}, map[string]string{"lib/config/config/--global/env-migrated": "true"}, true, "global environment: 1 variable", ""},
		{"one variable of two", "0.20.4", "0.35.5", map[string]string{env: "X=1\nY=2\n"}, map[string]string{env: "X=1\n"}, true, "", "restore --global --only env"},
		{"the way back", "0.38.27", "0.35.5", map[string]string{"lib/config/--global/ENV": "X=1\n"}, map[string]string{"lib/config/--global/ENV": "X=1\n"}, true, "", "restore --global --only env"},
		{"a property", "0.20.4", "0.35.5", map[string]string{"lib/config/nginx/--global/hsts": "false"}, nil, true, "", "restore --global --only properties"},
		{"our own", "0.20.4", "0.35.5", map[string]string{"lib/config/upgrade-guard/--global/retain": "3"}, nil, true, "", ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			s := hostSubject(c.from, c.to, c.before, c.now, c.fresh)
			var repairs, told []string
			for _, f := range globalLost.DetectHost(s) {
				if f.Step != nil {
					repairs = append(repairs, f.Step.Text)
				} else {
					repairs = append(repairs, "for a person: "+strings.TrimPrefix(f.Command, "dokku upgrade-guard:"))
				}
			}
			for _, f := range drift.DetectHost(s) {
				told = append(told, f.Command)
			}
			if got := strings.Join(repairs, "; "); got != c.repairs {
				t.Errorf("repairs %q, not %q", got, c.repairs)
			}
			if got := strings.Join(told, "; "); strings.TrimPrefix(got, "dokku upgrade-guard:") != c.say {
				t.Errorf("tells %q, not %q", got, c.say)
			}
		})
	}
}

// The environment was put back byte for byte: 0.37.8 and later read some of that otherwise,
// and spoil it by writing it.
func TestTheHostsEnvironmentIsReadAsItWas(t *testing.T) {
	s := hostSubject("0.20.4", "0.38.27", map[string]string{"root/ENV": "export A=\"it's \\\"x\\\"\"\nB=\"0042\"\n"}, map[string]string{"lib/config/config/--global/env-migrated": "true"}, true)
	s.Paths = host.Paths{DokkuRoot: t.TempDir(), LibRoot: t.TempDir()}
	h := host.NewLocal(s.Paths)
	for path, text := range map[string]string{"lib/STABLE_VERSION": "0.38.27\n", "lib/config/config/--global/env-migrated": "true"} {
		if err := h.Write(app.RealPath(s.Paths, path), 0o644, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	step := globalLost.DetectHost(s)[0].Step
	if err := h.Write(step.Path, step.Mode, step.Data); err != nil {
		t.Fatal(err)
	}
	if err := step.Do(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	files := app.EnvFiles(h, host.GlobalScope)
	want := map[string]string{"A": `it's "x"`, "B": "0042"}
	if got, err := files.Environment(host.GlobalScope); err != nil || !maps.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if held := heldOf(files, host.GlobalScope); len(held.Values) != 2 {
		t.Errorf("held is %v", held)
	}
}

// A property of the host is mangled as an app's is.
func TestPercentOfTheHost(t *testing.T) {
	at := "lib/config/nginx/--global/access-log-format"
	s := hostSubject("0.24.10", "0.29.4", map[string]string{at: "50% of it"}, map[string]string{at: "50%!o(MISSING)f it"}, true)
	found := percent.DetectHost(s)
	if len(found) != 1 || string(found[0].Step.Data) != "50% of it" || found[0].Step.Path != "/var/lib/dokku/config/nginx/--global/access-log-format" {
		t.Errorf("%+v", found)
	}
}
