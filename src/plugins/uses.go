package plugins

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upgrade-guard/src/app"
)

// Use is one thing of Dokku that a plugin uses and that a version has removed.
type Use struct {
	// What is the thing and the place of its first use, in words.
	What string
	// Hook is the trigger of the plugin that comes to it in a deploy, "" where
	// that is not known. Always tells that it does so in every one.
	Hook   string
	Always bool
	// Minor tells that what fails is seldom used.
	Minor bool

	gone, back string
}

// GoneIn tells whether a version of Dokku is without it.
func (u Use) GoneIn(dokku string) bool {
	return !app.Before(dokku, u.gone) && (u.back == "" || app.Before(dokku, u.back))
}

// Uses are the things it uses that some version has removed, in the order in which
// they went. A thing that the plugin has itself, asks for before it uses it, or
// knows the successor of is not among them.
func (p Plugin) Uses() []Use {
	reach := p.reach()
	var found []Use
	for _, r := range all {
		for _, name := range strings.Fields(r.names) {
			places := p.places(r, name, reach)
			if len(places) == 0 {
				continue
			}
			found = append(found, Use{What: r.words(name, places), Hook: p.inDeploys(r, places), Always: r.kind == file, Minor: r.minor, gone: r.gone, back: r.back})
		}
	}
	slices.SortStableFunc(found, func(a, b Use) int {
		switch {
		case app.Before(a.gone, b.gone):
			return -1
		case app.Before(b.gone, a.gone):
			return 1
		}
		return 0
	})
	return found
}

type place struct {
	path string
	line int
}

func (p place) String() string {
	if p.line == 0 {
		return p.path
	}
	return fmt.Sprintf("%s:%d", p.path, p.line)
}

// places are where the plugin uses a thing.
func (p Plugin) places(r removed, name string, reach map[string][]string) []place {
	if r.kind == hook {
		if p.Hook(name) && !p.Hook(r.instead) {
			return []place{{path: name}}
		}
		return nil
	}
	var found []place
	for _, path := range slices.Sorted(maps.Keys(p.scripts)) {
		s := p.scripts[path]
		lines := s.uses(r, name)
		if len(lines) == 0 || r.instead != "" && s.mentions(r.instead) {
			continue
		}
		for _, line := range lines {
			found = append(found, place{path, line})
		}
	}
	if r.kind == function {
		found = slices.DeleteFunc(found, func(at place) bool { return !r.reaches(reach[at.path]) })
	}
	if len(found) == 0 || r.kind == state || r.kind == variable {
		return found
	}
	for _, s := range p.scripts {
		if s.asks(name) || r.kind == function && s.defines(name) {
			return nil
		}
	}
	return found
}

// reaches tells whether a script with these files of core sourced gets a function
// from them before it is gone, and not after.
func (r removed) reaches(sourced []string) bool {
	if r.with == "" {
		return len(sourced) > 0
	}
	return slices.Contains(sourced, r.with) &&
		!slices.ContainsFunc(from(r.home), func(f string) bool { return slices.Contains(sourced, f) })
}

// uses are the lines on which the script uses a thing.
func (s *script) uses(r removed, name string) []int {
	last := name[strings.LastIndexByte(name, '/')+1:]
	if !slices.ContainsFunc(s.text, func(text string) bool { return strings.Contains(text, last) }) {
		return nil
	}
	var lines []int
	add := func(line int) {
		if len(lines) == 0 || lines[len(lines)-1] != line {
			lines = append(lines, line)
		}
	}
	// As an argument of plugn or dokku.
	argument := func(word, before string) {
		re := regexp.MustCompile(before + `"?` + regexp.QuoteMeta(name) + `"?(?:[\s;)|&<>` + "`" + `]|$)`)
		s.commands(word, func(line int, after string) {
			if re.MatchString(after) {
				add(line)
			}
		})
	}
	matching := func(re *regexp.Regexp) {
		for n, text := range s.text {
			if re.MatchString(text) {
				add(n + 1)
			}
		}
	}
	switch r.kind {
	case function:
		s.commands(name, func(line int, _ string) { add(line) })
	case file:
		for _, f := range s.sources() {
			if f.file == name && !f.optional {
				add(f.line)
			}
		}
	case trigger:
		argument("plugn", `^\s+trigger\s+`)
	case command:
		argument("dokku", `^(?:\s+--?\S+)*\s+`)
	case variable:
		matching(regexp.MustCompile(`\bconfig[_:-](?:get|set|unset)\b.*[^\w]` + name + `\b`))
	case state:
		for n, text := range s.text {
			for _, m := range stateFile.FindAllStringSubmatch(text, -1) {
				if m[1] == name {
					add(n + 1)
				}
			}
		}
	}
	return lines
}

