// Package words holds what is read: each file of testdata is a session on a recorded host,
// what is typed and what is printed, as it stands on 80 columns. A file has
//
//	# what it is about
//	@ RECORDING     the host it begins on
//	% COMMAND       prepares the host; what it prints is of no interest
//	$ COMMAND       what is typed. What is printed follows, both streams in their order,
//	                and the exit code, in brackets, where it is not 0
//
// Times, sizes and the directory of the host are made the same each time; no line gets
// longer or shorter by that. go test ./tests/words -update writes what is printed now.
package words

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"upgrade-guard/src/say"
	"upgrade-guard/tests/sandbox"
)

var update = flag.Bool("update", false, "write what is printed now into testdata")

func TestMain(m *testing.M) {
	sandbox.Main() // dokku, docker and the others are links to this program
	os.Exit(m.Run())
}

func TestWords(t *testing.T) {
	tree := buildPlugin(t)
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			played := play(t, tree, string(b))
			switch {
			case played == string(b):
			case *update:
				if err := os.WriteFile(file, []byte(played), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s is not what is printed. If what is printed is right: go test ./tests/words -update\n%s", file, differs(string(b), played))
			}
		})
	}
}

// differs is the first place in which two texts do.
func differs(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d:\n%s\nis now\n%s", i+1, w[i], strings.Join(g[i:min(i+6, len(g))], "\n"))
		}
	}
	return fmt.Sprintf("%d lines, and now %d", len(w), len(g))
}

// play plays a session anew.
func play(t *testing.T, tree, session string) string {
	var out strings.Builder
	var run func(command string) (string, int)
	for _, line := range strings.Split(session, "\n") {
		if line == "" {
			continue
		}
		switch mark, rest, _ := strings.Cut(line, " "); mark {
		case "#":
		case "@":
			run = newHost(t, tree, rest)
		case "%":
			if text, code := run(rest); code != 0 && code != 2 {
				t.Fatalf("%s: %d\n%s", rest, code, text)
			}
		case "$":
			text, code := run(rest)
			fmt.Fprintf(&out, "\n%s\n%s", line, text)
			if code != 0 {
				fmt.Fprintf(&out, "[%d]\n", code)
			}
			continue
		default:
			continue // what was printed
		}
		fmt.Fprintln(&out, line)
	}
	return out.String()
}

// newHost makes a host, and returns what runs a command on it. Its directory has a name
// of the same length each time.
func newHost(t *testing.T, tree, recording string) func(command string) (string, int) {
	t.Helper()
	dir := fmt.Sprintf("/tmp/w%08x", rand.Uint32())
	t.Cleanup(func() { os.RemoveAll(dir) })
	box, err := sandbox.New(dir, recording)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := errors.Join(sandbox.InstallCommands(bin, exe), box.Enable("upgrade-guard", tree)); err != nil {
		t.Fatal(err)
	}
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "UPGRADE_GUARD_COLUMNS=") })
	env = append(env, box.Env()...)
	env = append(env, "DATA="+dir+"/var/lib/dokku/data/upgrade-guard", "GUARD="+tree+"/bin/upgrade-guard", "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return func(command string) (string, int) {
		cmd := exec.Command("sh", "-c", command)
		cmd.Env, cmd.Dir = env, dir
		text, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return same(string(text), dir), cmd.ProcessState.ExitCode()
	}
}

// same is what is printed without what differs each time.
func same(text, dir string) string {
	text = strings.ReplaceAll(text, dir, "/tmp/host12345"[:len(dir)])
	for _, r := range []struct{ pattern, with string }{
		{`20\d{6}T\d{6}Z-(\d)`, "20261123T075845Z-$1"},            // of a snapshot
		{`20\d{6}T\d{6}(\.\d+)?Z-([a-z])`, "20261123T075850Z-$2"}, // of a run
		{`20\d\d-\d\d-\d\d \d\d:\d\d UTC`, "2026-11-23 07:58 UTC"},
		{`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC`, "2026-11-23 07:58:45 UTC"},
		{`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "2026-11-23T07:58:45Z"},
		{`\b\d\d KiB`, "23 KiB"},
		{`\(\d\d days left\)`, "(84 days left)"},
		{`sha256:[0-9a-f]{8}|[0-9a-f]{64}`, "0123abcd"},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.with)
	}
	return text
}

// alone is a line that is a command alone: nothing breaks it.
var alone = regexp.MustCompile(`^(?: !     )? *(?:sudo |dokku |git |apt-get |docker )`)

func TestNoLineIsLonger(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(b), "\n") {
			if ours := line != "" && !strings.ContainsAny(line[:1], "#@%$"); ours && utf8.RuneCountInString(line) > say.Columns && !alone.MatchString(line) {
				t.Errorf("%s:%d: %d columns\n%s", file, i+1, utf8.RuneCountInString(line), line)
			}
		}
	}
}

// shells are the files of ours that somebody else's run calls, and how they speak.
var shells = []string{"run", "install", "uninstall", "hook/packages", "hook/dokkurc", "hook/apt.conf", "hook/dpkg.cfg"}

// What a hook prints is plain ASCII, and no line of it is longer either. What the binary
// prints there is ASCII by say.Loud, and so is what it is told of the host.
func TestHooks(t *testing.T) {
	texts := regexp.MustCompile(`(?m)(?:say|printf [^"'\n]*)((?:[ \\\n]+(?:"[^"\n]*"|'[^'\n]*'))+)`)
	quoted := regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'`)
	found := 0
	for _, file := range shells {
		b, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(string(b), func(r rune) bool { return r > '~' || r < ' ' && r != '\n' && r != '\t' }); i >= 0 {
			t.Errorf("%s is not plain ASCII: %q", file, b[i:i+10])
		}
		for _, m := range texts.FindAllStringSubmatch(string(b), -1) {
			for _, text := range quoted.FindAllString(m[1], -1) {
				found++
				if text = strings.TrimSuffix(strings.TrimPrefix(strings.Trim(text, `"'`), "-----> "), `\n`); len(" !     "+strings.TrimPrefix(text, " !     ")) > say.Columns {
					t.Errorf("%s: %d columns: %s", file, len(text)+7, text)
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d texts were seen", found)
	}
}

// buildPlugin makes the tree that make build leaves.
func buildPlugin(t *testing.T) string {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(t.TempDir(), "upgrade-guard")
	for _, cmd := range [][]string{
		{"mkdir", "-p", tree + "/bin"},
		{"sh", "-c", `cd "$1" && cp -RP plugin.toml install uninstall run subcommands $(find . -maxdepth 1 -type l) "$2"`, "sh", repository, tree},
		{"go", "build", "-C", repository, "-o", tree + "/bin/upgrade-guard", "./src"},
	} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}
	return tree
}
