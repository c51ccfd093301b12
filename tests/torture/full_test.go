package torture_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inItsOwnMounts runs a test as root in a mount namespace of its own, where it may mount
// what nobody else sees; false where it is not there yet, and has been run.
func inItsOwnMounts(t *testing.T) bool {
	t.Helper()
	const there = "UPGRADE_GUARD_OWN_MOUNTS"
	if os.Getenv(there) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), there+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EPERM) {
		t.Skip(err)
	}
	for l := range strings.Lines(string(out)) {
		_, said, ok := strings.Cut(l, "_test.go:")
		switch {
		case err != nil:
			t.Log(strings.TrimSpace(l))
		case ok:
			t.Log(strings.TrimSpace(strings.TrimLeft(said, "0123456789:")))
		}
	}
	if err != nil {
		t.Error(err)
	}
	return false
}

// The disk is full when a snapshot is taken, when an upgrade's losses are put back, when
// an app is restored, when a snapshot comes in: it is said, every file of Dokku's is the old or the new one, every
// snapshot there is can be read, and once there is room the same command ends well.
func TestTheDiskIsFull(t *testing.T) {
	if !inItsOwnMounts(t) {
		return
	}
	try := t.TempDir()
	if err := syscall.Mount("tmpfs", try, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip(err) // a container's root, who may not
	}
	if err := syscall.Unmount(try, 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		template func(t *testing.T) *box
		args     []string
	}{{upgraded, []string{"snapshot"}}, {upgraded, []string{"apply"}}, {changed, []string{"restore", "my_app"}}, {receiving, []string{"import"}}} {
		template := c.template(t)
		end := ended(t, template, c.args...)
		first := template.whole()
		full, begun := 0, time.Now()
		rooms := []int{0, 1, 2, 3, 4, 5, 6, 8, 12, 16, 20, 32} // pages
		for _, pages := range rooms {
			t.Run(fmt.Sprint(c.args[0], " ", pages), func(t *testing.T) {
				dir := t.TempDir()
				if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32m"); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
				template.copyTo(dir + "/host")
				b := enter(t, dir+"/host")
				b.in = template.in
				before := b.dokkus()
				fill(t, dir+"/ballast", pages)
				r := b.run(c.args...)
				now := b.dokkus()
				for path, content := range now {
					if content != before[path] && content != end[path] {
						t.Errorf("%s is neither the old nor the new one: %q", path, content)
					}
				}
				for path := range before {
					if _, kept := end[path]; kept && now[path] == "" {
						t.Errorf("%s is gone", path)
					}
				}
				if !r.well() {
					full++
					if !strings.Contains(r.out, "no space left on device") {
						t.Errorf("it does not say why:\n%s", r.out)
					}
					if c.args[0] == "import" {
						nothingKept(t, b, r.out)
					}
				} else if c.args[0] != "snapshot" {
					same(t, end, now)
				}
				for _, id := range first {
					if !strings.Contains(strings.Join(b.whole(), " "), id) {
						t.Errorf("%s is gone", id)
					}
				}
				if err := os.Remove(dir + "/ballast"); err != nil {
					t.Fatal(err)
				}
				args := c.args
				if c.args[0] == "restore" { // not what the first one has just recorded
					args = append(args[:2:2], "--snapshot", first[len(first)-1])
				}
				b.must(args...)
				same(t, end, b.dokkus())
				if left := b.leftovers(); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
		t.Logf("%s on a full disk with %d times a little room: %d times it failed and said so, nothing lost, nothing half (%.1f s)",
			c.args[0], len(rooms), full, time.Since(begun).Seconds())
		if full == 0 || full == len(rooms) {
			t.Errorf("the disk was full %d times", full)
		}
	}
}

// fill leaves so many pages free.
func fill(t *testing.T, name string, pages int) {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(name), &st); err != nil {
		t.Fatal(err)
	}
	left := int64(st.Bavail)*st.Bsize - int64(pages)*int64(os.Getpagesize())
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, left)); err != nil {
		t.Fatal(err)
	}
}

// A hundred of dpkg's calls at once: one takes the baseline, the others wait for it and
// find it there.
func TestAHundredAtOnce(t *testing.T) {
	b := newBox(t, "issue7253-0.20.4-before")
	b.must("trigger", "install")
	const n = 100
	begun := time.Now()
	failed := make(chan string, n)
	for range n {
		go func() {
			cmd := b.command("before", "prerm")
			out, err := cmd.CombinedOutput()
			if err != nil {
				failed <- fmt.Sprintf("%v: %s", err, out)
				return
			}
			failed <- ""
		}()
	}
	for range n {
		if said := <-failed; said != "" {
			t.Error(said)
		}
	}
	took := time.Since(begun)
	baselines := 0
	for _, id := range b.whole() {
		if strings.HasSuffix(id, "-pre-upgrade") {
			baselines++
		}
	}
	t.Logf("%d at once: %d baseline, %.1f s", n, baselines, took.Seconds())
	if baselines != 1 {
		t.Errorf("there are %d baselines", baselines)
	}
}
