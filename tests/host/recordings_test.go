package host_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/tests/sandbox"
)

func readHost(t *testing.T, recording string) app.Host {
	t.Helper()
	_, h := newHost(t, recording)
	files, err := app.Capture(context.Background(), h, app.What{})
	if err != nil {
		t.Fatal(err)
	}
	if missing := files.Incomplete(); len(missing) > 0 {
		t.Errorf("incomplete: %v", missing)
	}
	return app.Read(files)
}

// What the operators of the recorded hosts would say of their apps.
type said struct {
	Scale       string
	Domains     string
	Ports       string
	Running     int
	Letsencrypt string // the fingerprint of the email, wherever it is kept
}

func summary(s app.State) said {
	running := 0
	for _, c := range s.Containers {
		if c.Running {
			running++
		}
	}
	return said{
		Scale: strings.Join(slices.Sorted(slices.Values(strings.Fields(s.EffectiveScale().String()))), " "), Domains: strings.Join(s.Domains.Names, " "),
		Ports: strings.Join(slices.Sorted(slices.Values(s.Ports.Map)), " "), Running: running,
		Letsencrypt: s.Letsencrypt.Env["email"],
	}
}

// Every recording reads to what its README says of it.
func TestRecordingsRead(t *testing.T) {
	before := map[string]said{
		"my_app":         {"web=2 worker=1", "shop.example.org", "http:80:5000 https:443:5000", 3, app.Fingerprint("ops@example.org")},
		"api_server":     {"web=1 worker=0", "api_server.dokku.test", "http:8080:5000 http:80:5000", 1, ""},
		"blog":           {"web=3 worker=0", "www.blog.example", "http:80:5000", 3, app.Fingerprint("blog@example.org")},
		"jobs_only":      {"web=0 worker=2", "jobs_only.dokku.test", "http:5000:5000", 2, ""},
		"never_deployed": {"", "", "", 0, ""},
	}
	// The upgrade deletes every scale and gives the app that had none a domain;
	// everything serves on.
	after := maps.Clone(before)
	for name, s := range after {
		s.Scale = ""
		if name == "never_deployed" {
			s.Domains = "never_deployed.dokku.test"
		}
		after[name] = s
	}
	// The rename on 0.35.5 loses the containers and resets the scale.
	renamed := maps.Clone(after)
	delete(renamed, "my_app")
	renamed["my-app"] = said{"web=2 worker=1", "shop.example.org", "http:80:5000 https:443:5000", 0, app.Fingerprint("ops@example.org")}
	// The rebuild takes every site down.
	rebuilt := maps.Clone(after)
	for name, s := range rebuilt {
		if name != "never_deployed" {
			s.Scale, s.Running = "web=0 worker=0", 0
		}
		rebuilt[name] = s
	}
	for recording, want := range map[string]map[string]said{
		"issue7253-0.20.4-before":   before,
		"issue7253-0.35.5-after":    after,
		"issue7253-0.35.5-renamed":  renamed,
		"issue7253-0.38.27-after":   after,
		"issue7253-0.38.27-rebuilt": rebuilt,
	} {
		t.Run(recording, func(t *testing.T) {
			h := readHost(t, recording)
			got := map[string]said{}
			for name, s := range h.Apps {
				got[name] = summary(s)
				if len(s.Problems)+len(s.Unreadable) > 0 {
					t.Errorf("%s: %v %v", name, s.Problems, s.Unreadable)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"dokku.test"}, h.Global.Domains); diff != "" {
				t.Error(diff)
			}
			if got := h.Global.Letsencrypt.Env["email"]; got != app.Fingerprint("global@example.org") {
				t.Errorf("the host's letsencrypt email is %q", got)
			}
		})
	}
}

func TestRecordedDetails(t *testing.T) {
	h := readHost(t, sandbox.Before)
	s := h.Apps["my_app"]
	if c := s.Certificate; c == nil || !slices.Contains(c.Names, "shop.example.org") || !c.KeyFits || len(c.Fingerprint) != 64 {
		t.Errorf("the certificate of my_app reads as %+v", c)
	}
	if s.Git.Head != "refs/heads/master" || len(s.Git.Refs["refs/heads/master"]) != 40 || s.Git.Refs["refs/heads/master"] != s.Git.Revision {
		t.Errorf("the repository of my_app reads as %+v", s.Git)
	}
	if s.Image != "dokku/my_app:latest" {
		t.Errorf("the image of my_app reads as %q", s.Image)
	}
	for _, c := range s.Containers {
		if c.Type == "web" && (c.Port != "5000" || !slices.Contains(c.Addresses, c.IP)) {
			t.Errorf("a container of my_app reads as %+v", c)
		}
	}
	if s.Env["NAME"] != app.Fingerprint("my_app") || s.Env["GIT_REV"] == "" {
		t.Errorf("the environment of my_app reads as %v", s.Env)
	}
	if !s.Deployed() || h.Apps["never_deployed"].Deployed() {
		t.Error("deployed and never deployed are mixed up")
	}
	renamed := readHost(t, "issue7253-0.35.5-renamed").Apps["my-app"]
	if renamed.Certificate != nil || len(renamed.Git.Refs) > 0 || len(renamed.Containers) > 0 {
		t.Errorf("the rename on 0.35.5 lost certificate, refs and containers; read was %+v", renamed)
	}
}

// Reading a recording and reading the sandbox after it has played the same
// upgrade give the same state.
func TestTheSandboxPlaysWhatWasRecorded(t *testing.T) {
	for _, to := range []string{"0.35.5", "0.38.27"} {
		recorded := readHost(t, "issue7253-"+to+"-after")
		box, h := newHost(t, sandbox.Before)
		if err := box.Upgrade(to); err != nil {
			t.Fatal(err)
		}
		files, err := app.Capture(context.Background(), h, app.What{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(recorded, app.Read(files)); diff != "" {
			t.Errorf("to %s: %s", to, diff)
		}
	}
}

// A recorded host whose scale is lost is told so; the healthy one is not
// troubled.
func TestFindingsOnRecordings(t *testing.T) {
	for recording, want := range map[string]int{
		"issue7253-0.20.4-before": 0,
		"issue7253-0.35.5-after":  5, // four lost and one never set
		"issue7253-0.38.27-after": 5,
	} {
		_, h := newHost(t, recording)
		var out strings.Builder
		c, err := quietGuard(h, &out).Check(context.Background(), "", "0.38.27")
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Present) != want {
			t.Errorf("%s: %d findings: %+v", recording, len(c.Present), c.Present)
		}
		losses := slices.DeleteFunc(slices.Clone(c.Upgrade), func(f hazard.Finding) bool { return f.Kind == hazard.Notice })
		if recording == sandbox.Before && len(losses) != 5 {
			t.Errorf("%s: the upgrade to 0.38.27 is said to lose %+v", recording, c.Upgrade)
		}
	}
}
