package nginx

import (
	"slices"
	"strings"

	"upgrade-guard/src/pattern"
)

// duplicateDirective is how nginx -t complains of a directive that it takes once.
var duplicateDirective = pattern.Of(`"([a-z0-9_]+)" directive is duplicate in `)

// Duplicate is the directive that nginx -t finds twice; "" where it complains of something
// else.
func Duplicate(complaint string) string {
	if m := duplicateDirective().FindStringSubmatch(complaint); m != nil {
		return m[1]
	}
	return ""
}

// access are the directives that keep people out.
var access = pattern.Of(`(?m)(?:^|[;{}\s])(auth_basic|auth_basic_user_file|auth_request|auth_jwt|satisfy|ssl_verify_client|ssl_client_certificate|allow|deny)\s`)

// Access are the directives in a configuration that keep people out, each once. A text
// that has fewer of them may open what another one has closed.
func Access(text string) (names []string) {
	for _, m := range access().FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

// Without is an app's configuration without a directive that its servers set and a snippet
// sets, too; or, where they do not set it, without the second of two includes of the same
// snippets (Dokku 0.27.9 writes them). It is false where there is neither, and of what keeps
// people out.
func Without(text, directive string) (string, bool) {
	list, err := Parse(text)
	if err != nil || len(Access(directive+" ")) > 0 {
		return "", false
	}
	var named, again []edit
	for _, server := range list {
		if server.Name != "server" {
			continue
		}
		included := map[string]bool{}
		for _, d := range server.Block {
			e := edit{d.Start, d.End, ""}
			if d.Name == directive && d.Block == nil {
				named = append(named, e)
			}
			if what := strings.Join(d.Args, " "); d.Name == "include" {
				if included[what] {
					again = append(again, e)
				}
				included[what] = true
			}
		}
	}
	g := fallback{edits: named}
	if len(named) == 0 {
		g.edits = again
	}
	return g.apply(text, 0), len(g.edits) > 0
}
