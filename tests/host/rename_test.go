package host_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/tests/sandbox"
)

// renaming is a host with an app that has everything a rename must carry over. Its
// other apps are gone, so that the walks below have less to read.
type renaming struct {
	t   *testing.T
	box sandbox.Host
	h   *host.Local
	out strings.Builder
}

func newRenaming(t *testing.T) *renaming {
	t.Helper()
	box, h := newHost(t, "issue7253-0.35.5-after")
	r := &renaming{t: t, box: box, h: h}
	for _, name := range []string{"api_server", "blog", "jobs_only", "never_deployed"} {
		if err := os.RemoveAll(h.Paths().App(name)); err != nil {
			t.Fatal(err)
		}
	}
	app, lib := h.Paths().App("my_app"), h.Paths().LibRoot
	for name, content := range map[string]string{
		lib + "/config/ps/my_app/scale":                   "web=2\nworker=1\n",
		lib + "/config/checks/my_app/wait-to-retire":      "0",
		lib + "/config/checks/my-app/attempts":            "left by an app of this name that was destroyed",
		lib + "/config/letsencrypt/my_app/email":          "me@example.org",
		lib + "/config/stranger/my_app/setting":           "x",
		lib + "/data/app-json/my_app/app.json":            `{"cron":[{"command":"true","schedule":"@daily"}]}`,
		lib + "/services/redis/cache/LINKS":               "blog\nmy_app\n",
		app + "/nginx.conf.d/http-auth.conf":              "auth_basic_user_file " + app + "/htpasswd;\n",
		app + "/objects/ab/cdef":                          "an object",
		app + "/hooks/pre-receive":                        "cat | DOKKU_ROOT=\"/home/dokku\" dokku git-hook my_app\n",
		app + "/letsencrypt/certs/abc/certificates/x.crt": "a certificate",
	} {
		if err := h.Write(name, 0o600, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Link(app+"/letsencrypt/certs/abc", app+"/letsencrypt/certs/current"); err != nil {
		t.Fatal(err)
	}
	if err := r.guard(h).Install(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *renaming) guard(h host.Host) *guard.Guard { return quietGuard(h, &r.out) }

func (r *renaming) rename(h host.Host) error {
	return r.guard(h).Rename(context.Background(), "my_app", "my-app", guard.RenameOptions{})
}

// live is every file of Dokku's own, links as links; the guard's own directory and
// properties are left out.
func (r *renaming) live() map[string]string {
	r.t.Helper()
	found := map[string]string{}
	for _, root := range []string{r.h.Paths().DokkuRoot, r.h.Paths().LibRoot + "/config", r.h.Paths().LibRoot + "/data", r.h.Paths().LibRoot + "/services"} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == host.Plugin || d.Name() == "."+host.Plugin || d.Name() == ".dokkurc"):
				return filepath.SkipDir
			case d.IsDir():
				return nil
			}
			content, err := os.Readlink(path)
			if err != nil {
				b, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				content = string(b)
			}
			found[strings.TrimPrefix(path, r.box.Dir)] = strings.ReplaceAll(content, r.box.Dir, "")
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return found
}

// whole says whether one of the two names has everything, by what was there.
func (r *renaming) whole(before map[string]string) {
	r.t.Helper()
	now := r.live()
	lost := func(name string) (missing []string) {
		for path, content := range before {
			if base := filepath.Base(path); !strings.Contains(path, "/my_app/") || strings.HasPrefix(base, "CONTAINER.") || strings.HasPrefix(base, "IP.") ||
				strings.HasPrefix(base, "PORT.") || base == "nginx.conf" || base == "VHOST" || base == "URLS" || base == "pre-receive" || base == "http-auth.conf" || base == "app.json" || base == "current" {
				continue
			}
			if p := strings.Replace(path, "/my_app/", "/"+name+"/", 1); now[p] != content {
				missing = append(missing, p)
			}
		}
		return missing
	}
	if a, b := lost("my_app"), lost("my-app"); len(a) > 0 && len(b) > 0 {
		r.t.Errorf("neither name has everything: %v %v", a, b)
	}
	if by, err := r.box.Answers("shop.example.org"); err != nil {
		r.t.Errorf("nobody answers: %v, %s", err, by)
	}
}

// settled says what is wrong with a host on which the rename has come to an end.
func (r *renaming) settled(want map[string]string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.live()); diff != "" {
		r.t.Errorf("%s\nit said:\n%s", diff, &r.out)
	}
	for _, dir := range []string{r.h.Paths().DokkuRoot + "/.upgrade-guard/my_app", r.h.Paths().Data("renames", "my_app.json")} {
		if _, err := os.Lstat(dir); err == nil {
			r.t.Errorf("left behind: %s", dir)
		}
	}
	if _, err := r.box.Answers("shop.example.org"); err != nil {
		r.t.Error(err)
	}
}

