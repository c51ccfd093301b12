package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"upgrade-guard/tests/sandbox"
)

const root = "../.."

var shell struct{ program, tree string }

// TestMain builds the program of make play, and the tree that make build leaves.
func TestMain(m *testing.M) {
	sandbox.MainOf(sandbox.PlayCommands())
	code := 1
	dir, err := os.MkdirTemp("", "upgrade-guard-play-test-")
	if err == nil {
		shell.program, shell.tree = filepath.Join(dir, "play"), filepath.Join(dir, "upgrade-guard")
		build := exec.Command("sh", "-ec", `mkdir -p "$1/bin"
			cp -RP plugin.toml install uninstall run subcommands docs $(find . -maxdepth 1 -type l) "$1"
			go build -o "$1/bin/upgrade-guard" ./src
			go build -o "$2" ./tests/play`, "sh", shell.tree, shell.program)
		build.Dir, build.Stdout, build.Stderr = root, os.Stdout, os.Stderr
		if err = build.Run(); err == nil {
			code = m.Run()
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// typed runs a script in the shell, and returns what it and its commands print.
func typed(t *testing.T, script string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(shell.program)
	cmd.Dir, cmd.Env, cmd.Stdin = shell.tree, append(os.Environ(), env...), strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAnHourWithThePlugin(t *testing.T) {
	out, err := typed(t, `set -e
dokku upgrade-guard:report
dokku upgrade-guard:set --global auto-rename false
sudo apt-get update && sudo apt-get install -y dokku=0.35.5
dokku version
dokku ps:rebuild --all
sites
rm home/dokku/blog/nginx.conf
sites | grep -q 'blog .*DOWN'
dokku upgrade-guard:apply
sites | grep -q 'blog .*up'
dokku domains:set blog wrong.example
dokku upgrade-guard:restore blog --snapshot latest
sites | grep -q 'www.blog.example'
`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"no upgrade seen yet", "0.20.4 => 0.35.5", "dokku version 0.35.5", "my_app +shop.example.org +web=2 worker=1 +up"} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%q was not printed:\n%s", want, out)
		}
	}
}

func TestWithoutThePlugin(t *testing.T) {
	out, err := typed(t, "apt upgrade; dokku ps:rebuild --all >/dev/null; sites; dokku plugin:install https://git.example/upgrade-guard.git --name upgrade-guard; dokku upgrade-guard:check", "GUARD=no")
	for _, want := range []string{"my_app +shop.example.org +web=0 worker=0 +DOWN", "blog +www.blog.example +web=0 worker=0 +DOWN", "every process type is at 0"} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%q was not printed: %v\n%s", want, err, out)
		}
	}
}

// No snapshot can be stored.
func TestARefusedUpgrade(t *testing.T) {
	out, err := typed(t, `rm -rf var/lib/dokku/data/upgrade-guard/snapshots; echo no directory >var/lib/dokku/data/upgrade-guard/snapshots
dokku upgrade-guard:set --global auto-rename false
apt upgrade && exit 9
dokku version
sudo touch /etc/upgrade-guard.go-ahead
apt upgrade
dokku version`)
	for _, want := range []string{"Nothing has been touched yet. To upgrade all the same: sudo touch /etc/upgrade-guard.go-ahead", "dokku version 0.20.4", "is there: going on all the same", "dokku version 0.38.27"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q was not printed: %v\n%s", want, err, out)
		}
	}
}

func TestRecordings(t *testing.T) {
	for _, name := range sandbox.Recordings() {
		cmd := exec.Command(shell.program, name)
		cmd.Dir, cmd.Stdin = shell.tree, strings.NewReader("dokku upgrade-guard:report >/dev/null && sites >/dev/null && dokku upgrade-guard:set --global auto-rename false && apt upgrade >/dev/null 2>&1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("FROM=%s: %v\n%s", name, err, out)
		}
	}
	cmd := exec.Command(shell.program, "issue1")
	cmd.Dir = shell.tree
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "there is no recording issue1. FROM= takes one of:") || !strings.Contains(string(out), sandbox.Before) {
		t.Errorf("%v: %s", err, out)
	}
}

// A script's exit code is make's, and its output is all that is printed.
func TestScript(t *testing.T) {
	out, err := typed(t, "dokku upgrade-guard:report --to-do; exit 3")
	if out != "" || err == nil || err.Error() != "exit status 3" {
		t.Errorf("%v: %q", err, out)
	}
}

