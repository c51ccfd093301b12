// Package torture_test does to the store and to the real binary what hostile files, broken
// disks and power cuts do, many times over and at random, and prints how it went. What is
// random is seeded, so that it can be had again. make torture does more of it.
package torture_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"upgrade-guard/src/host"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/tests/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main() // docker, plugn and the others are links to this program
	os.Exit(m.Run())
}

// rounds is how often something random is done: few times in the tests, more often with
// make torture.
func rounds(few int) int {
	if n, err := strconv.Atoi(os.Getenv("UPGRADE_GUARD_TORTURE")); err == nil && n > few {
		return n
	}
	return few
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "upgrade-guard")
	out, err := exec.Command("go", "build", "-C", "../..", "-o", binary, "./src").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	return binary, sandbox.InstallCommands(filepath.Join(dir, "bin"), exe)
})

// box is a sandbox host with the real binary.
type box struct {
	t testing.TB
	sandbox.Host
	h      *host.Local
	binary string
	env    []string
	in     []byte // what comes in on standard input
}

// directory is one for a host: in memory where there is such a place, since hosts are
// made by the hundred, and written to with care.
func directory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "torture")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() {
		// Somebody whom the killed one has called may still be writing.
		for n := 0; os.RemoveAll(dir) != nil && n < 50; n++ {
			time.Sleep(100 * time.Millisecond)
		}
	})
	return filepath.Join(dir, "host")
}

// newBox makes one of a recording in a directory of its own.
func newBox(t testing.TB, recording string) *box {
	t.Helper()
	dir := directory(t)
	if _, err := sandbox.New(dir, recording); err != nil {
		t.Fatal(err)
	}
	return enter(t, dir)
}

// enter is the box in a directory.
func enter(t testing.TB, dir string) *box {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, Host: sandbox.Host{Dir: dir}, binary: binary}
	b.env = append(os.Environ(), append(b.Host.Env(), "UPGRADE_GUARD_COLUMNS=0", "PATH="+filepath.Dir(binary)+"/bin:"+os.Getenv("PATH"))...)
	b.h = host.NewLocal(host.Paths{DokkuRoot: dir + "/home/dokku", LibRoot: dir + "/var/lib/dokku", PluginPath: dir + "/var/lib/dokku/plugins"})
	return b
}

// copy is another box that is as this one is.
func (b *box) copy(t testing.TB) *box {
	t.Helper()
	dir := directory(t)
	b.copyTo(dir)
	other := enter(t, dir)
	other.in = b.in
	return other
}

// copyTo copies the host; nothing in it knows where it is but nginx's configurations.
func (b *box) copyTo(dir string) {
	b.t.Helper()
	if out, err := exec.Command("cp", "-a", b.Dir, dir).CombinedOutput(); err != nil {
		b.t.Fatalf("%v: %s", err, out)
	}
	confs, err := filepath.Glob(dir + "/home/dokku/*/nginx.conf")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, conf := range confs {
		text, err := os.ReadFile(conf)
		if err == nil {
			err = os.WriteFile(conf, bytes.ReplaceAll(text, []byte(b.Dir), []byte(dir)), 0o644)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// command is a call of the binary.
func (b *box) command(args ...string) *exec.Cmd {
	cmd := exec.Command(b.binary, args...)
	cmd.Env, cmd.Dir = b.env, "/"
	if b.in != nil {
		cmd.Stdin = bytes.NewReader(b.in)
	}
	return cmd
}

// ran is how a call went.
type ran struct {
	out  string
	code int
	took time.Duration
	rss  int // KiB
}

// run runs the binary to its end, or for a minute.
func (b *box) run(args ...string) ran {
	b.t.Helper()
	cmd := b.command(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	// What the kernel says afterwards has the memory of this process in it.
	peak, over := 0, make(chan struct{})
	var polling sync.WaitGroup
	polling.Go(func() {
		for {
			status, _ := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/status")
			if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
				if n, err := strconv.Atoi(strings.Fields(rest)[0]); err == nil {
					peak = max(peak, n)
				}
			}
			select {
			case <-over:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	close(over)
	polling.Wait()
	if !late.Stop() {
		b.t.Errorf("%v did not finish:\n%s", args, &out)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	return ran{out.String(), cmd.ProcessState.ExitCode(), time.Since(begun), peak}
}

// well tells whether a program has done its work: 2 says that something is left to a
// person, which here it is.
func (r ran) well() bool { return r.code == 0 || r.code == 2 }

// must runs the binary, which is to end well.
func (b *box) must(args ...string) ran {
	b.t.Helper()
	r := b.run(args...)
	if !r.well() {
		b.t.Fatalf("%v ended with %d:\n%s", args, r.code, r.out)
	}
	return r
}

// dokku runs one of the sandbox's own commands.
func (b *box) dokku(args ...string) {
	b.t.Helper()
	cmd := exec.CommandContext(context.Background(), filepath.Join(filepath.Dir(b.binary), "bin/dokku"), args...)
	cmd.Env = b.env
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("dokku %v: %v\n%s", args, err, out)
	}
}

func (b *box) put(name, content string) {
	b.t.Helper()
	if err := b.h.Write(name, 0o600, []byte(content)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) remove(name string) {
	b.t.Helper()
	if err := os.Remove(name); err != nil {
		b.t.Fatal(err)
	}
}

// tree is every file of the host, by its path in it, with its mode and content; the
// host's own directory is written as /host. What skip names is left out.
func (b *box) tree(skip ...string) map[string]string {
	b.t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(b.Dir, func(path string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(path, b.Dir)
		for _, s := range skip {
			if strings.HasPrefix(rel, s) {
				if d != nil && d.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
		}
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			content, err = os.Readlink(path)
		case d.Type().IsRegular():
			var text []byte
			text, err = os.ReadFile(path)
			content = string(text)
		}
		found[rel] = st.Mode().String() + " " + strings.ReplaceAll(content, b.Dir, "/host")
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

// ours is where the guard keeps what is its own.
const ours = "/var/lib/dokku/data/upgrade-guard"

// dokkus is every file of Dokku's: what the guard must not break. Docker's and nginx's
// are the sandbox's.
func (b *box) dokkus() map[string]string {
	return b.tree(ours, "/docker-inspect.json", "/images", "/crontab", "/reloads")
}

// whole tells what is wrong with the store: each snapshot that there is can be read, and
// nothing is half-written.
func (b *box) whole() (ids []string) {
	b.t.Helper()
	s := snapshot.New(b.h)
	list, err := s.List()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range list {
		if _, err := s.Manifest(e.ID); err != nil {
			b.t.Error(err)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

var leftover = regexp.MustCompile(`^\..*[^0-9.][0-9]+$`)

// leftovers are half-written files: those that stay, for a command that the killed one has
// called may still be at one.
func (b *box) leftovers() (names []string) {
	for range 50 {
		names = nil
		for name := range b.tree() {
			if leftover.MatchString(filepath.Base(name)) {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return names
}
