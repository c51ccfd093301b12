package host_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"upgrade-guard/src/host"
	"upgrade-guard/tests/sandbox"
)

// bench is a host on which nothing is wrong, and the real program.
type bench struct {
	b       testing.TB
	box     sandbox.Host
	paths   host.Paths
	program string
}

// newBench makes a host of so many apps and goes into its environment. Its docker answers
// what the sandbox's does, out of a file: what it takes to make an answer is docker's time
// on a real host, and nobody's here.
func newBench(b testing.TB, apps int) bench {
	b.Helper()
	dir := b.TempDir()
	box, err := sandbox.NewLarge(filepath.Join(dir, "host"), apps)
	if err != nil {
		b.Fatal(err)
	}
	h := enter(b, box)
	remember(b, "docker", "dokku", "crontab", "sudo", "plugn", "apt-cache")
	t := bench{b, box, h.Paths(), filepath.Join(dir, "upgrade-guard", "bin", "upgrade-guard")}
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", t.program, "./src").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	t.run("trigger", "install")
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

// run runs the program.
func (t bench) run(args ...string) string {
	t.b.Helper()
	cmd := exec.Command(t.program, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.b.Fatalf("%v: %v\n%s", args, err, &out)
	}
	return out.String()
}