// stateFile is a file of Dokku's or of an app.
var stateFile = regexp.MustCompile(`\$\{?DOKKU_ROOT\}?"?/(?:"?(?:\$\{?\w+\}?|[\w-]+)"?/)?([A-Z_]+)(?:[^\w./-]|$)`)

// words are the thing, where it is used, and since when it is gone.
func (r removed) words(name string, places []place) string {
	at := places[0].String()
	if n := len(places) - 1; n > 0 {
		at = fmt.Sprintf("%s and %d more", at, n)
	}
	if r.kind == hook {
		return fmt.Sprintf("the trigger %s, which Dokku has not fired since %s%s", name, r.gone, r.successor())
	}
	what := map[kind]string{
		function: "%s", file: "the file %s", trigger: "an answer to the trigger %s", command: "the command %s",
		variable: "the variable %s", state: "the file %s of an app",
	}[r.kind]
	if r.with != "" {
		return fmt.Sprintf("%s (%s), which does not come with %s since %s (source %s)", name, at, r.with, r.gone, r.home)
	}
	return fmt.Sprintf(what+" (%s), gone since %s%s", name, at, r.gone, r.successor())
}

func (r removed) successor() string {
	if r.instead == "" {
		return ""
	}
	return " (instead: " + r.instead + ")"
}

// inDeploys is the trigger of the plugin that runs in every deploy and fails for want
// of the thing: at once where it sources a missing file, and where it calls a missing
// function itself, when it comes to that.
func (p Plugin) inDeploys(r removed, places []place) string {
	for _, name := range p.hooks {
		if !inDeploy.MatchString(name) || p.scripts[name] == nil {
			continue
		}
		needs := []string{name}
		if r.kind == file {
			needs = p.closure(name)
		}
		if (r.kind == file || r.kind == function) && slices.ContainsFunc(places, func(at place) bool { return slices.Contains(needs, at.path) }) {
			return name
		}
	}
	return ""
}

// inDeploy are the triggers that a deploy fires and whose failure ends it.
var inDeploy = regexp.MustCompile(`^((core-)?(pre|post)-(build|release|deploy|extract)(-.*)?|docker-args-.*|nginx-pre-reload|receive-app|check-deploy)$`)

// closure is a script with all scripts of the plugin that it sources.
func (p Plugin) closure(path string) []string {
	seen := []string{path}
	for i := 0; i < len(seen); i++ {
		for _, to := range p.scripts[seen[i]].own(p.Name, seen[i]) {
			to = filepath.Clean(to)
			if p.scripts[to] != nil && !slices.Contains(seen, to) {
				seen = append(seen, to)
			}
		}
	}
	return seen
}

// reach is, for each script, what files of core are sourced where it runs: by
// itself, by what it sources, and by every script that sources it. A function is
// only said to be missing where none of them brings it.
func (p Plugin) reach() map[string][]string {
	reach := map[string][]string{}
	for path := range p.scripts {
		closure := p.closure(path)
		var core []string
		for _, c := range closure {
			for _, f := range p.scripts[c].sources() {
				if !strings.HasPrefix(f.file, p.Name+"/") {
					core = append(core, f.file)
				}
			}
		}
		for _, c := range closure {
			reach[c] = append(reach[c], core...)
		}
	}
	return reach
}