// steps are the changes at which a rename may die: all but the journal's lines,
// directories, and questions to docker.
func steps(op host.Op) bool {
	return op.Kind != "mkdir" && op.Kind != "append" && (op.Kind != "run" || !strings.HasPrefix(op.Name, "docker ") && !strings.HasPrefix(op.Name, "crontab "))
}

// mortal is a host that dies at the nth step, and does nothing afterwards.
func mortal(h host.Host, n int, mode string, seen *[]host.Op) host.Host {
	i, dead := -1, false
	return &host.Faulty{Host: h,
		Before: func(host.Op) error {
			if dead {
				return errors.New("dead")
			}
			return nil
		},
		Kill: func(op host.Op) string {
			if !steps(op) {
				return ""
			}
			if seen != nil {
				*seen = append(*seen, op)
			}
			if i++; i == n {
				dead = true
				return mode
			}
			return ""
		}}
}

// A rename that is killed at any of its steps leaves a whole app that answers, and a
// second run ends as an undisturbed one does.
func TestRenameKilledAnywhere(t *testing.T) {
	var ops []host.Op
	r := newRenaming(t)
	before := r.live()
	if err := r.rename(mortal(r.h, -1, "", &ops)); err != nil {
		t.Fatal(err)
	}
	end := r.live()
	r.settled(end)
	if len(ops) < 40 {
		t.Fatalf("too few steps to be true: %v", ops)
	}
	for n, op := range ops {
		mode := []string{"before", "after"}[n%2]
		if op.Kind == "copy" || op.Kind == "write" && n%3 == 0 {
			mode = "during"
		}
		t.Run(fmt.Sprintf("%d %s %s %s", n, mode, op.Kind, filepath.Base(op.Name)), func(t *testing.T) {
			r := newRenaming(t)
			dies(t, func() error { return r.rename(mortal(r.h, n, mode, nil)) })
			r.whole(before)
			if err := r.rename(r.h); err != nil && !strings.Contains(err.Error(), "App my_app does not exist") {
				t.Fatalf("%v\nit said:\n%s", err, &r.out)
			}
			r.settled(end)
		})
	}
}

