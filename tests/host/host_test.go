// Package host_test works on sandbox hosts from within the process: recordings
// are read, faults are injected at every write and command, and a thousand apps
// are measured. What a person types is told in tests/scenarios.
package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
	"upgrade-guard/tests/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main() // docker, plugn and the others are links to this program
	os.Exit(m.Run())
}

// newHost makes a sandbox of a recording and goes into its environment.
func newHost(t testing.TB, recording string) (sandbox.Host, *host.Local) {
	t.Helper()
	dir := t.TempDir()
	box, err := sandbox.New(filepath.Join(dir, "host"), recording)
	if err != nil {
		t.Fatal(err)
	}
	return box, enter(t, box)
}

// enter goes into a sandbox's environment.
func enter(t testing.TB, box sandbox.Host) *host.Local {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "bin")
	if err := sandbox.InstallCommands(bin, exe); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	for _, kv := range box.Env() {
		k, v, _ := strings.Cut(kv, "=")
		t.Setenv(k, v)
	}
	return host.NewLocal(host.FromEnv())
}

// quietGuard is a guard that prints into out.
func quietGuard(h host.Host, out *strings.Builder) *guard.Guard {
	return guard.New(h, &say.Printer{Out: out, Err: out})
}
