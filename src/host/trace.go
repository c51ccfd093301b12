package host

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// takeTrace tells whether DOKKU_TRACE is set, and takes it out of the environment: what
// Dokku's own commands trace, values of environments among it, would be their complaint
// when they fail.
func takeTrace() bool {
	set := os.Getenv("DOKKU_TRACE") != ""
	os.Unsetenv("DOKKU_TRACE")
	return set
}

// say names a program that is run, with Dokku's own mark for that.
func (l *Local) say(name string, args []string) {
	if l.trace {
		(&say.Printer{Err: os.Stderr, ASCII: true}).Debug("%s", traced(name, args))
	}
}

// traced is a command line without what may be a value in it: whatever follows an equals
// sign, in config:set A=B as in -e A=B, and all of an argument beyond its beginning.
func traced(name string, args []string) string {
	const shown, most = 60, 12
	words := []string{name}
	for i, a := range args {
		if i == most {
			words = append(words, "and "+strconv.Itoa(len(args)-most)+" more")
			break
		}
		if before, after, found := strings.Cut(a, "="); found && after != "" {
			a = before + "=..."
		}
		if len(a) > shown {
			a = strings.ToValidUTF8(a[:shown], "") + "..."
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

// exportDocker sets DOCKER_BIN, by which docker is called, where dokku has not: for the
// hooks of apt and dpkg, and the queue. Without it 0.38 takes an app's image for missing.
// As in the dokku command, only the host's own settings can make it another program.
func exportDocker(p Paths) {
	if os.Getenv("DOCKER_BIN") != "" {
		return
	}
	bin := "docker"
	files := []string{"/etc/default/dokku", filepath.Join(p.DokkuRoot, "dokkurc")}
	more, _ := filepath.Glob(filepath.Join(p.DokkuRoot, ".dokkurc", "*"))
	for _, file := range append(files, more...) {
		b, err := readFile(file, 64<<10)
		if err != nil {
			continue
		}
		for _, m := range dockerSetting().FindAllSubmatch(b, -1) {
			bin = strings.Trim(string(m[1]), `"'`)
		}
	}
	os.Setenv("DOCKER_BIN", bin)
}

// dockerSetting is a line of shell that sets DOCKER_BIN to what stands there.
var dockerSetting = pattern.Of("(?m)^[ \t]*(?:export[ \t]+)?DOCKER_BIN=(\"[^\"$`\\\\\n]+\"|'[^'\n]+'|[\\w./-]+)[ \t]*(?:#.*)?$")

// program is what a program is called by.
func program(name string) string {
	if bin := os.Getenv("DOCKER_BIN"); name == "docker" && bin != "" {
		return bin
	}
	return name
}