// A rename whose new containers do not start is taken back; killed on the way, the
// next run brings that to its end, and the old app is as it was.
func TestRenameTakenBackAnywhere(t *testing.T) {
	var ops []host.Op
	sick := func(t *testing.T) *renaming {
		r := newRenaming(t)
		if err := os.WriteFile(filepath.Join(r.box.Dir, "unhealthy"), []byte("my-app"), 0o644); err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := sick(t)
	before := r.live()
	if err := r.rename(mortal(r.h, -1, "", &ops)); err == nil || !strings.Contains(err.Error(), "App container failed to start") {
		t.Fatal(err)
	}
	r.settled(before)
	first := 0
	for n, op := range ops {
		if op.Kind == "run" && strings.HasPrefix(op.Name, "dokku ") {
			first = n + 1 // what comes after the last command is the taking back
		}
	}
	if len(ops)-first < 8 {
		t.Fatalf("too few steps to be true: %v", ops[first:])
	}
	for n := first; n < len(ops); n++ {
		mode := []string{"before", "after"}[n%2]
		t.Run(fmt.Sprintf("%d %s %s %s", n, mode, ops[n].Kind, filepath.Base(ops[n].Name)), func(t *testing.T) {
			r := sick(t)
			dies(t, func() error { return r.rename(mortal(r.h, n, mode, nil)) })
			r.whole(before)
			if err := r.guard(r.h).ResumeRenames(context.Background()); err != nil {
				t.Fatalf("%v\nit said:\n%s", err, &r.out)
			}
			r.settled(before)
		})
	}
}

// nginx refuses its configuration, for whatever reason, while the domains are moved:
// the old app has them again, with the nginx.conf it had.
func TestRenameFailsInSwitch(t *testing.T) {
	for n, step := range []string{"give it the domains", "move the domains from my_app"} {
		t.Run(step, func(t *testing.T) {
			r := newRenaming(t)
			before, i := r.live(), -1
			err := r.rename(&host.Faulty{Host: r.h, Before: func(op host.Op) error {
				if op.Kind == "run" && strings.HasPrefix(op.Name, "dokku proxy:build-config") {
					if i++; i == n {
						return errors.New("nginx: configuration file test failed")
					}
				}
				return nil
			}})
			if err == nil || !strings.Contains(err.Error(), step+": nginx: configuration file test failed") {
				t.Fatalf("%v\nit said:\n%s", err, &r.out)
			}
			r.settled(before)
			if by, _ := r.box.Answers("shop.example.org"); by != "my_app" {
				t.Errorf("answered by %q", by)
			}
			if err := r.rename(r.h); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// small is a host with next to no room on its disk.
type small struct{ host.Host }

func (small) Free(string) (uint64, error) { return 1 << 20, nil }

// A disk that is too small is seen before anything is written; one that is full at any
// write leaves the old app as it was, or the new one to be finished by the next run.
func TestRenameDiskFull(t *testing.T) {
	var ops []host.Op
	r := newRenaming(t)
	before := r.live()
	if err := r.rename(mortal(small{r.h}, -1, "", &ops)); err == nil || !strings.Contains(err.Error(), "the disk is too small") || len(ops) > 0 {
		t.Fatalf("%v, and %v was done", err, ops)
	}
	writes := func(op host.Op) bool { return op.Kind == "write" || op.Kind == "copy" || op.Kind == "merge" }
	if err := r.rename(mortal(r.h, -1, "", &ops)); err != nil {
		t.Fatal(err)
	}
	end := r.live()
	n := -1
	for _, op := range ops {
		if !writes(op) {
			continue
		}
		n++
		t.Run(fmt.Sprintf("%d %s %s", n, op.Kind, filepath.Base(op.Name)), func(t *testing.T) {
			r := newRenaming(t)
			i := -1
			full := &host.Faulty{Host: r.h, Before: func(op host.Op) error {
				if writes(op) {
					if i++; i == n {
						return &fs.PathError{Op: "write", Path: op.Name, Err: syscall.ENOSPC}
					}
				}
				return nil
			}}
			// The live snapshot of the new app is only said to be missing.
			if err := r.rename(full); !errors.Is(err, syscall.ENOSPC) && !strings.Contains(r.out.String(), "the live snapshot of my-app cannot be stored") {
				t.Fatalf("%v\nit said:\n%s", err, &r.out)
			}
			r.whole(before)
			if _, err := os.Lstat(r.h.Paths().App("my_app")); err == nil {
				if _, err := os.Lstat(r.h.Paths().Data("renames", "my_app.json")); err != nil {
					r.settled(before) // taken back
				}
			}
			if err := r.rename(r.h); err != nil && !strings.Contains(err.Error(), "App my_app does not exist") {
				t.Fatalf("%v\nit said:\n%s", err, &r.out)
			}
			r.settled(end)
		})
	}
}

// ^C while the old app is being destroyed: half of it was left, until somebody came back.
// It is brought to its end, and said to be.
func TestARenameIsNotLeftHalfDestroyed(t *testing.T) {
	r := newRenaming(t)
	before := r.live()
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	faulty := &host.Faulty{Host: r.h, Before: func(op host.Op) error {
		if op.Kind == "run" && strings.Contains(op.Name, "apps:destroy") {
			interrupt()
		}
		return nil
	}}
	if err := r.guard(faulty).Rename(ctx, "my_app", "my-app", guard.RenameOptions{}); err != nil || ctx.Err() == nil {
		t.Fatalf("%v, interrupted: %v\n%s", err, ctx.Err(), &r.out)
	}
	if !strings.Contains(r.out.String(), "brought to its end all the same") {
		t.Errorf("it is not said\n%s", &r.out)
	}
	if _, err := r.h.Lstat(r.h.Paths().App("my_app")); err == nil {
		t.Error("the old app is there")
	}
	r.whole(before)
}
