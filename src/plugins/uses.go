package plugins

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/pattern"
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
	// Docker is the first version of docker without it, where it is docker's and not
	// Dokku's; 0 else.
	Docker int

	gone, back string
}

// GoneIn tells whether a version of Dokku is without it.
func (u Use) GoneIn(dokku string) bool {
	return u.Docker == 0 && !app.Before(dokku, u.gone) && (u.back == "" || app.Before(dokku, u.back))
}

// Uses are the things it uses that some version has removed, in the order in which
// they went. A thing that the plugin has itself, asks for before it uses it, or
// knows the successor of is not among them.
func (p Plugin) Uses() []Use { return p.uses }

// findUses fills in the uses, as far as there is time for it.
func (p *reading) findUses() {
	paths := slices.Sorted(maps.Keys(p.scripts))
	reach := p.reach()
	for _, r := range all {
		for _, name := range strings.Fields(r.names) {
			if p.late() {
				return
			}
			places := p.places(r, name, paths, reach)
			if len(places) == 0 {
				continue
			}
			p.uses = append(p.uses, Use{What: r.words(name, places), Hook: p.inDeploys(r, places), Always: r.kind == file, Minor: r.minor, Docker: r.docker, gone: r.gone, back: r.back})
		}
	}
	slices.SortStableFunc(p.uses, func(a, b Use) int {
		switch {
		case a.Docker != b.Docker:
			return a.Docker - b.Docker
		case app.Before(a.gone, b.gone):
			return -1
		case app.Before(b.gone, a.gone):
			return 1
		}
		return 0
	})
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
func (p *reading) places(r removed, name string, paths []string, reach map[string]map[string]bool) []place {
	if r.kind == hook {
		if p.Hook(name) && !p.Hook(r.instead) {
			return []place{{path: name}}
		}
		return nil
	}
	var found []place
	uses := r.lines(name)
	instead := mentioning(r.instead)
	for _, path := range paths {
		s := p.scripts[path]
		if !s.has(name) || p.late() {
			continue
		}
		lines := uses(s)
		if len(lines) == 0 || r.instead != "" && s.matches(r.instead, instead) || r.kind == function && !r.reaches(reach[path]) {
			continue
		}
		for _, line := range lines {
			found = append(found, place{path, line})
		}
	}
	if len(found) == 0 || r.kind == state || r.kind == variable || r.kind == field {
		return found
	}
	asks := asking(name)
	for _, s := range p.scripts {
		if s.matches(name, asks) || r.kind == function && s.defines(name) {
			return nil
		}
	}
	return found
}

// reaches tells whether a script with these files of core sourced gets a function
// from them before it is gone, and not after.
func (r removed) reaches(sourced map[string]bool) bool {
	if r.with == "" {
		return len(sourced) > 0
	}
	return sourced[r.with] && !slices.ContainsFunc(from(r.home), func(f string) bool { return sourced[f] })
}

// lines finds the lines on which a script uses a thing.
func (r removed) lines(name string) func(*script) []int {
	switch r.kind {
	case function:
		return func(s *script) (lines []int) {
			s.commands(name, func(line int, _ string) { lines = append(lines, line) })
			return slices.Compact(lines)
		}
	case file:
		return func(s *script) (lines []int) {
			for _, f := range s.sourced {
				if f.file == name && !f.optional {
					lines = append(lines, f.line)
				}
			}
			return slices.Compact(lines)
		}
	case trigger:
		return argument("plugn", `^\s+trigger\s+`, name)
	case command:
		return argument("dokku", `^(?:\s+--?\S+)*\s+`, name)
	case field:
		return matching(name, regexp.MustCompile(regexp.QuoteMeta(name)+`\b`).MatchString)
	case variable:
		re := regexp.MustCompile(`\bconfig[_:-](?:get|set|unset)\b.*[^\w]` + name + `\b`)
		return matching(name, re.MatchString)
	case state:
		return matching(name, func(text string) bool {
			return slices.ContainsFunc(stateFile().FindAllStringSubmatch(text, -1), func(m []string) bool { return m[1] == name })
		})
	}
	return func(*script) []int { return nil }
}

// argument finds a name as an argument of plugn or dokku.
func argument(word, before, name string) func(*script) []int {
	re := regexp.MustCompile(before + `"?` + regexp.QuoteMeta(name) + `"?(?:[\s;)|&<>` + "`" + `]|$)`)
	return func(s *script) (lines []int) {
		s.commands(word, func(line int, after string) {
			if strings.Contains(after, name) && re.MatchString(after) {
				lines = append(lines, line)
			}
		})
		return slices.Compact(lines)
	}
}

// matching finds lines with a name in them.
func matching(name string, match func(string) bool) func(*script) []int {
	return func(s *script) (lines []int) {
		for n, text := range s.text {
			if strings.Contains(text, name) && match(text) {
				lines = append(lines, n+1)
			}
		}
		return lines
	}
}

// stateFile is a file of Dokku's or of an app.
var stateFile = pattern.Of(`\$\{?DOKKU_ROOT\}?"?/(?:"?(?:\$\{?\w+\}?|[\w-]+)"?/)?([A-Z_]+)(?:[^\w./-]|$)`)

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
		variable: "the variable %s", state: "the file %s of an app", field: "the field %s of docker inspect",
	}[r.kind]
	if r.with != "" {
		return fmt.Sprintf("%s (%s), which does not come with %s since %s (source %s)", name, at, r.with, r.gone, r.home)
	}
	if r.docker > 0 {
		return fmt.Sprintf(what+" (%s), gone since docker %d%s", name, at, r.docker, r.successor())
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
func (p *reading) inDeploys(r removed, places []place) string {
	for _, name := range p.hooks {
		if !inDeploy().MatchString(name) || p.scripts[name] == nil {
			continue
		}
		needs := map[string]bool{name: true}
		if r.kind == file {
			needs = p.closure(name)
		}
		if (r.kind == file || r.kind == function || r.kind == field) && slices.ContainsFunc(places, func(at place) bool { return needs[at.path] }) {
			return name
		}
	}
	return ""
}

// inDeploy are the triggers that a deploy fires and whose failure ends it.
var inDeploy = pattern.Of(`^((core-)?(pre|post)-(build|release|deploy|extract)(-.*)?|docker-args-.*|nginx-pre-reload|receive-app|check-deploy)$`)

// closure is a script with all scripts of the plugin that it sources.
func (p *reading) closure(path string) map[string]bool {
	seen, next := map[string]bool{path: true}, []string{path}
	for len(next) > 0 {
		path, next = next[0], next[1:]
		for _, to := range p.scripts[path].own {
			if p.scripts[to] != nil && !seen[to] {
				seen[to], next = true, append(next, to)
			}
		}
	}
	return seen
}

// reach is, for each script, what files of core are sourced where it runs: by
// itself, by what it sources, and by every script that sources it. A function is
// only said to be missing where none of them brings it.
func (p *reading) reach() map[string]map[string]bool {
	reach := map[string]map[string]bool{}
	for path := range p.scripts {
		if p.late() {
			break
		}
		closure := p.closure(path)
		core := map[string]bool{}
		for c := range closure {
			for _, f := range p.scripts[c].sourced {
				if !strings.HasPrefix(f.file, p.Name+"/") {
					core[f.file] = true
				}
			}
		}
		for c := range closure {
			if reach[c] == nil {
				reach[c] = map[string]bool{}
			}
			maps.Copy(reach[c], core)
		}
	}
	return reach
}
