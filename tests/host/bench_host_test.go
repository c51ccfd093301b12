package host_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"upgrade-guard/tests/sandbox"
)

// bench is a host on which nothing is wrong, and the real program.
type bench struct {
	testing.TB
	box     sandbox.Host
	program string
	list    string            // a file with the names of those below, a line each, from the sandbox
	files   map[string]string // what a snapshot holds of the host's files, with their digests
}

// newBench makes a host of so many apps and goes into its environment. Its docker answers
// what the sandbox's does, out of a file: what it takes to make an answer is docker's time
// on a real host, and nobody's here.
func newBench(b testing.TB, apps int) *bench {
	b.Helper()
	dir := b.TempDir()
	box, err := sandbox.NewLarge(filepath.Join(dir, "host"), apps)
	if err != nil {
		b.Fatal(err)
	}
	enter(b, box)
	remember(b, "docker", "dokku", "crontab", "sudo", "plugn", "apt-cache", "apt-get")
	t := &bench{TB: b, box: box, program: filepath.Join(dir, "upgrade-guard", "bin", "upgrade-guard"), list: filepath.Join(dir, "list")}
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", t.program, "./src").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	t.run(t.program, "trigger", "install")
	t.files = t.held()
	if len(t.files) < 40*apps {
		b.Fatalf("a snapshot of %d apps holds %d files", apps, len(t.files))
	}
	var names []string
	for name, digest := range t.files {
		content, err := os.ReadFile(filepath.Join(box.Dir, name))
		if sum := sha256.Sum256(content); err != nil || hex.EncodeToString(sum[:]) != digest {
			b.Fatalf("%s is not what the snapshot holds of it: %v", name, err)
		}
		names = append(names, name+"\n")
	}
	slices.Sort(names)
	if err := os.WriteFile(t.list, []byte(strings.Join(names, "")), 0o600); err != nil {
		b.Fatal(err)
	}
	if out := t.run(t.program, "report", "--no-probe"); !strings.Contains(out, fmt.Sprintf("%d of %[1]d containers run", 3*apps)) || strings.Contains(out, "To do") {
		b.Fatalf("something is wrong with the host:\n%.2000s", out)
	}
	return t
}

// remember has programs of the sandbox answer the same question once.
func remember(b testing.TB, programs ...string) {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "bin")
	if err := os.Mkdir(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	for _, name := range programs {
		real, err := exec.LookPath(name)
		if err != nil {
			b.Fatal(err)
		}
		script := fmt.Sprintf(`#!/bin/sh
said=%[1]s/said.%[2]s.$(printf '%%s ' "$@" | cksum | tr -d ' ')
[ -e "$said" ] || %[3]s "$@" >"$said.$$" && { [ -e "$said" ] || mv "$said.$$" "$said"; } || exit
exec cat "$said"
`, dir, name, real)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	b.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// newest is the newest snapshot.
func (t *bench) newest() string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(t.box.Dir, "var/lib/dokku/data/upgrade-guard/snapshots/*.tar.gz"))
	if err != nil || len(found) == 0 {
		t.Fatalf("there is no snapshot: %v", err)
	}
	return found[len(found)-1]
}

// held are the host's files that the newest snapshot holds, as any other program reads it.
func (t *bench) held() map[string]string {
	t.Helper()
	f, err := os.Open(t.newest())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for tr := tar.NewReader(zr); ; {
		head, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		sum := sha256.New()
		if err == nil {
			_, err = io.Copy(sum, tr)
		}
		if err != nil {
			t.Fatal(err)
		}
		for top, dir := range map[string]string{"root/": "home/dokku/", "lib/": "var/lib/dokku/"} {
			if rel, ok := strings.CutPrefix(head.Name, top); ok {
				files[dir+rel] = hex.EncodeToString(sum.Sum(nil))
			}
		}
	}
}

// used is what one run of a program took. CPU does not hang on who else is at work.
type taken struct {
	wall, cpu time.Duration
	memory    float64 // MiB
}

// run runs a program in the host's directory and returns what it prints.
func (t *bench) run(program string, args ...string) string {
	t.Helper()
	out, _ := t.timed(nil, program, args...)
	return out
}

func (t *bench) timed(stdin io.Reader, program string, args ...string) (string, taken) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out, errs strings.Builder
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = t.box.Dir, stdin, &out, &errs
	// A process begins with the peak of the one that has started it: ours is none of its.
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %v: %v\n%.2000s%.2000s", program, args, err, &out, &errs)
	}
	p := cmd.ProcessState
	return out.String() + errs.String(), taken{time.Since(begun), p.UserTime() + p.SystemTime(), float64(p.SysUsage().(*syscall.Rusage).Maxrss) / 1024}
}

// change changes one file of the host, so that a snapshot of it is stored anew.
func (t *bench) change(what string) {
	t.Helper()
	name := "home/dokku/app00001/htpasswd"
	if err := os.WriteFile(filepath.Join(t.box.Dir, name), []byte(what), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(what))
	t.files[name] = hex.EncodeToString(sum[:])
}

// hashed has sha256sum hash the files, and sees to it that they are those of the snapshot.
func (t *bench) hashed() taken {
	t.Helper()
	out, took := t.timed(nil, "xargs", "-a", t.list, "-s", "1900000", "sha256sum")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, line := range lines {
		if digest, name, _ := strings.Cut(line, "  "); t.files[name] != digest {
			t.Fatalf("sha256sum hashes another %q than the snapshot has", name)
		}
	}
	if len(lines) != len(t.files) {
		t.Fatalf("sha256sum hashes %d files, and the snapshot has %d", len(lines), len(t.files))
	}
	return took
}

// packed has tar pack the files, and sees to it that they are as many as in the snapshot.
func (t *bench) packed() taken {
	t.Helper()
	name := t.list + ".tar.gz"
	_, took := t.timed(nil, "tar", "-czf", name, "-T", t.list)
	if n := strings.Count(t.run("tar", "-tzf", name), "\n"); n != len(t.files) {
		t.Fatalf("tar packs %d files, and the snapshot has %d", n, len(t.files))
	}
	return took
}

// snapshot takes one, which has to hold the files as they are.
func (t *bench) snapshot() taken {
	t.Helper()
	_, took := t.timed(nil, t.program, "snapshot")
	held := t.held()
	for name, digest := range t.files {
		if held[name] != digest {
			t.Fatalf("the snapshot has another %s", name)
		}
	}
	if len(held) != len(t.files) {
		t.Fatalf("the snapshot has %d files, and not %d", len(held), len(t.files))
	}
	return took
}
