package say

import (
	"slices"
	"strings"

	"upgrade-guard/src/pattern"
)

// hidden stands in the place of a secret.
const hidden = "***"

const (
	// secretName is what a setting is called that is likely to hold a secret.
	secretName = `[\w.-]*(?:pass|pwd|secret|token|credential|auth|cookie|hmac|salt|dsn|(?:api|access|private|signing|encryption|master)[_.-]?key)[\w.-]*`
	// value is what stands behind a name: in quotes, or up to a blank.
	value  = `(?:"[^"]*"?|'[^']*'?|[^\s"',;]+)+`
	scheme = `[A-Za-z][A-Za-z0-9+.-]*://`
)

// A shape is how secrets stand in a text. Of a match the first group is shown, and
// *** for the rest. It is looked for where the text has one of the words in it.
type shape struct {
	words   []string
	pattern pattern.Pattern
}

var shapes = []shape{
	// A user and a password, or a token alone, in a URL: up to the last @, because
	// few encode their password as they should.
	{[]string{"@"}, pattern.Of(`(` + scheme + `)[^\s"'<>]*@`)},
	// The query of a URL.
	{[]string{"?"}, pattern.Of(`(` + scheme + `[^\s"'<>?]*\?)[^\s"'<>)]+`)},
	// What docker is given for a container or a build, whatever it is called.
	{[]string{"="}, pattern.Of(`((?:^|[\s"'])(?:-e|--env|--build-arg)(?:\s+|=)["'][\w.-]+=)[^"']*`)},
	{[]string{"="}, pattern.Of(`((?:^|[\s"'])(?:-e|--env|--build-arg)(?:\s+|=)[\w.-]+=)` + value)},
	// What is called a password: as a variable, an option, or in JSON.
	{[]string{"="}, pattern.Of(`(?i)(` + secretName + `=)` + value)},
	{[]string{"-"}, pattern.Of(`(?i)((?:^|\s)--?` + secretName + `\s+)` + value)},
	{[]string{`"`}, pattern.Of(`(?i)("` + secretName + `"\s*:\s*)"[^"]*"?`)},
	// A request's header.
	{[]string{"uthorization", "UTHORIZATION"}, pattern.Of(`(?i)(\bauthorization["']?(?:\s*:\s*["']?(?:(?:basic|bearer|digest|token)\s+)?|\s+["']?(?:basic|bearer|digest|token)\s+))[^\s"';]+`)},
	{[]string{"earer ", "EARER ", "asic ", "ASIC "}, pattern.Of(`(?i)(\b(?:basic|bearer)\s+)[\w+/=.~-]{16,}`)},
}

// Redact is a text without what has the shape of a secret, or of somebody's e-mail
// address. Every text passes it on its way to a terminal, to a program that asks for
// JSON, and into a journal. It cannot know every secret: who writes a message takes care
// that none is in it.
func Redact(text string) string {
	for _, s := range shapes {
		if !slices.ContainsFunc(s.words, func(word string) bool { return strings.Contains(text, word) }) {
			continue
		}
		text = s.pattern().ReplaceAllStringFunc(text, func(found string) string {
			kept := s.pattern().FindStringSubmatch(found)[1]
			rest := found[len(kept):]
			switch {
			case rest == "git@", rest == "dokku@":
				return found // as everybody pushes
			case count().MatchString(found):
				return found
			case strings.HasSuffix(rest, "@"):
				return kept + hidden + "@"
			}
			return kept + hidden
		})
	}
	if !strings.Contains(text, "@") {
		return text
	}
	return address().ReplaceAllStringFunc(text, func(found string) string {
		m := address().FindStringSubmatch(found)
		if (m[1] == "git" || m[1] == "dokku") && m[2] != "" {
			return found // where everybody pushes: git@github.com:x
		}
		return hidden + m[2]
	})
}

// address is an e-mail address, and what shows that it may be none.
var address = pattern.Of(`([\w.%+-]+)@(?:[\w-]+\.)+[A-Za-z]{2,}([:/]?)`)

// count is the number of a process type in a scale. It may be called "token".
var count = pattern.Of(`^[\w-]+=[0-9]{1,4}$`)
