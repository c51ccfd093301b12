package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// realOnly are README's lines that no sandbox can run, and why.
var realOnly = map[string]string{
	"sudo dokku plugin:install ARCHIVE --name upgrade-guard":                       "the one before it has installed the plugin, and ARCHIVE is an address of a release",
	"ls /etc/apt/apt.conf.d/80upgrade-guard /etc/dpkg/dpkg.cfg.d/upgrade-guard":    "files of a real /etc: tests/apt looks at them",
	"make play     # a shell on a copy of a real Dokku host, to upgrade and break": "what runs this test",
	"make demo     # the story of issue 7253, without and with the plugin":         ".ci/run runs it",
	"make test     # all tests that need nothing else; some minutes":               "what runs this test",
	"sudo dokku plugin:disable upgrade-guard             # nothing of it runs":     "TestEveryCommandOfOurMessages runs it; what follows wants it enabled",
}

// readme are README's commands by section, a line each, as they stand.
func readme(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	typed := regexp.MustCompile(`^    ((?:dokku|sudo|make|sha256sum|tar|ls|guard=|\$guard)\b?.*)$`)
	blocks := map[string][]string{}
	section := ""
	for _, line := range strings.Split(string(b), "\n") {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = title
		}
		if m := typed.FindStringSubmatch(line); m != nil {
			blocks[section] = append(blocks[section], m[1])
		} else if strings.HasPrefix(line, "    ") && section != "" && section != "The report" {
			t.Errorf("README has a line that is no command: %q", line)
		}
	}
	return blocks
}

// README's commands run as they stand, in its order of a server's life: installed, looked
// at, upgraded, turned off, taken away; and the archive's binary where nothing is installed.
func TestReadme(t *testing.T) {
	blocks := readme(t)
	dir := t.TempDir()
	archive(t, dir)
	down := "Something is down"
	i := 0
	for ; i < len(blocks[down]) && strings.HasPrefix(blocks[down][i], "dokku"); i++ {
	}
	ran := map[string]bool{}
	script := func(parts ...[]string) string {
		var s strings.Builder
		for _, part := range parts {
			for _, line := range part {
				ran[line] = true
				if realOnly[line] == "" {
					// 2 says that something is left to a person.
					fmt.Fprintf(&s, "%s\ncase $? in 0 | 2) ;; *) exit 9 ;; esac\n", line)
				}
			}
		}
		return s.String()
	}
	run := func(what, script string, env ...string) {
		if out, err := typed(t, "cp "+dir+"/* .\n"+script, env...); err != nil {
			t.Errorf("%s: %v\n%s\n%s", what, err, script, out)
		}
	}
	run("a server's life", script(blocks["Install"], blocks["The next upgrade"], blocks[down][:i], blocks["The report"], blocks["Turn it off, take it away"]), "GUARD=no")
	run("nothing was installed", "dokku upgrade-guard:report 2>/dev/null && exit 8\napt upgrade\n"+script(blocks[down][i:])+
		"dokku ps:rebuild --all >/dev/null && sites | grep -q 'my_app .* up'\n", "GUARD=no")
	script(blocks["Try it, without a server"])
	for section, lines := range blocks {
		for _, line := range lines {
			if !ran[line] {
				t.Errorf("README, %s: %q was not run", section, line)
			}
		}
	}
	for line := range realOnly {
		if !ran[line] {
			t.Errorf("README has no line %q", line)
		}
	}
}

// archive makes a release archive of this machine's architecture, and its sums.
func archive(t *testing.T, dir string) {
	t.Helper()
	arch := runtime.GOARCH
	if arch == "arm" {
		arch = "armhf"
	}
	cmd := exec.Command("sh", "-ec", `tree=$(mktemp -d)
		cp -RP "$1" "$tree/upgrade-guard"
		mv "$tree/upgrade-guard/bin/upgrade-guard" "$tree/upgrade-guard/bin/upgrade-guard-$3"
		version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$1/plugin.toml")
		tar -C "$tree" -czf "$2/upgrade-guard-$version.tar.gz" upgrade-guard
		cd "$2" && sha256sum *.tar.gz >SHA256SUMS; rm -rf "$tree"`, "sh", shell.tree, dir, arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
