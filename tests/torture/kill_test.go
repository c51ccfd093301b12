package torture_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/tests/sandbox"
)

// killed starts the binary on a copy of a host again and again and kills it at a moment
// at random, every other time with all that it has called: as the kernel's want of memory
// does, and a power cut. after looks at what is left.
func killed(t *testing.T, template *box, n int, args []string, after func(t *testing.T, b *box)) {
	t.Helper()
	longest := time.Duration(0)
	for range 3 {
		longest = max(longest, template.copy(t).must(args...).took)
	}
	random := rand.New(rand.NewPCG(5, 6))
	var alive atomic.Int64
	begun := time.Now()
	t.Run(args[0], func(t *testing.T) {
		for i := range n {
			wait := time.Duration(random.Int64N(int64(longest * 3 / 2))) // two at once take longer
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				b := template.copy(t)
				cmd := b.command(args...)
				cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(wait)
				if i%2 == 0 {
					_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // and whatever it has called
				}
				_ = cmd.Process.Kill()
				if cmd.Wait(); cmd.ProcessState.ExitCode() == -1 {
					alive.Add(1)
				}
				// What it has called goes on where only we were killed.
				time.Sleep(50 * time.Millisecond)
				after(t, b)
			})
		}
	})
	t.Logf("%s killed at %d moments of %.2f s, %d times before its end: nothing lost, nothing half, and the next run ends well (%.1f s)",
		args[0], n, longest.Seconds(), alive.Load(), time.Since(begun).Seconds())
	if alive.Load() < int64(n)/4 {
		t.Error("that is too few to be true")
	}
}

