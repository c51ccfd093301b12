package plugins

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upgrade-guard/src/pattern"
)

// script is a shell script, line by line, in two forms of the same length: text
// is without comments, and code without what stands in quotes as well, except for
// commands in $( ). What is left out is blank.
type script struct {
	text, code []string
	runs       map[string][]call // where it runs the commands that are looked for
	names      map[string]bool   // which of the names that are looked for are in it
	sourced    []source          // files of Dokku's plugins
	own        []string          // files of its own plugin
}

// call is a place where a command is run: its line, and where it ends there.
type call struct{ line, end int }

// parse takes a script apart as far as it must be to tell a command from a word.
// Here documents are text for somebody else and left out.
func parse(source string) *script {
	var (
		text, code = []byte(source), []byte(source)
		inside     = []byte{'c'} // c: code; (: code in $( ), `: in backticks; ": double quotes
		depth      = []int{0}    // parentheses open in it
		heredocs   []heredoc
	)
	blank := func(b []byte, i int) {
		if b[i] != '\n' {
			b[i] = ' '
		}
	}
	push := func(c byte) { inside, depth = append(inside, c), append(depth, 0) }
	pop := func() { inside, depth = inside[:len(inside)-1], depth[:len(depth)-1] }
	for i := 0; i < len(source); i++ {
		c, top := source[i], inside[len(inside)-1]
		next := byte(0)
		if i+1 < len(source) {
			next = source[i+1]
		}
		switch {
		case c == '\n' && len(heredocs) > 0:
			end := i + 1
			for _, h := range heredocs {
				end = h.skip(source, end)
			}
			for j := i + 1; j < end; j++ {
				blank(text, j)
				blank(code, j)
			}
			heredocs, i = nil, end-1
		case top == '"' && c == '"':
			pop()
			blank(code, i)
		case c == '\\' && i+1 < len(source):
			if top == '"' {
				blank(code, i)
				blank(code, i+1)
			}
			i++
		case c == '$' && next == '(':
			push('(')
			i++
		case c == '`':
			if top == '`' {
				pop()
			} else {
				push('`')
			}
		case top == '"':
			blank(code, i)
		// From here on it is code.
		case c == '"':
			push('"')
			blank(code, i)
		case c == '\'':
			end := strings.IndexByte(source[i+1:], '\'')
			if end < 0 {
				end = len(source) - i - 2
			}
			for j := i; j <= i+1+end; j++ {
				blank(code, j)
			}
			i += 1 + end
		case c == '#' && (i == 0 || strings.IndexByte(" \t\n;(", source[i-1]) >= 0):
			for ; i < len(source) && source[i] != '\n'; i++ {
				blank(text, i)
				blank(code, i)
			}
			i--
		case c == '<' && next == '<':
			if m := heredocStart().FindStringSubmatch(source[i:]); m != nil {
				heredocs = append(heredocs, heredoc{word: m[2], indented: m[1] == "-"})
				i += len(m[0]) - 1
			} else {
				for i+1 < len(source) && source[i+1] == '<' { // <<< and 1 << 2
					i++
				}
			}
		case c == '(':
			depth[len(depth)-1]++
		case c == ')' && depth[len(depth)-1] > 0:
			depth[len(depth)-1]--
		case c == ')' && top == '(':
			pop()
		}
	}
	s := &script{text: strings.Split(string(text), "\n"), code: strings.Split(string(code), "\n")}
	s.runs, s.names = s.find(), namesIn(text)
	s.sourced = s.sources()
	return s
}

type heredoc struct {
	word     string
	indented bool
}

var heredocStart = pattern.Of(`^<<(-?)[ \t]*["'\\]?([A-Za-z_]\w*)["']?`)

// skip is where the line after the document's last one begins.
func (h heredoc) skip(source string, from int) int {
	for from < len(source) {
		line, _, found := strings.Cut(source[from:], "\n")
		from += len(line)
		if found {
			from++
		}
		if h.indented {
			line = strings.TrimLeft(line, "\t")
		}
		if line == h.word {
			if found {
				from-- // its line break ends the line that began it
			}
			return from
		}
	}
	return len(source)
}

// Looked for are the commands by whose names the table knows things, and what takes
// such a name as its argument. Names are told by their last words alone.
var lookedFor, lastWords = func() (commands, words map[string]bool) {
	commands, words = map[string]bool{"plugn": true, "dokku": true, "source": true, ".": true}, map[string]bool{}
	for _, r := range all {
		for _, name := range strings.Fields(r.names + " " + r.instead) {
			words[lastWord(name)] = true
			if r.kind == function {
				commands[name] = true
			}
		}
	}
	return commands, words
}()

func lastWord(name string) string {
	return name[strings.LastIndexFunc(name, func(r rune) bool { return !isWord(byte(r)) })+1:]
}

