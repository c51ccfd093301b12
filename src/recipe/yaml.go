package recipe

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"upgrade-guard/src/say"
)

// quoted is a text as a YAML scalar in double quotes, which every reader takes for the same
// text and for nothing but a text. What is not printable is escaped.
func quoted(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case r > 0xffff && !strconv.IsPrint(r):
			fmt.Fprintf(&out, `\U%08x`, r)
		case !strconv.IsPrint(r):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// inYAML tells whether a text can be written so: YAML has no bytes.
func inYAML(text string) bool { return utf8.ValidString(text) }

// page is a text of lines that is being written.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.Builder, format+"\n", args...) }

// comment is a sentence behind #, whatever stands in it. A command in one has the names of
// secrets, which look like some.
func (p *page) comment(indent, text string) { p.spelt(indent, say.Redact(text)) }
func (p *page) spelt(indent, text string)   { p.line("%s# %s", indent, say.Plain(text)) }

// command is one of an item's commands for a person to read: a secret by its name.
func command(words []Text) string {
	text := "dokku"
	for _, w := range words {
		switch {
		case w.Secret != "":
			text += " " + w.Plain + "<" + w.Secret + ">"
		default:
			text += " " + say.Word(w.Plain)
		}
	}
	return text
}

// left is what a format has no word for, a comment.
func (p *page) left(indent, format string, i Item) {
	switch {
	case i.Kind == Note:
		p.comment(indent, fmt.Sprintf("%s: %s", called(i.Scope), i.Why))
	case len(i.Commands) == 0:
		p.comment(indent, fmt.Sprintf("%s, %s: %s", called(i.Scope), i.title(), i.Why))
	default:
		p.comment(indent, fmt.Sprintf("%s, %s: %s", called(i.Scope), i.title(), format))
		for _, c := range i.Commands {
			p.spelt(indent, "    "+command(c))
		}
	}
}

// title is an item in a few words, without its value.
func (i Item) title() string {
	text := string(i.Kind)
	switch {
	case i.Kind == Property:
		text += " " + i.Of + " " + i.Name
	case i.Kind == DockerOption:
		text += " for " + i.Name
		if i.Of != "" {
			text += " of " + i.Of
		}
	case i.Kind == Limits || i.Kind == Reservations:
		if i.Of != "" {
			text += " of " + i.Of
		}
	case i.Kind == Mounted:
		text += " at " + i.Name
	case i.Kind == File || i.Kind == Variable || i.Kind == Network || i.Kind == Entry:
		text += " " + i.Name
	}
	return text
}
