package nginx

import (
	"errors"
	"fmt"
	"strings"
)

// Directive is one directive of nginx's configuration: a name, arguments, and
// for a block what stands in it.
type Directive struct {
	Name  string
	Args  []string
	Block []Directive // nil for a simple directive
	// Start and End are where the directive stands in the text, its semicolon
	// or closing brace included.
	Start, End int
	Line       int
}

// Parse reads the text of a configuration by nginx's own grammar: words that end
// at blanks, semicolons and braces, quotes that begin a word, backslashes,
// comments, and ${name}, whose brace opens no block. What nginx would refuse is
// an error, which names the line and never quotes it.
func Parse(text string) ([]Directive, error) {
	p := parser{text: text, line: 1}
	if len(text) > maxText {
		return nil, fmt.Errorf("it is larger than 1 MiB%w", errLarge)
	}
	list, err := p.block(0)
	if err != nil {
		return nil, err
	}
	return list, nil
}

const (
	// maxDepth is far more than anybody nests, and keeps a broken file from
	// exhausting the stack.
	maxDepth = 100
	// maxText and maxDirectives are those of an app with ten thousand domains, each in
	// a server of its own; a directive takes a hundred times the memory of its text.
	maxText       = 1 << 20
	maxDirectives = 100_000
)

// errLarge is wrapped by the errors of files that nginx may take and we do not.
var errLarge = errors.New("")

type parser struct {
	text       string
	pos        int
	line       int
	directives int
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: %s", p.line, fmt.Sprintf(format, args...))
}

// block reads directives up to the brace that closes the block, or to the end of
// the text at depth 0.
func (p *parser) block(depth int) ([]Directive, error) {
	if depth > maxDepth {
		return nil, p.errorf("blocks stand too deep in one another")
	}
	list := []Directive{}
	for {
		p.blanks()
		switch {
		case p.pos == len(p.text) && depth == 0:
			return list, nil
		case p.pos == len(p.text):
			return nil, p.errorf("the file ends within a block")
		case p.text[p.pos] == '}' && depth > 0:
			p.pos++
			return list, nil
		case p.text[p.pos] == '}':
			return nil, p.errorf("a brace closes no block")
		}
		if p.directives++; p.directives > maxDirectives {
			return nil, fmt.Errorf("it has more than %d directives%w", maxDirectives, errLarge)
		}
		d, err := p.directive(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
}

func (p *parser) directive(depth int) (Directive, error) {
	d := Directive{Start: p.pos, Line: p.line}
	var words []string
	for {
		p.blanks()
		if p.pos == len(p.text) {
			return d, p.errorf("the file ends within a directive")
		}
		switch c := p.text[p.pos]; {
		case (c == ';' || c == '{') && len(words) == 0:
			return d, p.errorf("a directive has no name")
		case c == '}':
			return d, p.errorf("a block ends within a directive")
		case c == ';':
			p.pos++
			d.Name, d.Args, d.End = words[0], words[1:], p.pos
			return d, nil
		case c == '{':
			p.pos++
			block, err := p.block(depth + 1)
			d.Name, d.Args, d.Block, d.End = words[0], words[1:], block, p.pos
			return d, err
		}
		w, err := p.word()
		if err != nil {
			return d, err
		}
		words = append(words, w)
	}
}

// blanks skips white space and comments.
func (p *parser) blanks() {
	for ; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '\n':
			p.line++
		case c == ' ' || c == '\t' || c == '\r':
		case c == '#':
			end := strings.IndexByte(p.text[p.pos:], '\n')
			if end < 0 {
				p.pos = len(p.text)
				return
			}
			p.pos += end - 1 // the newline is counted in its turn
		default:
			return
		}
	}
}

// word reads one word. A quote is one only where the word begins; a word that
// was quoted must be followed by a blank, a semicolon, a brace that opens a
// block, or, for conditions, a closing parenthesis, with which a new word begins.
func (p *parser) word() (string, error) {
	var w strings.Builder
	quote := byte(0)
	if c := p.text[p.pos]; c == '"' || c == '\'' {
		quote = c
		p.pos++
	}
	variable := false
	for ; p.pos < len(p.text); p.pos++ {
		c := p.text[p.pos]
		if c == '\n' {
			p.line++
		}
		if c == '{' && variable {
			w.WriteByte(c)
			continue
		}
		variable = c == '$'
		switch {
		case c == '\\' && p.pos+1 < len(p.text):
			p.pos++
			if p.text[p.pos] == '\n' {
				p.line++
			}
			w.WriteString(escaped(p.text[p.pos]))
			continue
		case quote != 0 && c == quote:
			p.pos++
			if p.pos < len(p.text) && strings.IndexByte(" \t\r\n;{)", p.text[p.pos]) < 0 {
				return "", p.errorf("something stands right behind a quoted word")
			}
			return w.String(), nil
		case quote == 0 && strings.IndexByte(" \t\r\n;{", c) >= 0:
			if c == '\n' {
				p.line-- // read again as a blank
			}
			return w.String(), nil
		}
		w.WriteByte(c)
	}
	if quote != 0 {
		return "", p.errorf("a quoted word has no end")
	}
	return w.String(), nil
}

// escaped is what a backslash and the character behind it stand for.
func escaped(c byte) string {
	switch c {
	case '"', '\'', '\\':
		return string([]byte{c})
	case 't':
		return "\t"
	case 'r':
		return "\r"
	case 'n':
		return "\n"
	}
	return string([]byte{'\\', c})
}
