package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is traced is told to whoever reads a terminal or a log.
func TestNoValueIsTraced(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"config:set", "--no-restart", "blog", "KEY=canary", "OTHER=can=ary"}, "dokku config:set --no-restart blog KEY=... OTHER=..."},
		{[]string{"config:set", "--encoded", "blog", "KEY=Y2FuYXJ5"}, "dokku config:set --encoded blog KEY=..."},
		{[]string{"config:set", "blog", "KEY=-----BEGIN KEY-----\ncanary\ncanary=="}, "dokku config:set blog KEY=..."},
		{[]string{"docker-options:add", "blog", "deploy", "-e A=canary --label b=canary"}, "dokku docker-options:add blog deploy -e A=..."},
		{[]string{"run", "-e", "KEY", "--env", "KEY="}, "dokku run -e KEY --env KEY="},
		{[]string{"ps:rebuild", "blog"}, "dokku ps:rebuild blog"},
		{[]string{strings.Repeat("x", 61)}, "dokku " + strings.Repeat("x", 60) + "..."},
		{[]string{"caf\xe9=\xe9"}, "dokku caf\xe9=..."}, // made plain where it is printed
	} {
		if got := traced("dokku", c.args); got != c.want {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
	}
}

// dokku trace:on has every dokku command trace, ours too.
func TestTracesAreNoComplaint(t *testing.T) {
	l := NewLocal(Paths{DokkuRoot: t.TempDir()})
	for script, want := range map[string]string{
		`echo ' !     App is locked' >&2; set -x; : export KEY=canary; exit 1`: "sh failed: App is locked",
		`set -x; : export KEY=canary; exit 1`:                                  "sh failed with exit code 1",
		`printf '+++ export KEY=canary\n++ x\n' >&2; exit 3`:                   "sh failed with exit code 3",
	} {
		if _, err := l.Run(t.Context(), "sh", "-c", script); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", script, err, want)
		}
	}
}

func TestDokkuTraceIsNotPassedOn(t *testing.T) {
	t.Setenv("DOKKU_TRACE", "1")
	l := NewLocal(Paths{DokkuRoot: t.TempDir()})
	if out, err := l.Run(t.Context(), "sh", "-c", `echo "<$DOKKU_TRACE>"`); err != nil || string(out) != "<>\n" || !l.trace {
		t.Errorf("%q %v %v", out, err, l.trace)
	}
}

// docker is what the host's settings say, as in the dokku command.
func TestDockerBin(t *testing.T) {
	for _, c := range []struct{ env, rc, more, want string }{
		{"", "", "", "docker"},
		{"/opt/docker", "export DOCKER_BIN=podman", "", "/opt/docker"},
		{"", "export DOCKER_BIN=podman\n", "", "podman"},
		{"", "DOCKER_BIN=\"/opt/a docker\" # ours", "", "/opt/a docker"},
		{"", "  DOCKER_BIN='x'", "export DOCKER_BIN=/usr/bin/y", "/usr/bin/y"},
		{"", "# DOCKER_BIN=x\nMY_DOCKER_BIN=y\nDOCKER_BIN=$(which docker)\nDOCKER_BIN=a; rm b\nDOCKER_BIN=\"$X\"\nDOCKER_BIN=", "", "docker"},
	} {
		p := Paths{DokkuRoot: t.TempDir()}
		if err := os.Mkdir(filepath.Join(p.DokkuRoot, ".dokkurc"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"dokkurc": c.rc, ".dokkurc/DOCKER_BIN": c.more} {
			if err := os.WriteFile(filepath.Join(p.DokkuRoot, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("DOCKER_BIN", c.env)
		exportDocker(p)
		if got := os.Getenv("DOCKER_BIN"); got != c.want || program("docker") != c.want || program("dokku") != "dokku" {
			t.Errorf("%q %q %q: %q, want %q", c.env, c.rc, c.more, got, c.want)
		}
	}
}