// namesIn are the last words that are anywhere in a text.
func namesIn(text []byte) map[string]bool {
	found := map[string]bool{}
	for i := 0; i < len(text); {
		j := i
		for j < len(text) && isWord(text[j]) {
			j++
		}
		if lastWords[string(text[i:j])] {
			found[string(text[i:j])] = true
		}
		i = j + 1
	}
	return found
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

const (
	// maxCalls is how often one script may run one command; real ones do ten times.
	maxCalls = 1000
	// maxAfter is as much as is looked at behind a command.
	maxAfter = 1000
	// maxName is longer than any name that is looked for.
	maxName = 64
)

// find finds the commands that are looked for, in one pass. A command may stand at the
// beginning of a line, behind what ends the command before it, behind a word of the
// shell's own, behind a pattern of case, and behind variables that are set for it.
func (s *script) find() map[string][]call {
	runs := map[string][]call{}
	begins, brackets := true, false // a command may begin here; a bracket was on this line
	for n, code := range s.code {
		if n == 0 || !strings.HasSuffix(s.code[n-1], `\`) {
			begins, brackets = true, false
		}
		code = strings.TrimSuffix(code, `\`)
		value := -1 // where a variable's value ends that is set for a command
		for i := 0; i < len(code); {
			c := code[i]
			if i == value {
				begins = true
			}
			if strings.IndexByte(" \t\r\f\v", c) >= 0 {
				i++
				continue
			}
			if begins {
				if name := upTo(code[i:], " \t;)&|<>`"); lookedFor[name] && len(runs[name]) < maxCalls {
					runs[name] = append(runs[name], call{n, i + len(name)})
				}
			}
			switch c {
			case '(':
				brackets = true
				fallthrough
			case ';', '&', '|', '`', '!', '{':
				begins = true
				i++
				continue
			case ')':
				begins, brackets = !brackets, true
				i++
				continue
			}
			word := code[i:wordEnd(code, i)]
			switch i += len(word); {
			case shellWords[word]:
				begins = true
			case begins && assignment().MatchString(word):
				begins = false
				for value = max(value, i); value < len(code) && code[value] != ' ' && code[value] != '\t'; {
					value++
				}
			default:
				begins = false
			}
		}
	}
	return runs
}

// upTo is the beginning of a text up to one of some characters; "" where none is near.
func upTo(text, ends string) string {
	for i := 0; i < len(text); i++ {
		if strings.IndexByte(ends, text[i]) >= 0 {
			return text[:i]
		}
		if i == maxName {
			return ""
		}
	}
	return text
}

func wordEnd(code string, i int) int {
	for i < len(code) && strings.IndexByte(" \t\r\f\v;&|(`!{)", code[i]) < 0 {
		i++
	}
	return i
}

var (
	shellWords = map[string]bool{"then": true, "do": true, "else": true, "elif": true, "if": true, "while": true, "until": true, "time": true}
	assignment = pattern.Of(`^[A-Za-z_][0-9A-Za-z_]*=`)
)

// commands calls found for each place where a word is run as a command, with what
// follows the word on its line.
func (s *script) commands(word string, found func(line int, after string)) {
	for _, c := range s.runs[word] {
		after := s.text[c.line][c.end:]
		found(c.line+1, after[:min(len(after), maxAfter)])
	}
}

// sources are the files of Dokku's plugins that the script sources, as
// plugin/file, with their lines, and whether it goes on without them.
func (s *script) sources() []source {
	var found []source
	for _, word := range []string{"source", "."} {
		s.commands(word, func(line int, after string) {
			m := pluginFile().FindStringSubmatch(after)
			if m == nil {
				return
			}
			found = append(found, source{m[1], line, strings.Contains(after, "||")})
		})
	}
	return found
}

type source struct {
	file     string
	line     int
	optional bool
}

// pluginFile is a file of a plugin by the variables that dokku exports, or by the
// places these have on every host.
var pluginFile = pattern.Of(`^\s+"?(?:\$\{?PLUGIN_[A-Z_]*PATH\}?|/var/lib/dokku/(?:core-)?plugins)(?:/available|/enabled)?/([\w.-]+/[\w./-]+)"?`)

// ownFile is a file beside the script, or at the top of its plugin.
var ownFile = pattern.Of(`^\s+.*(?:BASH_SOURCE|dirname|\$\{?[A-Za-z_]*(?:DIR|dir)[A-Za-z_]*\}?).*?/([\w.-]+)"?\s*(?:$|[;&|])`)

// sourcesOwn are the files of its own plugin that the script sources.
func (s *script) sourcesOwn(plugin, path string) []string {
	var found []string
	for _, f := range s.sourced {
		if file, ok := strings.CutPrefix(f.file, plugin+"/"); ok {
			found = append(found, file)
		}
	}
	for _, word := range []string{"source", "."} {
		s.commands(word, func(_ int, after string) {
			if m := ownFile().FindStringSubmatch(after); m != nil {
				found = append(found, m[1], filepath.Join(filepath.Dir(path), m[1]))
			}
		})
	}
	for i := range found {
		found[i] = filepath.Clean(found[i])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// has tells whether a name may be in the script at all.
func (s *script) has(name string) bool { return s.names[lastWord(name)] }

// defines tells whether the script defines a function.
func (s *script) defines(name string) bool {
	return s.has(name) && slices.ContainsFunc(s.code, func(code string) bool {
		rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(code), "function "), name)
		return ok && definition().MatchString(rest) && (strings.Contains(rest, "(") || strings.HasPrefix(strings.TrimSpace(code), "function "))
	})
}

var definition = pattern.Of(`^\s*(\(\)|\{|$)`)

// asking is what a script asks for a thing by before it uses it.
func asking(name string) *regexp.Regexp {
	return regexp.MustCompile(`(?:\b(?:declare|typeset) -[fF]+|\btype(?: -\w+)?|\bcommand -v|\bhash|\bwhich|(?:\[|\btest) +(?:! +)?-[a-z]|fn-plugn-trigger-exists)\s+[^;&|\]]*` +
		regexp.QuoteMeta(name) + `(?:[^\w-]|$)`)
}

// mentioning is a word anywhere.
func mentioning(word string) *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[^\w-])` + regexp.QuoteMeta(word) + `(?:[^\w-]|$)`)
}

// matches tells whether a line with a name in it matches.
func (s *script) matches(name string, re *regexp.Regexp) bool {
	return s.has(name) && slices.ContainsFunc(s.text, func(text string) bool { return strings.Contains(text, name) && re.MatchString(text) })
}
