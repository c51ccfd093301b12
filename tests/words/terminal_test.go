package words

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// On a terminal what is down does not look like what is well; a pipe, NO_COLOR, TERM=dumb
// and a hook have no colours, and a hook nothing but ASCII.
func TestColours(t *testing.T) {
	run := newHost(t, buildPlugin(t), "issue7253-0.35.5-after")
	prepare := func(command string) {
		t.Helper()
		if text, code := run(command); code != 0 {
			t.Fatalf("%s: %d\n%s", command, code, text)
		}
	}
	prepare("plugn trigger install && dokku upgrade-guard:set --global auto-apply false && dokku ps:scale my_app web=2 worker=1 && rm $DOKKU_ROOT/my_app/nginx.conf && echo b\xc3\xbccher.example >$DOKKU_ROOT/blog/VHOST")
	const report, hook = "dokku upgrade-guard:report", "plugn trigger post-upgrade 0.20.4 0.35.5"
	for _, c := range []struct {
		command  string
		terminal bool
		want     []string // none for no colour at all
	}{
		{report, true, []string{"\x1b[31;1mdown\x1b[0m", "\x1b[31;1mlost\x1b[0m", "\x1b[33;1maction-required\x1b[0m", "\x1b[1m=====> Dokku", "\x1b[1mTo do: dokku upgrade-guard:apply"}},
		{report, false, nil},
		{"NO_COLOR=1 " + report, true, nil},
		{"TERM=dumb " + report, true, nil},
		{report + " --format json", true, nil},
		{"dokku upgrade-guard:apply --dry-run", true, []string{" \x1b[33;1m!\x1b[0m     ", "\x1b[32m[~]\x1b[0m"}},
		{hook, true, nil},
		{"dokku report my_app", true, nil},
		{"dokku report blog", true, nil},
	} {
		var out string
		if c.terminal {
			out = onTerminal(t, run, c.command)
		} else {
			out, _ = run(c.command)
		}
		if len(out) < 100 {
			t.Errorf("%s: %q", c.command, out)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is not in it:\n%q", c.command, want, out)
			}
		}
		if len(c.want) == 0 && strings.Contains(out, "\x1b") {
			t.Errorf("%s has colours: %q", c.command, out)
		}
		if ascii := c.command == hook || strings.HasPrefix(c.command, "dokku report"); ascii && strings.IndexFunc(out, func(r rune) bool { return r > '~' }) >= 0 {
			t.Errorf("%s is not plain ASCII: %q", c.command, out)
		}
	}
}

// onTerminal runs a command on a terminal of its own, and returns what that shows.
func onTerminal(t *testing.T, run func(string) (string, int), command string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)); err != nil {
		t.Skip(err)
	}
	name := fmt.Sprintf("/dev/pts/%d", n)
	held, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0) // so that the other end does not read its end too early
	if err != nil {
		t.Skip(err)
	}
	shown := make(chan string)
	go func() {
		b, _ := io.ReadAll(master) // ends with an error, when nobody holds the terminal any more
		shown <- string(b)
	}()
	run("export TERM=xterm; { " + command + "; } >" + name + " 2>&1 </dev/null")
	held.Close()
	return <-shown
}

// What takes longer than two seconds says on standard error how far it is. A hook does not.
func TestProgress(t *testing.T) {
	run := newHost(t, buildPlugin(t), "issue7253-0.20.4-before")
	const slow = `mkdir -p $SANDBOX/slow && printf '#!/bin/sh\nsleep 2.5\nexec %s "$@"\n' "$(command -v docker)" >$SANDBOX/slow/docker && chmod 755 $SANDBOX/slow/docker && PATH=$SANDBOX/slow:$PATH && `
	if text, _ := run(slow + "$GUARD snapshot 2>&1 >/dev/null"); !strings.Contains(text, "       apps read: 5 of 5\n") {
		t.Errorf("%q", text)
	}
	if text, _ := run(slow + "$GUARD snapshot 2>/dev/null"); strings.Contains(text, "apps read") {
		t.Errorf("%q", text)
	}
	if text, _ := run(slow + "DOKKU_QUIET_OUTPUT=1 $GUARD snapshot 2>&1 >/dev/null"); text != "" {
		t.Errorf("%q", text)
	}
	if text, _ := run(slow + "$GUARD trigger post-deploy blog"); strings.Contains(text, "apps read") {
		t.Errorf("%q", text)
	}
}
