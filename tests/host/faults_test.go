package host_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/trigger"
	"upgrade-guard/tests/sandbox"
)

// noDocker is a host whose docker is down and whose Dokku answers
// ps-current-scale, both without starting a process: the walks below play the
// upgrade hundreds of times.
type noDocker struct{ host.Host }

func (noDocker) Run(_ context.Context, name string, _ ...string) ([]byte, error) {
	if name == "crontab" {
		return nil, errors.New("no crontab for dokku")
	}
	return nil, errors.New(name + " is down")
}

func (h noDocker) Trigger(_ context.Context, name string, args ...string) ([]byte, error) {
	if name != "ps-current-scale" {
		return nil, fmt.Errorf("unexpected trigger %s", name)
	}
	return h.ReadFile(h.Paths().Property("ps", args[0], "scale"))
}

// story is the upgrade from 0.20.4 to 0.35.5 in its two halves, so that each
// can be broken. The scale of blog is taken away in between, as if its seed had
// not worked, so that the second half has something to put back.
type story struct {
	t   *testing.T
	box sandbox.Host
	h   host.Host
}

func newStory(t *testing.T) *story {
	box, h := newHost(t, sandbox.Before)
	s := &story{t, box, noDocker{h}}
	if err := s.guard(s.h).Install(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *story) guard(h host.Host) *guard.Guard { return quietGuard(h, &strings.Builder{}) }

func (s *story) pre(h host.Host) error {
	return s.guard(h).PreUpgrade(context.Background(), "0.20.4", "0.35.5")
}

func (s *story) upgrade() {
	s.t.Helper()
	if err := s.box.Upgrade("0.35.5"); err != nil {
		s.t.Fatal(err)
	}
	if err := s.h.Remove(s.h.Paths().Property("ps", "blog", "scale")); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) post(h host.Host) error {
	return s.guard(h).PostUpgrade(context.Background(), "0.20.4", "0.35.5")
}

// live is every file of Dokku's own: what the guard must not break.
func (s *story) live() map[string]string {
	s.t.Helper()
	found := map[string]string{}
	for _, root := range []string{s.h.Paths().DokkuRoot, s.h.Paths().LibRoot + "/config"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			found[strings.TrimPrefix(path, s.box.Dir)] = strings.ReplaceAll(string(b), s.box.Dir, "")
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return found
}

// settled says what is wrong with a host on which the upgrade is through.
func (s *story) settled(want map[string]string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.live()); diff != "" {
		s.t.Error(diff)
	}
	r, err := s.guard(s.h).Report(context.Background(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, a := range r.Apps {
		// This docker says nothing, so whether the app serves is not known.
		if a.Status != guard.StatusOK && a.Status != guard.StatusUnknown && a.Status != guard.StatusRepaired || len(a.Findings) > 0 {
			s.t.Errorf("%s is %s: %+v", a.App, a.Status, a.Findings)
		}
	}
	if r.Unfinished {
		s.t.Error("the upgrade is unfinished")
	}
	s.noLeftovers(s.h.Paths().DokkuRoot)
	s.noLeftovers(s.h.Paths().LibRoot + "/config")
}

var leftover = regexp.MustCompile(`^\..*[0-9]+$`)

func (s *story) noLeftovers(root string) {
	s.t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && leftover.MatchString(d.Name()) {
			s.t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// counted are the changes that come in the same order every time; docker and
// cron are asked beside each other.
func counted(op host.Op) bool {
	return op.Kind != "mkdir" && (op.Kind != "run" || strings.HasPrefix(op.Name, "plugn"))
}

// reference is the live tree at the end of an undisturbed story, and the
// changes that each half makes, in order.
func reference(t *testing.T) (end map[string]string, preOps, postOps []host.Op) {
	t.Helper()
	s := newStory(t)
	record := func(ops *[]host.Op) host.Host {
		return &host.Faulty{Host: s.h, Kill: func(op host.Op) string {
			if counted(op) {
				*ops = append(*ops, op)
			}
			return ""
		}}
	}
	if err := s.pre(record(&preOps)); err != nil {
		t.Fatal(err)
	}
	s.upgrade()
	if err := s.post(record(&postOps)); err != nil {
		t.Fatal(err)
	}
	end = s.live()
	s.settled(end)
	if len(preOps) < 12 || len(postOps) < 5 {
		t.Fatalf("too few changes to be true: %v %v", preOps, postOps)
	}
	return end, preOps, postOps
}

// killedAt dies at the nth change; which kills are tried is in modes.
func killedAt(h host.Host, n int, mode string) *host.Faulty {
	i := -1
	return &host.Faulty{Host: h, Kill: func(op host.Op) string {
		if !counted(op) {
			return ""
		}
		if i++; i == n {
			return mode
		}
		return ""
	}}
}

// dies runs work and expects it to be killed.
func dies(t *testing.T, work func() error) {
	t.Helper()
	defer func() {
		r := recover()
		if _, ok := r.(host.Killed); !ok && r != nil {
			panic(r)
		} else if r == nil {
			t.Error("it was not killed")
		}
	}()
	_ = work()
}

// Killed anywhere, the next run ends in the same state.
func TestKilledAnywhere(t *testing.T) {
	end, preOps, postOps := reference(t)
	for _, mode := range []string{"before", "during", "after"} {
		for n, op := range preOps {
			t.Run(fmt.Sprintf("pre-upgrade %s %s %d", mode, op.Kind, n), func(t *testing.T) {
				s := newStory(t)
				dies(t, func() error { return s.pre(killedAt(s.h, n, mode)) })
				if n%2 == 0 { // the package manager calls again, or it does not
					if err := s.pre(s.h); err != nil {
						t.Fatal(err)
					}
				}
				s.upgrade()
				if err := s.post(s.h); err != nil {
					t.Fatal(err)
				}
				s.settled(end)
			})
		}
		for n, op := range postOps {
			t.Run(fmt.Sprintf("post-upgrade %s %s %d", mode, op.Kind, n), func(t *testing.T) {
				s := newStory(t)
				if err := s.pre(s.h); err != nil {
					t.Fatal(err)
				}
				s.upgrade()
				dies(t, func() error { return s.post(killedAt(s.h, n, mode)) })
				if err := s.post(s.h); err != nil {
					t.Fatal(err)
				}
				s.settled(end)
			})
		}
	}
}

// A full disk at any write: the error names the path, every file of Dokku's is
// the old one or the new one, and once there is room the next run ends well.
func TestDiskFullAnywhere(t *testing.T) {
	end, preOps, postOps := reference(t)
	// That a snapshot was read back is noted for speed alone: where it is not, nothing is said.
	noted := func(op host.Op) bool { return filepath.Base(op.Name) == "read-back" }
	fullFrom := func(h host.Host, n int) host.Host {
		i := -1
		return &host.Faulty{Host: h, Before: func(op host.Op) error {
			if op.Kind == "mkdir" || op.Kind == "run" || op.Kind == "remove" {
				return nil
			}
			if !noted(op) {
				i++
			}
			if i >= n {
				return &fs.PathError{Op: "write", Path: op.Name, Err: syscall.ENOSPC}
			}
			return nil
		}}
	}
	writes := func(ops []host.Op) (n int) {
		for _, op := range ops {
			if op.Kind != "run" && op.Kind != "remove" && !noted(op) {
				n++
			}
		}
		return n
	}
	oldOrNew := func(t *testing.T, old, now map[string]string) {
		t.Helper()
		for path, content := range now {
			if was, ok := old[path]; content != end[path] && (!ok || content != was) {
				t.Errorf("%s is neither the old nor the new one: %q", path, content)
			}
		}
	}
	named := func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/data/upgrade-guard/") && !strings.Contains(err.Error(), "/config/ps/") {
			t.Errorf("the error does not say what is full: %v", err)
		}
	}
	for n := range writes(preOps) {
		t.Run(fmt.Sprintf("pre-upgrade %d", n), func(t *testing.T) {
			s := newStory(t)
			old := s.live()
			named(t, s.pre(fullFrom(s.h, n)))
			oldOrNew(t, old, s.live())
			s.upgrade()
			if err := s.post(s.h); err != nil {
				t.Fatal(err)
			}
			s.settled(end)
		})
	}
	for n := range writes(postOps) {
		t.Run(fmt.Sprintf("post-upgrade %d", n), func(t *testing.T) {
			s := newStory(t)
			if err := s.pre(s.h); err != nil {
				t.Fatal(err)
			}
			s.upgrade()
			old := s.live()
			named(t, s.post(fullFrom(s.h, n)))
			oldOrNew(t, old, s.live())
			if err := s.post(s.h); err != nil {
				t.Fatal(err)
			}
			s.settled(end)
		})
	}
}

// A trigger of ours does not fail, whatever does: dpkg and Dokku go on. But for one,
// which fails whenever it could not do all of its part.
func TestATriggerNeverFails(t *testing.T) {
	s := newStory(t)
	for _, name := range trigger.Names() {
		for about, h := range map[string]host.Host{
			"disk full": &host.Faulty{Host: s.h, Before: func(op host.Op) error {
				return &fs.PathError{Op: "write", Path: op.Name, Err: syscall.ENOSPC}
			}},
			"panic": &host.Faulty{Host: s.h, Before: func(host.Op) error { panic("a mistake of ours") }},
		} {
			t.Run(name+" "+about, func(t *testing.T) {
				defer silence(t)()
				for _, args := range [][]string{{"0.20.4", "0.35.5"}, {"my_app"}, nil} {
					code := trigger.Run(context.Background(), h, name, args)
					// The one whose error keeps Dokku from destroying an app.
					if want := map[bool]int{true: 1}[name == "post-app-rename-setup"]; code != want {
						t.Errorf("it ended with %d, not %d", code, want)
					}
				}
			})
		}
	}
}

// silence keeps what triggers print out of the test's output.
func silence(t *testing.T) func() {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	out, errw := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = null, null
	return func() { os.Stdout, os.Stderr = out, errw; null.Close() }
}

// unreadable is a host on which one file cannot be read.
type unreadable struct {
	host.Host
	suffix string
}

func (u unreadable) ReadFile(name string) ([]byte, error) {
	if strings.HasSuffix(name, u.suffix) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EIO}
	}
	return u.Host.ReadFile(name)
}

func (u unreadable) See(name string, listed fs.DirEntry, limit int64) (host.Seen, error) {
	if _, err := u.ReadFile(name); err != nil && strings.HasSuffix(name, u.suffix) {
		return host.Seen{Mode: 0o600}, err
	}
	return u.Host.See(name, listed, limit)
}

// An app whose state cannot be read is named and stops nobody else; nothing of
// it is changed, and it stays open.
func TestUnreadableApp(t *testing.T) {
	s := newStory(t)
	if err := s.pre(s.h); err != nil {
		t.Fatal(err)
	}
	s.upgrade()
	broken := unreadable{s.h, "/config/ps/my_app/scale"}
	if err := s.post(broken); err != nil {
		t.Fatal(err)
	}
	r, err := s.guard(broken).Report(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]string{}
	for _, a := range r.Apps {
		status[a.App] = a.Status
		if a.App == "my_app" && !slices.Contains(a.Problems, "lib/config/ps/my_app/scale cannot be read: input/output error") {
			t.Errorf("my_app's problems are %q", a.Problems)
		}
	}
	want := map[string]string{"my_app": "unknown", "blog": "unknown", "api_server": "unknown", "jobs_only": "unknown", "never_deployed": "unknown"} // this docker says nothing
	if diff := cmp.Diff(want, status); diff != "" {
		t.Error(diff)
	}
	// Readable again, and lost in the meantime: its baseline was kept open.
	if err := s.h.Remove(s.h.Paths().Property("ps", "my_app", "scale")); err != nil {
		t.Fatal(err)
	}
	if err := s.post(s.h); err != nil {
		t.Fatal(err)
	}
	if got := s.live()["/var/lib/dokku/config/ps/my_app/scale"]; got != "web=2\nworker=1\n" {
		t.Errorf("my_app's scale is %q", got)
	}
}

// A snapshot that could not be read whole is incomplete, says so, and does not
// take the place of a complete one.
func TestIncompleteSnapshotIsSecondChoice(t *testing.T) {
	s := newStory(t)
	broken := unreadable{s.h, "/blog/DOKKU_SCALE"}
	var out strings.Builder
	if err := quietGuard(broken, &out).PreUpgrade(context.Background(), "0.20.4", "0.35.5"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "The snapshot is incomplete: root/blog/DOKKU_SCALE: input/output error") {
		t.Errorf("it said:\n%s", &out)
	}
	s.upgrade()
	if err := s.post(s.h); err != nil {
		t.Fatal(err)
	}
	if got := s.live()["/var/lib/dokku/config/ps/blog/scale"]; got != "web=3\nworker=0\n" {
		t.Errorf("blog's scale is %q", got)
	}
}

// A person or Dokku sets a scale between the plan and its step: the step is not
// done (law 2).
func TestAPersonIsFaster(t *testing.T) {
	s := newStory(t)
	s.upgrade()
	path := s.h.Paths().Property("ps", "blog", "scale")
	faster := &host.Faulty{Host: s.h, Before: func(op host.Op) error {
		if op.Kind == "append" { // the first journal line: planned, not yet done
			if _, err := s.h.ReadFile(path); err != nil {
				return s.h.Write(path, 0o600, []byte("web=7\n"))
			}
		}
		return nil
	}}
	if err := s.post(faster); err == nil || !strings.Contains(err.Error(), "blog: scale web=3 worker=0: changed since it was planned; skipped") {
		t.Errorf("it said: %v", err)
	}
	if b, _ := s.h.ReadFile(path); string(b) != "web=7\n" {
		t.Errorf("blog's scale is %q", b)
	}
}

// Two at once: both come to their end, one after the other.
func TestTwoAtOnce(t *testing.T) {
	s := newStory(t)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() { errs[i] = s.pre(s.h) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	list, err := s.guard(s.h).Store.List()
	if err != nil || len(list) != 5 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, e := range list {
		if _, err := s.guard(s.h).Store.Manifest(e.ID); err != nil {
			t.Error(err)
		}
	}
}
