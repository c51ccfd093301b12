package restore

import (
	"fmt"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
)

func hostFiles(dokku string, texts map[string]string) *app.Files {
	var list []app.File
	apps := map[string]bool{}
	for path, text := range texts {
		f := app.File{Path: path, Mode: 0o644, Data: []byte(text), SHA256: app.Digest([]byte(text))}
		if text == "unreadable" {
			f = app.File{Path: path, Error: "permission denied"}
		}
		list = append(list, f)
		if parts := strings.Split(path, "/"); parts[0] == "root" && len(parts) > 2 {
			apps[parts[1]] = true
		}
	}
	var names []string
	for name := range apps {
		names = append(names, name)
	}
	return app.NewFiles(dokku, names, nil, list)
}

// What a restore of the host's own settings does over versions, and what of it would make
// an app reachable.
func TestRestoreOfTheHost(t *testing.T) {
	const bind, address = "lib/config/network/--global/bind-all-interfaces", "lib/config/nginx/--global/bind-address-ipv4"
	for _, c := range []struct {
		about, was, to string
		old, now       map[string]string
		steps, notes   string // what is in them, "" for none
	}{
		{"the domains", "0.35.5", "0.35.5", map[string]string{"root/VHOST": "a.b\n"}, map[string]string{"root/VHOST": "x.y\n"}, "global domain x.y -> a.b", ""},
		{"the snapshot has none", "0.35.5", "0.35.5", nil, map[string]string{"root/VHOST": "x.y\n"}, "", ""},
		{"HOSTNAME is not read", "0.20.4", "0.35.5", map[string]string{"root/HOSTNAME": "a.b\n"}, nil, "", ""},
		{"HOSTNAME", "0.20.4", "0.24.10", map[string]string{"root/HOSTNAME": "a.b\n"}, map[string]string{"root/HOSTNAME": "x.y\n"}, "HOSTNAME x.y -> a.b", ""},
		{"an app would answer to them", "0.21.4", "0.21.4", map[string]string{"root/VHOST": "a.b\n"}, map[string]string{"root/VHOST": "x.y\n", "root/new/CONTAINER.web.1": "f"}, "", "global domain is not put back, so that nothing becomes reachable that was not in the snapshot: new has no domain of its own, and did not answer to a.b. To set it all the same: dokku domains:set-global a.b"},
		{"it did so then", "0.21.4", "0.21.4", map[string]string{"root/VHOST": "a.b\n", "root/old/CONTAINER.web.1": "f"}, map[string]string{"root/VHOST": "x.y\n", "root/old/CONTAINER.web.1": "f"}, "global domain x.y -> a.b", ""},
		{"it has its own", "0.21.4", "0.21.4", map[string]string{"root/VHOST": "a.b\n"}, map[string]string{"root/VHOST": "x.y\n", "root/new/CONTAINER.web.1": "f", "root/new/VHOST": "n.w\n"}, "global domain x.y -> a.b", ""},
		{"0.22 goes by HOSTNAME", "0.22.9", "0.22.9", map[string]string{"root/VHOST": "a.b\n", "root/HOSTNAME": "h.b\n"}, map[string]string{"root/VHOST": "x.y\n", "root/HOSTNAME": "x.h\n", "root/new/CONTAINER.web.1": "f"}, "global domain x.y -> a.b", "HOSTNAME is not put back"},
		{"the next installation would give it one", "0.35.5", "0.35.5", map[string]string{"root/VHOST": "a.b\n"}, map[string]string{"root/new/CONTAINER.web.1": "f"}, "global domain a.b", "new has no domain of its own: the next plugin:install gives it new.a.b. To have it without: dokku domains:disable new"},
		{"the environment over 0.38", "0.35.5", "0.38.27", map[string]string{"root/ENV": "X=CANARY\nDOKKU_PROXY_TYPE=caddy\n"}, map[string]string{"lib/config/--global/ENV": "Y=1\n", "lib/config/config/--global/env-migrated": "true"}, "environment: 1 variable put back (X); property proxy/--global/type, which was the variable DOKKU_PROXY_TYPE", "Not in the snapshot, and left as set: Y. To take them away: dokku upgrade-guard:restore --global --only env --exact --snapshot 20261123T013701Z-before"},
		{"variables that became properties", "0.20.4", "0.38.27", map[string]string{"root/ENV": "DOKKU_CHECKS_WAIT=CANARY\nDOKKU_WAIT_TO_RETIRE=2\nDOKKU_DISABLE_APP_AUTOCREATION=true\nDOKKU_SCHEDULER=k8s\n"}, map[string]string{"lib/config/checks/--global/wait-to-retire": "2"}, "property checks/--global/wait, which was the variable DOKKU_CHECKS_WAIT; property apps/--global/disable-autocreation, which was the variable DOKKU_DISABLE_APP_AUTOCREATION; property scheduler/--global/selected, which was the variable DOKKU_SCHEDULER", ""},
		{"one that had become a property there is a leftover", "0.29.4", "0.38.27", map[string]string{"root/ENV": "DOKKU_WAIT_TO_RETIRE=2\n"}, nil, "", ""},
		{"one that would open an app", "0.20.4", "0.38.27", map[string]string{"root/ENV": "DOKKU_SCHEDULER=k8s\n"}, map[string]string{"lib/config/config/new/env-migrated": "true", "root/new/VHOST": "n.w\n"}, "", "new is not in the snapshot, and would go by it. To set it all the same: dokku scheduler:set --global selected k8s"},
		{"letsencrypt's, without the plugin", "0.20.4", "0.38.27", map[string]string{"root/ENV": "DOKKU_LETSENCRYPT_EMAIL=CANARY@b.c\n"}, nil, "environment: 1 variable put back (DOKKU_LETSENCRYPT_EMAIL)", ""},
		{"its properties, without the plugin", "0.35.5", "0.38.27", map[string]string{"lib/config/letsencrypt/--global/email": "CANARY@b.c"}, nil, "", "The letsencrypt plugin is not installed here, so its settings are not written. Once it is: dokku upgrade-guard:restore --global --only letsencrypt --snapshot 20261123T013701Z-before"},
		{"a property", "0.35.5", "0.35.5", map[string]string{"lib/config/nginx/--global/hsts": "false"}, nil, "property nginx/--global/hsts", ""},
		{"no setting", "0.35.5", "0.35.5", map[string]string{"lib/config/nginx/--global/nginx-conf-sigil-migrated": "true", "lib/config/upgrade-guard/--global/retain": "3"}, nil, "", ""},
		{"what opens an app that was not there", "0.35.5", "0.35.5", map[string]string{bind: "true"}, map[string]string{"root/new/ENV": ""}, "", "new is not in the snapshot, and would go by it. To set it all the same: dokku network:set --global bind-all-interfaces true"},
		{"what closes it", "0.35.5", "0.35.5", map[string]string{bind: "false", address: "127.0.0.1"}, map[string]string{bind: "true", "root/new/ENV": ""}, "property network/--global/bind-all-interfaces; property nginx/--global/bind-address-ipv4", ""},
		{"what it has of its own counts", "0.35.5", "0.35.5", map[string]string{bind: "true"}, map[string]string{"root/new/ENV": "", "lib/config/network/new/bind-all-interfaces": "false"}, "property network/--global/bind-all-interfaces", ""},
		{"what it had of its own too", "0.35.5", "0.35.5", map[string]string{address: "0.0.0.0", "root/blog/ENV": "", "lib/config/nginx/blog/bind-address-ipv4": "127.0.0.1"}, map[string]string{"root/blog/ENV": ""}, "", `blog had "127.0.0.1" of its own then`},
		{"not held", "0.35.5", "0.35.5", map[string]string{"root/VHOST": "unreadable"}, map[string]string{"root/VHOST": "x.y\n"}, "", "The snapshot does not hold the domains of this host"},
		{"not known", "0.35.5", "0.35.5", map[string]string{"root/VHOST": "a.b\n"}, map[string]string{"root/VHOST": "unreadable"}, "", "The domains of this host is not known at present"},
	} {
		t.Run(c.about, func(t *testing.T) {
			old, now := hostFiles(c.was, c.old), hostFiles(c.to, c.now)
			s := hazard.HostSubject{Context: hazard.Context{Paths: host.Paths{DokkuRoot: "/home/dokku", LibRoot: "/var/lib/dokku"}, To: c.to, Files: now, Old: func() *app.Files { return nil }}, Now: app.Read(now)}
			r, err := NewHost(s, "20261123T013701Z-before", old, func(string) []string { return nil })
			if err != nil {
				t.Fatal(err)
			}
			steps, notes, _ := r.Plan(HostParts)
			if got := strings.Join(words(steps, nil), "; "); got != c.steps {
				t.Errorf("steps %q, not %q", got, c.steps)
			}
			if got := strings.Join(notes, "\n"); c.notes == "" && got != "" || !strings.Contains(got, c.notes) || strings.Contains(got, "CANARY") {
				t.Errorf("notes %q, not %q", got, c.notes)
			}
			for _, s := range steps {
				if s.App != host.GlobalScope || s.Path == "" || !strings.HasPrefix(s.Path, "/home/dokku/") && !strings.HasPrefix(s.Path, "/var/lib/dokku/config/") {
					t.Error(fmt.Sprint(s))
				}
			}
		})
	}
	if _, err := NewHost(hazard.HostSubject{}, "live/blog", nil, nil); err == nil {
		t.Error("no snapshot, and no error")
	}
}
