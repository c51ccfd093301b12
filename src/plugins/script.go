package plugins

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// script is a shell script, line by line, in two forms of the same length: text
// is without comments, and code without what stands in quotes as well, except for
// commands in $( ). What is left out is blank.
type script struct{ text, code []string }

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
			if m := heredocStart.FindStringSubmatch(source[i:]); m != nil {
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
	return &script{strings.Split(string(text), "\n"), strings.Split(string(code), "\n")}
}

type heredoc struct {
	word     string
	indented bool
}

var heredocStart = regexp.MustCompile(`^<<(-?)[ \t]*["'\\]?([A-Za-z_]\w*)["']?`)

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

// commands calls found for each line on which a word is run as a command, with
// what follows the word there.
func (s *script) commands(word string, found func(line int, after string)) {
	for n, code := range s.code {
		for from := 0; ; {
			i := strings.Index(code[from:], word)
			if i < 0 {
				break
			}
			start, end := from+i, from+i+len(word)
			from = end
			before := code[:start]
			if n > 0 && strings.HasSuffix(s.code[n-1], `\`) {
				before = strings.TrimSuffix(s.code[n-1], `\`) + " " + before
			}
			if runs.MatchString(before) && (end == len(code) || strings.IndexByte(" \t;)&|<>`", code[end]) >= 0) {
				found(n+1, s.text[n][end:])
			}
		}
	}
}

// runs matches what stands before a command on its line: nothing; what ends the
// command before it; a word of the shell's own; or variables that are set for it.
var runs = regexp.MustCompile("(?:^|[;&|(`!{]|\\b(?:then|do|else|elif|if|while|until|time)\\b|^[^()]*\\))\\s*" +
	`(?:(?:^|[\s(])(?:[A-Za-z_]\w*=\S*\s+)+)?$`)

// sources are the files of Dokku's plugins that the script sources, as
// plugin/file, with their lines, and whether it goes on without them.
func (s *script) sources() []source {
	var found []source
	for _, word := range []string{"source", "."} {
		s.commands(word, func(line int, after string) {
			m := pluginFile.FindStringSubmatch(after)
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
var pluginFile = regexp.MustCompile(`^\s+"?(?:\$\{?PLUGIN_[A-Z_]*PATH\}?|/var/lib/dokku/(?:core-)?plugins)(?:/available|/enabled)?/([\w.-]+/[\w./-]+)"?`)

// ownFile is a file beside the script, or at the top of its plugin.
var ownFile = regexp.MustCompile(`^\s+.*(?:BASH_SOURCE|dirname|\$\{?[A-Za-z_]*(?:DIR|dir)[A-Za-z_]*\}?).*?/([\w.-]+)"?\s*(?:$|[;&|])`)

// own are the files of its own plugin that the script sources.
func (s *script) own(plugin, path string) []string {
	var found []string
	for _, f := range s.sources() {
		if file, ok := strings.CutPrefix(f.file, plugin+"/"); ok {
			found = append(found, file)
		}
	}
	for _, word := range []string{"source", "."} {
		s.commands(word, func(_ int, after string) {
			if m := ownFile.FindStringSubmatch(after); m != nil {
				found = append(found, m[1], filepath.Join(filepath.Dir(path), m[1]))
			}
		})
	}
	return found
}

// defines tells whether the script defines a function.
func (s *script) defines(name string) bool {
	return slices.ContainsFunc(s.code, func(code string) bool {
		rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(code), "function "), name)
		return ok && definition.MatchString(rest) && (strings.Contains(rest, "(") || strings.HasPrefix(strings.TrimSpace(code), "function "))
	})
}

var definition = regexp.MustCompile(`^\s*(\(\)|\{|$)`)

// asks tells whether the script asks for a thing before it uses it.
func (s *script) asks(name string) bool {
	asked := regexp.MustCompile(`(?:\b(?:declare|typeset) -[fF]+|\btype(?: -\w+)?|\bcommand -v|\bhash|\bwhich|(?:\[|\btest) +(?:! +)?-[a-z]|fn-plugn-trigger-exists)\s+[^;&|\]]*` +
		regexp.QuoteMeta(name) + `(?:[^\w-]|$)`)
	return slices.ContainsFunc(s.text, asked.MatchString)
}

// mentions tells whether a word is anywhere in the script.
func (s *script) mentions(word string) bool {
	re := regexp.MustCompile(`(?:^|[^\w-])` + regexp.QuoteMeta(word) + `(?:[^\w-]|$)`)
	return slices.ContainsFunc(s.text, re.MatchString)
}