func TestSnapshotIsKilled(t *testing.T) {
	template := newBox(t, sandbox.Before)
	template.must("snapshot")
	first := template.whole()
	killed(t, template, rounds(40), []string{"snapshot"}, func(t *testing.T, b *box) {
		if ids := b.whole(); len(ids) == 0 || ids[len(ids)-1] != first[0] {
			t.Errorf("it has %v, and had %v", ids, first)
		}
		b.must("snapshot")
		if ids := b.whole(); len(ids) < 2 {
			t.Errorf("it has %v", ids)
		}
		if left := b.leftovers(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// upgraded is a host after an upgrade that has taken things away, with everything still to
// be done.
func upgraded(t *testing.T) *box {
	t.Helper()
	b := newBox(t, sandbox.Before)
	b.must("trigger", "install")
	b.must("trigger", "pre-upgrade", "0.20.4", "0.35.5")
	if err := b.Upgrade("0.35.5"); err != nil {
		t.Fatal(err)
	}
	p := b.h.Paths()
	b.remove(p.App("my_app") + "/VHOST")
	b.dokku("proxy:build-config", "my_app")
	for _, gone := range []string{p.Property("ps", "blog", "scale"), p.Property("ps", "api_server", "scale"), p.App("my_app") + "/tls/server.key"} {
		b.remove(gone)
	}
	return b
}

// ended is how a host is when a command has been left to come to its end.
func ended(t *testing.T, template *box, args ...string) map[string]string {
	t.Helper()
	b := template.copy(t)
	b.must(args...)
	return b.dokkus()
}

func same(t *testing.T, want, got map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestApplyIsKilled(t *testing.T) {
	template := upgraded(t)
	end := ended(t, template, "apply")
	if !strings.Contains(end["/home/dokku/my_app/nginx.conf"], "shop.example.org") || !strings.Contains(end["/var/lib/dokku/config/ps/blog/scale"], "web=3") {
		t.Fatal("apply does not put back what is lost")
	}
	killed(t, template, rounds(40), []string{"apply"}, func(t *testing.T, b *box) {
		b.must("apply")
		same(t, end, b.dokkus())
		if ids := b.whole(); !strings.HasSuffix(ids[0], "-0.35.5-post-upgrade") {
			t.Errorf("it has %v", ids)
		}
		if left := b.leftovers(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// changed is a host on which an app is otherwise than in the only snapshot there is.
func changed(t *testing.T) *box {
	t.Helper()
	b := newBox(t, "issue7253-0.35.5-after")
	p := b.h.Paths()
	for _, name := range []string{"my_app", "blog", "api_server"} {
		b.put(p.Property("ps", name, "scale"), "web=2\nworker=1\n")
	}
	b.put(p.App("my_app")+"/nginx.conf.d/x.conf", "# old\n")
	b.put(p.Property("nginx", "my_app", "hsts"), "true")
	b.must("trigger", "install")
	b.must("apply")
	b.put(p.Property("ps", "my_app", "scale"), "web=9\n")
	b.put(p.Property("nginx", "my_app", "hsts"), "false")
	b.put(p.Property("ports", "my_app", "map"), "http:8080:5000\n")
	b.put(p.App("my_app")+"/VHOST", "other.example.org\n")
	b.put(p.App("my_app")+"/nginx.conf.d/x.conf", "# new\n")
	b.put(p.App("my_app")+"/ENV", "export OTHER=\"1\"\n")
	b.remove(p.App("my_app") + "/tls/server.key")
	b.dokku("proxy:build-config", "my_app")
	return b
}

// Of 80 restores that were killed, 11 were never finished: see tests/host/cutoff_test.go.
func TestRestoreIsKilled(t *testing.T) {
	template := changed(t)
	end := ended(t, template, "restore", "my_app")
	if !strings.Contains(end["/home/dokku/my_app/nginx.conf"], "shop.example.org") {
		t.Fatal("restore does not build nginx's configuration")
	}
	killed(t, template, rounds(40), []string{"restore", "my_app"}, func(t *testing.T, b *box) {
		first := b.whole()
		// Not the snapshot that the killed one has taken first: that has the present.
		b.must("restore", "my_app", "--snapshot", first[len(first)-1])
		same(t, end, b.dokkus())
		b.whole()
		if left := b.leftovers(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if out := b.run("report").out; strings.Contains(out, "did not finish") {
			t.Errorf("the report says:\n%s", out)
		}
	})
}

// Making an app anew ends with an app that has everything: what was cut off goes on by the
// same command, and what was whole is there already.
func TestCreateIsKilled(t *testing.T) {
	template := newBox(t, sandbox.Before)
	template.must("snapshot")
	id := template.whole()[0]
	template.dokku("--force", "apps:destroy", "blog")
	create := []string{"restore", "blog", "--create", "--snapshot", id}
	end := ended(t, template, create...)
	if !strings.Contains(end["/home/dokku/blog/DOKKU_SCALE"], "web=3") || !strings.Contains(end["/home/dokku/blog/ENV"], "NAME") {
		t.Fatal("restore --create does not put back what the snapshot has")
	}
	killed(t, template, rounds(40), create, func(t *testing.T, b *box) {
		if r := b.run(create...); !r.well() && !strings.Contains(r.out, "there is an app blog already") {
			t.Errorf("ended with %d:\n%s", r.code, r.out)
		}
		same(t, end, b.dokkus())
		if left := b.leftovers(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// A rename ends under one of the two names, whole; which one depends on how far it had
// come.
func TestRenameIsKilled(t *testing.T) {
	template := newBox(t, "issue7253-0.35.5-after")
	p := template.h.Paths()
	template.put(p.Property("ps", "my_app", "scale"), "web=2\nworker=1\n")
	template.put(p.Property("checks", "my_app", "wait-to-retire"), "0")
	template.put(p.App("my_app")+"/objects/ab/cdef", "an object")
	template.must("trigger", "install")
	files := func(b *box, name string) map[string]string {
		found := map[string]string{}
		volatile := regexp.MustCompile(`/(CONTAINER|IP|PORT)\.|/(nginx\.conf|VHOST|URLS|hooks/pre-receive)$|/\.deploy\.lock$`)
		for path, content := range b.dokkus() {
			if rest, ok := strings.CutPrefix(path, "/home/dokku/"+name+"/"); ok && !volatile.MatchString(path) {
				found[rest] = content
			}
		}
		return found
	}
	want := files(template, "my_app")
	killed(t, template, rounds(40), []string{"rename", "my_app", "my-app"}, func(t *testing.T, b *box) {
		before, now := files(b, "my_app"), files(b, "my-app")
		whole := func(got map[string]string) bool {
			for path, content := range want {
				if got[path] != content {
					return false
				}
			}
			return true
		}
		if !whole(before) && !whole(now) {
			t.Errorf("neither name has everything: %s", cmp.Diff(want, now))
		}
		r := b.run("rename", "my_app", "my-app")
		if now := files(b, "my-app"); !whole(now) || len(files(b, "my_app")) > 0 {
			t.Errorf("run again it ended with %d:\n%s\n%s", r.code, r.out, cmp.Diff(want, now))
		}
	})
}
