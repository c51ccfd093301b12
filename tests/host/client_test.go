package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/state"
)

// clientless is a host on which docker's daemon runs, and the program docker is gone: what
// an upgrade to Debian 13 leaves where apt installs no recommended packages.
type clientless struct {
	host.Host
	packages []string
}

func (c clientless) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	if name == "docker" {
		return nil, fmt.Errorf("docker cannot be run: %w", &exec.Error{Name: "docker", Err: exec.ErrNotFound})
	}
	return c.Host.Run(ctx, name, args...)
}

func (c clientless) Stream(ctx context.Context, use func(io.Reader) error, name string, args ...string) error {
	if _, err := c.Run(ctx, name, args...); name == "docker" {
		return err
	}
	return c.Host.Stream(ctx, use, name, args...)
}

func (c clientless) Stat(name string) (fs.FileInfo, error) {
	if list, ok := strings.CutPrefix(name, "/var/lib/dpkg/info/"); ok {
		if !slices.Contains(c.packages, strings.TrimSuffix(list, ".list")) {
			return nil, fs.ErrNotExist
		}
		name = "/"
	}
	return c.Host.Stat(name)
}

// What is said of it names the package that brings it back, at the end of apt's run already.
func TestTheProgramDockerIsGone(t *testing.T) {
	_, local := newHost(t, "issue7253-0.35.5-after")
	for _, c := range []struct {
		packages []string
		want     string
	}{
		{[]string{"docker.io"}, "apt-get install docker-cli"},
		{[]string{"docker-ce"}, "apt-get install docker-ce-cli"},
		{[]string{"docker.io", "docker-cli"}, "systemctl status docker"}, // it is there by a path that we do not have
		{nil, "systemctl status docker"},
	} {
		var out strings.Builder
		g := quietGuard(clientless{local, c.packages}, &out)
		if err := g.Install(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := g.QueueRoutes(context.Background()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "The program docker is not there") || !strings.Contains(out.String(), "To do: "+c.want) {
			t.Errorf("%q: apt's end says %q, want %q", c.packages, out.String(), c.want)
		}
		r, err := g.Report(context.Background(), "")
		if err != nil {
			t.Fatal(err)
		}
		if list := r.ToDo(); len(list) == 0 || list[0] != c.want {
			t.Errorf("%q: the report says %q, want %q", c.packages, list, c.want)
		}
	}
}

// nginx is asked all the same: that it would not start again is said beside it.
func TestNginxIsAskedWithoutDocker(t *testing.T) {
	_, local := newHost(t, "issue7253-0.35.5-after")
	ctx := context.Background()
	var out strings.Builder
	g := quietGuard(clientless{local, []string{"docker.io"}}, &out)
	for _, want := range []string{"nginx accepts its configuration", "nginx refuses its configuration: "} {
		r, err := g.Report(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(r.Health, "nothing is known of containers") || !strings.Contains(r.Health, want) {
			t.Errorf("%q, want %q", r.Health, want)
		}
		if err := local.Write(local.Paths().App("blog")+"/nginx.conf", 0o644, []byte("server {\n  listen 80;\n  server_name www.blog.example;\n  location / { proxy_pass http://blog-5000; }\n}\n")); err != nil {
			t.Fatal(err)
		}
	}
}

// What has failed while it was gone is over as soon as the same was done, by whatever has
// come to it: Dokku's timer after the next boot, with nobody typing apply.
func TestWhatFailedWithoutDockerIsDoneLater(t *testing.T) {
	_, local := newHost(t, "issue7253-0.35.5-after")
	ctx := context.Background()
	var out strings.Builder
	gone := quietGuard(clientless{local, []string{"docker.io"}}, &out)
	if err := errors.Join(gone.Install(ctx), gone.QueueRoutes(ctx)); err != nil {
		t.Fatal(err)
	}
	_ = gone.RunQueue(ctx, false)
	failed := func() bool {
		r, err := quietGuard(local, &out).Report(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(r.Queue, func(j guard.JobReport) bool { return j.State == state.JobFailed })
	}
	if !failed() {
		t.Fatalf("nothing has failed\n%s", &out)
	}
	back := quietGuard(local, &out)
	back.NoProbe = true // nothing listens there
	if err := back.Routes(ctx); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if failed() {
		t.Errorf("it is called failed still\n%s", &out)
	}
}
