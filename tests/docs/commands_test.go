package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/cli"
	"upgrade-guard/src/guard"
	"upgrade-guard/tests/sandbox"
)

var (
	section  = regexp.MustCompile(`(?m)^## ([a-z-]+)$`)
	flagLine = regexp.MustCompile(`(?m)^ +(--[a-z-]+)`)
	flagRow  = regexp.MustCompile("(?m)^\\| `(--[a-z-]+)`")
	property = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `")
)

// Every command, flag and property of the program is on docs/commands.md, and nothing
// else is.
func TestCommandsPage(t *testing.T) {
	page := read(t, filepath.Join(root, "docs/commands.md"))
	sections := map[string]string{}
	at := section.FindAllStringSubmatchIndex(page, -1)
	for i, m := range at {
		end := len(page)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		sections[page[m[2]:m[3]]] = page[m[0]:end]
	}
	names := slices.DeleteFunc(cli.Names(), func(n string) bool { return n == "default" })
	for name := range sections {
		if !slices.Contains(names, name) {
			t.Errorf("docs/commands.md has a section %s, and there is no such command", name)
		}
	}
	help := helps(t, names)
	for _, name := range names {
		text, ok := sections[name]
		if !ok {
			t.Errorf("docs/commands.md has no section %s", name)
			continue
		}
		if !strings.Contains(text, "\n    dokku upgrade-guard:"+name) || !strings.Contains(text, "Exit codes: ") && name != "help" {
			t.Errorf("docs/commands.md: %s wants a line with what is typed, and its exit codes", name)
		}
		there, told := firsts(flagLine, help[name]), firsts(flagRow, text)
		there = slices.DeleteFunc(there, func(f string) bool { return f == "--help" || strings.HasPrefix(f, "--upgrade-guard-") })
		told = slices.DeleteFunc(told, func(f string) bool { return strings.HasPrefix(f, "--upgrade-guard-") })
		if !slices.Equal(there, told) {
			t.Errorf("%s has the flags %v, and docs/commands.md tells of %v", name, there, told)
		}
	}
	lines := sections["report"][strings.Index(sections["report"], "--upgrade-guard-"):]
	for _, flag := range guard.FlagNames() {
		// A setting has three, of which the page names the forms.
		flag = strings.TrimPrefix(strings.TrimPrefix(flag, "global-"), "computed-")
		if !strings.Contains(lines, "`"+flag+"`") {
			t.Errorf("docs/commands.md does not name the flag --upgrade-guard-%s of report", flag)
		}
	}
	if told, there := firsts(property, sections["set"]), slices.Sorted(slices.Values(guard.PropertyNames())); !slices.Equal(told, there) {
		t.Errorf("there are the properties %v, and docs/commands.md tells of %v", there, told)
	}
}

// README has a line for each command.
func TestReadmeNamesEveryCommand(t *testing.T) {
	text := read(t, filepath.Join(root, "README.md"))
	_, text, _ = strings.Cut(text, "## Commands\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(text, -1) {
		for _, m := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(row[1], -1) {
			told = append(told, m[1])
		}
	}
	slices.Sort(told)
	names := slices.DeleteFunc(cli.Names(), func(n string) bool { return n == "default" })
	if slices.Sort(names); !slices.Equal(told, names) {
		t.Errorf("there are the commands %v, and README tells of %v", names, told)
	}
}

var (
	ours    = regexp.MustCompile("upgrade-guard:([a-z-]+)([^`\n#]*)")
	anyFlag = regexp.MustCompile(`(?:^|\s)(--[a-z-]+)`)
)

// What the pages have one type is there: the command, and its flags.
func TestPagesTypeWhatThereIs(t *testing.T) {
	names := slices.DeleteFunc(cli.Names(), func(n string) bool { return n == "default" })
	help := helps(t, names)
	seen := 0
	for _, page := range pages(t) {
		for _, m := range ours.FindAllStringSubmatch(read(t, page), -1) {
			seen++
			if _, ok := help[m[1]]; !ok {
				t.Errorf("%s has one type %s, and there is no such command", page, m[0])
				continue
			}
			for _, flag := range firsts(anyFlag, m[2]) {
				if flag != "--global" && !strings.HasPrefix(flag, "--upgrade-guard-") && !strings.Contains(help[m[1]], flag) {
					t.Errorf("%s has one type %s, which has no %s", page, m[0], flag)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d such commands were seen", seen)
	}
}

// helps are what each command says to --help.
func helps(t *testing.T, names []string) map[string]string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "upgrade-guard")
	if out, err := exec.Command("go", "build", "-C", root, "-o", binary, "./src").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	box, err := sandbox.New(filepath.Join(t.TempDir(), "host"), sandbox.Before)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, name := range names {
		cmd := exec.Command(binary, "command", name, "upgrade-guard:"+name, "--help")
		cmd.Env = append(os.Environ(), box.Env()...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s --help: %v\n%s", name, err, out)
		}
		found[name] = string(out)
	}
	return found
}

// firsts are what a pattern finds, sorted.
func firsts(pattern *regexp.Regexp, text string) []string {
	found := []string{}
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}
