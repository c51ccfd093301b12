package scenarios

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// settings are what is in force on this machine's Dokku, a line each, whatever the
// version and wherever it keeps them. Values of the environment are fingerprints.
func settings(ts *testscript.TestScript) map[string]string {
	h := host.NewLocal(host.FromEnv())
	files, err := app.Capture(context.Background(), h, app.What{Images: true})
	ts.Check(err)
	state := app.Read(files)
	found := map[string]string{}
	set := func(scope, name, value string) {
		if value != "" {
			found[scope+" "+name] = value
		}
	}
	for _, scope := range append([]string{host.GlobalScope}, files.Apps...) {
		// A setting may be a variable in one version and a property in another.
		for variable, property := range map[string]string{
			"DOKKU_CHECKS_DISABLED": "checks/disabled", "DOKKU_CHECKS_SKIPPED": "checks/skipped", "DOKKU_CHECKS_WAIT": "checks/wait",
			"DOKKU_CHECKS_TIMEOUT": "checks/timeout", "DOKKU_DOCKER_STOP_TIMEOUT": "ps/stop-timeout-seconds", "DOKKU_SCHEDULER": "scheduler/selected",
			"DOKKU_DISABLE_APP_AUTOCREATION": "apps/disable-autocreation", "DOKKU_CNB_EXPERIMENTAL": "builder/selected", "DOKKU_WAIT_TO_RETIRE": "checks/wait-to-retire",
		} {
			namespace, name, _ := strings.Cut(property, "/")
			value, _ := files.Text("lib/config/" + namespace + "/" + scope + "/" + name)
			if v, ok := files.Variable(scope, variable); ok && inForce(variable, state.Dokku) {
				value = v
			}
			if property == "builder/selected" && value == "1" {
				value = "pack"
			}
			set(scope, property, value)
		}
	}
	for _, name := range files.Apps {
		s := state.Apps[name]
		if scale := s.EffectiveScale(); scale != nil {
			for _, p := range scale.Processes {
				set(name, "scale "+p.Type, fmt.Sprint(p.Quantity))
			}
		}
		if s.Serves() {
			for _, domain := range s.Domains.Effective() {
				set(name, "domain "+domain, "yes")
			}
		}
		for _, port := range s.Ports.Map {
			set(name, "port "+port, "yes")
		}
		set(name, "proxy disabled", fmt.Sprint(s.Proxy.Disabled))
		set(name, "published on all interfaces", fmt.Sprint(s.Proxy.BindAll == "true"))
		if s.Certificate != nil {
			set(name, "certificate", s.Certificate.Fingerprint)
		}
		for variable, fingerprint := range s.Env {
			if !regexp.MustCompile(`^(DOKKU_.*|NO_VHOST)$`).MatchString(variable) {
				set(name, "variable "+variable, fingerprint)
			}
		}
		for _, phase := range []string{"build", "deploy", "run"} {
			for _, option := range files.DockerOptions(name, phase) {
				if policy, ok := strings.CutPrefix(option, "--restart="); ok {
					set(name, "restart policy", policy)
				} else if mount, ok := strings.CutPrefix(option, "-v "); ok {
					set(name, "mount "+mount, "yes")
				} else {
					set(name, "docker option "+phase+" "+app.Fingerprint(option), "yes")
				}
			}
		}
		if !app.Before(state.Dokku, "0.38.0") {
			mounts, _ := files.Mounts(name)
			for _, m := range mounts {
				set(name, "mount "+files.HostPath(m.Entry)+":"+m.At, "yes")
			}
			policy, _ := files.Text("lib/config/ps/" + name + "/restart-policy")
			set(name, "restart policy", cmp.Or(strings.TrimSpace(policy), "on-failure:10")) // as it is where nothing is set
		}
		for _, places := range []map[string]string{s.Letsencrypt.Env, s.Letsencrypt.Properties} {
			for key, value := range places {
				set(name, "letsencrypt "+key, value)
			}
		}
		set(name, "stopped", fmt.Sprint(s.Stopped))
		for _, f := range files.Properties(name) {
			if regexp.MustCompile(`^lib/config/(nginx|network/[^/]+/attach|resource|buildpacks)`).MatchString(f.Path) {
				set(name, "property "+f.Path, string(f.Data))
			}
		}
		for file, copied := range map[string]string{"Procfile": "lib/data/ps/" + name + "/Procfile", "nginx.conf.sigil": "lib/data/nginx-vhosts/app-" + name + "/nginx.conf.sigil"} {
			from := map[bool]string{true: app.ImageFacts + name + "/" + file, false: copied}[app.Before(state.Dokku, "0.29.0")]
			if f, ok := files.Get(from); ok {
				set(name, file, f.SHA256)
			}
		}
		set(name, "directory for the deploy lock", directory(h.Paths().LibRoot+"/data/apps/"+name, state.Dokku))
	}
	set(host.GlobalScope, "domains", strings.Join(state.Global.Domains, " "))
	return found
}

// inForce tells whether a version reads a variable of these.
func inForce(variable, dokku string) bool {
	gone := map[string]string{"DOKKU_SCHEDULER": "0.26.0", "DOKKU_DOCKER_STOP_TIMEOUT": "0.36.0", "DOKKU_CNB_EXPERIMENTAL": "0.37.0", "DOKKU_WAIT_TO_RETIRE": "0.29.0"}[variable]
	if gone == "" {
		gone = "0.38.0"
	}
	return app.Before(dokku, gone)
}

func directory(name, dokku string) string {
	if _, err := os.Stat(name); err != nil && !app.Before(dokku, "0.34.0") {
		return "missing"
	}
	return "as it should be"
}

var kept = map[string]map[string]string{}

func cmdSettings(ts *testscript.TestScript, _ bool, _ []string) {
	kept[ts.Getenv("WORK")] = settings(ts)
	ts.Logf("%d settings", len(kept[ts.Getenv("WORK")]))
}

func cmdKept(ts *testscript.TestScript, neg bool, _ []string) {
	before, now := kept[ts.Getenv("WORK")], settings(ts)
	var lost []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if now[name] != before[name] {
			lost = append(lost, fmt.Sprintf("%s was %q and is %q", name, before[name], now[name]))
		}
	}
	ts.Logf("%d of %d settings lost\n%s", len(lost), len(before), strings.Join(lost, "\n"))
	if (len(lost) > 0) != neg {
		ts.Fatalf("%d settings lost", len(lost))
	}
}
