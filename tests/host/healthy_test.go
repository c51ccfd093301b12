package host_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/tests/sandbox"
)

// healthyVersions are Dokku versions of every layout there has been since 0.20.
var healthyVersions = strings.Fields(`0.20.4 0.21.4 0.22.3 0.22.9 0.23.9 0.24.10 0.25.0 0.25.7 0.26.8 0.27.10 0.28.4 0.29.4
	0.30.11 0.31.5 0.32.4 0.33.9 0.34.9 0.35.5 0.35.20 0.36.5 0.36.11 0.37.10 0.38.0 0.38.8 0.38.27`)

// A healthy host of any version gives no finding: none now, none after an upgrade
// that changed nothing, and nothing to do for apply.
func TestHealthyHostsGiveNoFinding(t *testing.T) {
	for _, version := range healthyVersions {
		t.Run(version, func(t *testing.T) {
			recording := sandbox.Before
			switch {
			case !app.Before(version, "0.38.0"):
				recording = "issue7253-0.38.27-after"
			case !app.Before(version, "0.25.0"):
				recording = "issue7253-0.35.5-after"
			}
			_, local := newHost(t, recording)
			h := noDocker{local}
			put := func(name, content string) {
				t.Helper()
				if err := h.Write(name, 0o600, []byte(content)); err != nil {
					t.Fatal(err)
				}
			}
			put(h.Paths().LibRoot+"/STABLE_VERSION", version+"\n")
			put(h.Paths().LibRoot+"/VERSION", "v"+version+"\n")
			if !app.ScaleInFile(version) {
				for name, scale := range map[string]string{"my_app": "web=2\nworker=1\n", "api_server": "web=1\nworker=0\n",
					"blog": "web=3\n", "jobs_only": "web=0\nworker=2\n", "never_deployed": "web=1\n"} {
					put(h.Paths().Property("ps", name, "scale"), scale)
				}
			}
			if !app.Before(version, "0.36.0") { // which its installation makes
				for _, name := range []string{"my_app", "api_server", "blog", "jobs_only", "never_deployed"} {
					if err := os.MkdirAll(filepath.Join(h.Paths().LibRoot, "data/scheduler-k3s", name), 0o755); err != nil {
						t.Fatal(err)
					}
				}
			}
			// What people and other programs leave beside the apps.
			for _, dir := range []string{"tls", "Maildir", "lost+found", ".cache"} {
				if err := os.MkdirAll(h.Paths().App(dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			put(h.Paths().App("tls")+"/server.crt", "x")
			put(h.Paths().App("blog")+"/README", "somebody's notes")

			var out strings.Builder
			g := quietGuard(h, &out)
			if err := g.Install(context.Background()); err != nil {
				t.Fatal(err)
			}
			c, err := g.Check(context.Background(), "", version)
			if err != nil || len(c.Present) > 0 {
				t.Errorf("%v: %+v", err, c)
			}
			if p, err := g.DryRun(context.Background(), "", false); len(p.Findings)+len(p.Jobs) > 0 || err != nil {
				t.Errorf("%+v to do, %v", p, err)
			}
			r, err := g.Report(context.Background(), "")
			if err != nil || len(r.Apps) != 5 {
				t.Fatalf("%v, %d apps", err, len(r.Apps))
			}
			for _, a := range r.Apps {
				if a.Status != "unknown" || len(a.Findings) > 0 { // this docker says nothing
					t.Errorf("%s is %s: %+v", a.App, a.Status, a.Findings)
				}
			}
			if said := withoutDocker.Replace(out.String()); strings.Contains(said, " ! ") {
				t.Errorf("it said:\n%s", said)
			}
		})
	}
}

// withoutDocker takes out what is said because neither docker nor sudo, by which nginx is
// asked, answers here.
var withoutDocker = strings.NewReplacer(" !     nothing is known of containers: docker is down.\n", "", " !         To do: systemctl status docker\n", "",
	" !     nginx cannot be asked whether it takes its configuration: sudo is down.\n", "", " !         To do: sudo nginx -t\n", "")
