// Play opens a shell on a sandbox host in a temporary directory: make play. Nothing that
// is typed there reaches the machine's own Dokku, apt or nginx; what the sandbox cannot do
// it says. Where standard input is no terminal, it is the script:
//
//	make play <<<'dokku upgrade-guard:report'
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"upgrade-guard/tests/sandbox"
)

func main() {
	sandbox.MainOf(sandbox.PlayCommands()) // dokku, apt and the others are links to this program
	recording := sandbox.Before
	if len(os.Args) > 1 && os.Args[1] != "" {
		recording = os.Args[1]
	}
	code, err := play(recording, os.Getenv("GUARD") != "no")
	if err != nil {
		fmt.Fprintln(os.Stderr, " !     "+err.Error())
		code = 1
	}
	os.Exit(code)
}

func play(recording string, guarded bool) (code int, err error) {
	if !slices.Contains(sandbox.Recordings(), recording) {
		return 1, fmt.Errorf("there is no recording %s. FROM= takes one of:\n         %s", recording, strings.Join(sandbox.Recordings(), "\n         "))
	}
	tree, err := os.Getwd()
	if err != nil {
		return 1, err
	}
	if _, err := os.Stat(filepath.Join(tree, "bin/upgrade-guard")); err != nil {
		return 1, errors.New("there is no bin/upgrade-guard. Call this by: make play")
	}
	dir, err := os.MkdirTemp("", "upgrade-guard-play-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	// ^C and a closed terminal are for what runs in the shell; the directory goes after it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP)

	host, err := sandbox.New(filepath.Join(dir, "host"), recording)
	if err != nil {
		return 1, err
	}
	// As on a server that nobody has set anything on; but nobody listens here.
	if err := os.Remove(filepath.Join(host.Dir, "var/lib/dokku/config/upgrade-guard/--global/auto-rename")); err != nil {
		return 1, err
	}
	exe, err := os.Executable()
	if err != nil {
		return 1, err
	}
	bin := filepath.Join(dir, "bin")
	if err := sandbox.Link(bin, exe, sandbox.PlayCommands()); err != nil {
		return 1, err
	}
	env := append(environment(), append(host.Env(), "PLAY_TREE="+tree, "HOME="+host.Dir, "HISTFILE=", "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))...)
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = host.Dir, env, os.Stdin, os.Stdout, os.Stderr
		return cmd
	}
	terminal := isTerminal(os.Stdin)
	if guarded {
		install := run(filepath.Join(bin, "dokku"), "plugin:install", "upgrade-guard")
		install.Stdin = nil
		if !terminal {
			install.Stdout, install.Stderr = nil, nil // a script's output is its own
		}
		if err := install.Run(); err != nil {
			return 1, fmt.Errorf("the plugin could not be installed: %w", err)
		}
	}
	shell := run("bash", "--noprofile", "--norc")
	if terminal {
		fmt.Print(greeting(host, recording, guarded))
		rc := filepath.Join(dir, "rc")
		if err := os.WriteFile(rc, []byte(prompt), 0o644); err != nil {
			return 1, err
		}
		shell = run("bash", "--noprofile", "--rcfile", rc, "-i")
	}
	var exit *exec.ExitError
	if err := shell.Run(); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		return 1, fmt.Errorf("the shell: %w", err)
	}
	if terminal {
		fmt.Println("The sandbox is gone.")
		code = 0 // that of the last command, which was for the eye
	}
	return code, nil
}

// environment is the caller's, without what would change what the programs do.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		for _, prefix := range []string{"DOKKU", "PLUGIN_", "UPGRADE_GUARD_", "TRUTH=", "MAKE", "MFLAGS=", "BASH_ENV=", "ENV=", "FROM=", "GUARD="} {
			if strings.HasPrefix(kv, prefix) {
				return true
			}
		}
		return false
	})
}

func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(st, null)
}

const prompt = `PS1='[sandbox, Dokku $(cat "$DOKKU_LIB_ROOT/STABLE_VERSION")] $ '
unset HISTFILE
`

func greeting(h sandbox.Host, recording string, guarded bool) string {
	with := "upgrade-guard is installed and has taken its first snapshot."
	if !guarded {
		with = "upgrade-guard is not installed yet: dokku plugin:install upgrade-guard"
	}
	upgrade := "apt upgrade                  Dokku is upgraded, as the recordings show it"
	if offered := h.Offered(); len(offered) == 0 {
		upgrade = "(no upgrade from this recording is recorded; make play has one)"
	} else if len(offered) > 1 {
		upgrade += "\n    apt install dokku=" + offered[0] + "     the same, to that version"
	}
	return fmt.Sprintf(`
This is a sandbox: a copy of a real Dokku host, recorded as
%s. It lies in
%s
dokku, docker, nginx, systemctl, apt, dpkg and sudo are stand-ins, and nothing
that is typed to them reaches this machine. All else (rm, cat) is the real thing.
%s

See how it stands:
    sites                        which app answers under which domain
    dokku upgrade-guard:report

Upgrade:
    dokku upgrade-guard:check    what an upgrade would lose
    %s
    dokku ps:rebuild --all       what ends every site without upgrade-guard
    dokku upgrade-guard:log

Break something, and have it put back:
    rm home/dokku/blog/nginx.conf; sites
    dokku upgrade-guard:apply --dry-run
    dokku upgrade-guard:apply
    docker ps; docker stop blog.web.1; dokku upgrade-guard:report blog
    dokku domains:set blog wrong.example; sites
    dokku upgrade-guard:restore blog --snapshot latest

What the plugin tells you to type works here, or the sandbox says that it cannot.
The other recordings, by make play FROM=...:
    %s
Without the plugin: make play GUARD=no
To leave: exit. The sandbox is deleted then.

`, recording, h.Dir, with, upgrade, strings.Join(slices.DeleteFunc(sandbox.Recordings(), func(n string) bool { return n == recording }), "\n    "))
}
