package say

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Error prints an error, each of several on a line of its own, and below it the
// hints of those that have one.
func (p *Printer) Error(err error) {
	if several := parts(err); several != nil {
		for _, e := range several {
			p.Error(e)
		}
		return
	}
	p.Trouble("%s", err)
	texts := hints(err, nil)
	for i, text := range texts {
		if !slices.Contains(texts[:i], text) { // what several apps have in common is said once
			p.Trouble("%s", text)
		}
	}
}

// Line is an error in one line.
func Line(err error) string { return spell(err, func(text string) string { return text }, "; ") }

// parts are the errors that one is made of and says nothing beside; nil where it is
// one.
func parts(err error) []error {
	if many, ok := err.(*multierror.Error); ok {
		return many.Errors
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var texts []string
	for _, e := range joined.Unwrap() {
		texts = append(texts, e.Error())
	}
	if err.Error() != strings.Join(texts, "\n") {
		return nil // there are words around them
	}
	return joined.Unwrap()
}

// spell is the text of an error, with seam between those that it is made of, at
// whatever depth. All else goes through part, so that a text which somebody else has
// chosen makes no seam.
func spell(err error, part func(string) string, seam string) string {
	if several := parts(err); several != nil {
		texts := make([]string, len(several))
		for i, e := range several {
			texts[i] = spell(e, part, seam)
		}
		return strings.Join(texts, seam)
	}
	var out strings.Builder
	rest := err.Error()
	for _, e := range below(err) {
		text := e.Error()
		before, after, found := strings.Cut(rest, text)
		if text == "" || !found {
			continue
		}
		out.WriteString(part(before))
		out.WriteString(spell(e, part, seam))
		rest = after
	}
	out.WriteString(part(rest))
	return out.String()
}

// below are the errors that an error wraps.
func below(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return []error{inner}
		}
	}
	return nil
}

// hints adds the hints of an error, and of those below it, to those there are.
func hints(err error, found []string) []string {
	if h, ok := err.(*hint); ok {
		found = append(found, h.text)
	}
	list := parts(err)
	if list == nil {
		list = below(err)
	}
	for _, e := range list {
		found = hints(e, found)
	}
	return found
}

// hint is an error that knows what to do about it.
type hint struct {
	error
	text string
}

func (h *hint) Unwrap() error { return h.error }

// Hint gives an error a sentence about what to do now, printed below it.
func Hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hint{error: err, text: fmt.Sprintf(format, args...)}
}