// Nothing of the machine's own is reached.
func TestNothingLeavesTheSandbox(t *testing.T) {
	for _, line := range []string{"sudo rm /etc/hostname", "sudo cat ../../../../etc/shadow", "sudo bash", "sudo systemctl restart nginx", "systemctl restart nginx", "nginx -s reload",
		"sudo dpkg --configure -a", "apt-get install hello", "apt-get purge dokku", "reboot", "git push dokku@dokku.test:blog", "sudo -n /usr/bin/systemctl start nginx"} {
		out, err := typed(t, line)
		if err == nil || !strings.Contains(out, "this sandbox") && !strings.Contains(out, "a password is required") {
			t.Errorf("%s: %v: %s", line, err, out)
		}
	}
}

var (
	inText  = regexp.MustCompile(`dokku (?:--[a-z]+ )?([a-z][a-z0-9-]*:[a-z][a-z-]*|logs|help|report|cleanup|run|enter)\b`)
	inParts = regexp.MustCompile(`^([a-z][a-z0-9-]*:[a-z][a-z-]*)$`)
)

// named are the commands of Dokku that a text of the program names, each behind the file
// that does.
func named(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(filepath.Join(root, "src"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "src/plugins/removed.go") {
			return err // removed.go lists what other plugins call, and nobody types
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				text, err := strconv.Unquote(l.Value)
				if err != nil {
					t.Error(err)
				}
				for _, m := range slices.Concat(inText.FindAllStringSubmatch(text, -1), inParts.FindAllStringSubmatch(text, -1)) {
					if !strings.HasPrefix(m[1], "upgrade-guard:") {
						found[m[1]] = path
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// played are those that the sandbox plays, with what is typed behind them. The others say
// that they are not in it.
var played = map[string]string{
	"apps:list": "", "apps:create": "another", "apps:rename": "jobs_only jobs-only", "config:set": "--no-restart my_app A=b", "config:unset": "--no-restart my_app A",
	"domains:report": "my_app", "ports:report": "my_app", "certs:report": "my_app", "domains:remove": "blog other.example", "domains:set": "blog www.blog.example",
	"letsencrypt:active": "my_app", "letsencrypt:enable": "my_app", "network:create": "net", "nginx:build-config": "my_app", "proxy:build-config": "my_app",
	"plugin:disable": "upgrade-guard", "plugin:enable": "upgrade-guard", "plugin:install": "", "plugin:trigger": "post-upgrade 0.20.4 0.35.5",
	"plugin:uninstall": "upgrade-guard", "plugin:update": "upgrade-guard", "ps:rebuild": "my_app", "ps:restart": "my_app", "ps:scale": "my_app web=2", "ps:start": "my_app",
	"ps:stop": "my_app", "report": "my_app", "help": "",
}

// What our messages tell one to type works, or the sandbox says that it cannot.
func TestEveryCommandOfOurMessages(t *testing.T) {
	commands := named(t)
	if len(commands) < 50 {
		t.Fatalf("only %d commands are named: %v", len(commands), commands)
	}
	refused := ""
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		args, plays := played[name]
		if !plays {
			refused += "dokku " + name + " my_app && echo " + name + " did something\n"
			continue
		}
		// Where a web process is known, on a Dokku that the recordings show a rebuild of.
		recording, first := "issue7253-0.35.5-after", "dokku ps:scale my_app web=2 && dokku ps:scale blog web=3 && "
		switch name {
		case "plugin:enable":
			first = "dokku plugin:disable upgrade-guard && "
		case "nginx:build-config":
			recording = sandbox.Before
		}
		cmd := exec.Command(shell.program, recording)
		cmd.Dir, cmd.Stdin = shell.tree, strings.NewReader(first+"dokku "+name+" "+args)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("dokku %s %s, which %s names: %v\n%s", name, args, commands[name], err, out)
		}
	}
	out, _ := typed(t, refused)
	for _, line := range strings.Split(strings.TrimRight(out, "\n"), "\n") {
		if !strings.HasPrefix(line, " !     dokku: ") || !strings.HasSuffix(line, " is not in this sandbox") {
			t.Errorf("the sandbox says: %s", line)
		}
	}
	if said, want := strings.Count(out, "is not in this sandbox"), strings.Count(refused, "\n"); said != want {
		t.Errorf("%d of %d commands are said not to be in it", said, want)
	}
}
