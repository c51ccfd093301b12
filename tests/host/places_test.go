package host_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"upgrade-guard/tests/sandbox"
)

// kinds are what may stand where a file is expected, with what is said of it.
var kinds = []struct {
	name, says string
	make       func(path string) error
}{
	{"FIFO", "is a FIFO", func(path string) error { return syscall.Mkfifo(path, 0o600) }},
	{"directory", "is a directory", func(path string) error { return os.Mkdir(path, 0o700) }},
	{"device", "is a device", func(path string) error { return os.Symlink("/dev/zero", path) }},
	{"terabyte", "is larger than", func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)) }},
}

// replaced puts something else where a file is, or should be.
func replaced(t *testing.T, path string, make func(string) error) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.RemoveAll(path), make(path)); err != nil {
		t.Fatal(err)
	}
}

// A FIFO in the place of a property held pre-upgrade, and apt behind it, until it was
// killed, and it did not heed TERM.
func TestWhateverStandsInAPlace(t *testing.T) {
	program := binary(t)
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			box, h := newHost(t, sandbox.Before)
			paths := h.Paths()
			if u := run(t, program, "trigger", "install"); u.code != 0 {
				t.Fatal(u.out)
			}
			do := func(at string, args ...string) string {
				t.Helper()
				began := time.Now()
				u := run(t, program, args...)
				if took := time.Since(began); u.code < 0 || u.code > 2 || u.cpu > 5*time.Second || u.memory > 120 || strings.Contains(u.out, "panic") {
					t.Errorf("%s at %s: %v: %d after %s\n%.1000s", kind.name, at, args, u.code, took, u.out)
				}
				return u.out
			}
			all := func(at string) string {
				return do(at, "trigger", "pre-upgrade", "0.20.4", "0.35.5") + do(at, "report") + do(at, "check", "--to", "0.35.5") +
					do(at, "restore", "blog", "--dry-run") + do(at, "trigger", "post-upgrade", "0.20.4", "0.20.4") + do(at, "snapshots", "--verify")
			}
			// Each in its turn in our own directory, and of our properties. What
			// there was is there again for the next.
			for _, name := range []string{"ledger.json", "stamp", "pending", "queue", "lock", "queue.lock", "routes", "runs/20260101T000000Z-apply.jsonl",
				"snapshots/20260101T000000Z-0.20.4-manual.tar.gz", "live/blog.tar.gz", "renames/blog.json"} {
				path := paths.Data(name)
				was, _ := os.ReadFile(path)
				replaced(t, path, kind.make)
				out := do(name, "report") + do(name, "trigger", "pre-upgrade", "0.20.4", "0.35.5")
				if told := []string{"ledger.json", "stamp", "pending", "renames/blog.json"}; slices.Contains(told, name) && !strings.Contains(out, kind.says) {
					t.Errorf("%s at %s is not told:\n%s", kind.name, name, out)
				}
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				if was != nil {
					if err := os.WriteFile(path, was, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			replaced(t, paths.Property("upgrade-guard", "--global", "probe"), kind.make)
			if out := all("probe"); !strings.Contains(out, "the property probe cannot be read") || kind.name != "terabyte" && !strings.Contains(out, kind.says) {
				t.Errorf("%s for a property is not told:\n%s", kind.name, out)
			}
			if err := os.RemoveAll(paths.Property("upgrade-guard", "--global", "probe")); err != nil {
				t.Fatal(err)
			}
			if err := h.SetProperty("--global", "probe", "false"); err != nil {
				t.Fatal(err)
			}
			// All of an app's at once, and the host's. Docker is down, so that Dokku is not
			// called, who would wait for such files itself; nginx is not asked then.
			if err := os.WriteFile(box.Dir+"/docker-is-down", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			blog := paths.App("blog")
			for _, path := range []string{
				blog + "/ENV", blog + "/VHOST", blog + "/DOKKU_SCALE", blog + "/nginx.conf", blog + "/HEAD", blog + "/CONTAINER.web.1", blog + "/somebodys",
				blog + "/tls/server.crt", blog + "/tls/server.key", blog + "/refs/heads/x", blog + "/nginx.conf.d/x.conf", blog + "/letsencrypt/certs/current",
				blog + "/DOCKER_OPTIONS_DEPLOY", paths.Property("ps", "blog", "scale"), paths.Property("nginx", "blog", "hsts"),
				paths.DokkuRoot + "/VHOST", paths.DokkuRoot + "/ENV", paths.LibRoot + "/data/letsencrypt/autorenew", paths.LibRoot + "/config/stray",
				paths.LibRoot + "/plugins/enabled/letsencrypt/functions", paths.LibRoot + "/plugins/enabled/other/commands", paths.LibRoot + "/plugins/enabled/another",
			} {
				replaced(t, path, kind.make)
			}
			all("everywhere")
			// And last, what tells Dokku's version.
			for _, name := range []string{"STABLE_VERSION", "VERSION"} {
				replaced(t, paths.LibRoot+"/"+name, kind.make)
			}
			if out := all("the version"); !strings.Contains(out, "version cannot be read") {
				t.Errorf("that there is no version is not told:\n%s", out)
			}
		})
	}
}

// nginx reads what stands in an app's snippets, and would have waited for a FIFO until it was
// ended after 30 s, in each report.
func TestNginxIsNotHeld(t *testing.T) {
	for _, kind := range kinds {
		_, h := newHost(t, "issue7253-0.35.5-after")
		path := h.Paths().App("blog") + "/nginx.conf.d/x.conf"
		replaced(t, path, kind.make)
		var out strings.Builder
		began := time.Now()
		r, err := quietGuard(h, &out).Report(context.Background(), "")
		if err != nil {
			t.Fatal(err)
		}
		says := path + " " + strings.Replace(kind.says, "is larger than", "is too large", 1)
		if told := strings.Contains(r.Health, says); told != (kind.name != "directory") || time.Since(began) > 15*time.Second {
			t.Errorf("%s: after %s: %s", kind.name, time.Since(began), r.Health)
		}
	}
}

// Docker hangs and ignores TERM, and so does what it has started; or the lock is held:
// TERM ends us within seconds all the same.
func TestTermEndsTheProgram(t *testing.T) {
	program := binary(t)
	_, h := newHost(t, sandbox.Before)
	if u := run(t, program, "trigger", "install"); u.code != 0 {
		t.Fatal(u.out)
	}
	bin := t.TempDir()
	put(t, bin+"/docker", "#!/bin/sh\ntrap '' TERM\n(while :; do sleep 1; done) &\nwhile :; do sleep 1; done\n")
	if err := os.Chmod(bin+"/docker", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	term := func(args ...string) {
		t.Helper()
		cmd := exec.Command(program, args...)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		began := time.Now()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
			t.Logf("%v: over after %s", args, time.Since(began))
		case <-time.After(15 * time.Second):
			_ = cmd.Process.Kill()
			t.Errorf("%v: still there 15 s after TERM\n%s", args, &out)
		}
	}
	for _, args := range [][]string{{"report"}, {"snapshot"}, {"trigger", "pre-upgrade", "0.20.4", "0.35.5"}, {"trigger", "post-upgrade", "0.20.4", "0.20.4"}, {"restore", "blog"}} {
		term(args...)
	}
	unlock, err := h.Lock(context.Background(), h.Paths().Data("lock"), 0o600, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	term("snapshot")
	// And a list of apt's that never ends.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	began := time.Now()
	cmd := exec.Command(program, "before", "apt")
	cmd.Stdin = r
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "did not finish in time") || time.Since(began) > 20*time.Second {
		t.Errorf("%v after %s: %s", err, time.Since(began), out)
	}
}
