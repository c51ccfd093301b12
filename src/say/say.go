// Package say is the one place that prints for people.
//
// What is printed where: titles, steps, details and results go to standard
// output; trouble goes to standard error, so that a script which reads our
// output never reads a warning. The marks are Dokku's own: =====> for a title,
// -----> for a step, seven spaces for detail, " !     " for trouble.
//
// Nothing that is a secret is ever handed to this package (DESIGN, law 7): what
// it prints are names, counts, settings and fingerprints.
package say

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Printer prints in Dokku's manner. Its zero value prints nothing.
type Printer struct {
	Out, Err io.Writer
	// Quiet leaves out steps and details, as Dokku does with --quiet.
	Quiet bool
}

// Std prints to the process's own streams.
func Std() *Printer {
	return &Printer{Out: os.Stdout, Err: os.Stderr, Quiet: os.Getenv("DOKKU_QUIET_OUTPUT") != ""}
}

// Loud is for triggers that run inside somebody else's command, whose standard
// output may be read by a program (git, debconf): everything goes to standard
// error.
func Loud() *Printer { return &Printer{Out: os.Stderr, Err: os.Stderr} }

func line(w io.Writer, prefix, format string, args ...any) {
	if w == nil {
		return
	}
	for _, l := range strings.Split(fmt.Sprintf(format, args...), "\n") {
		fmt.Fprintln(w, strings.TrimRight(prefix+l, " "))
	}
}

// Title begins a block.
func (p *Printer) Title(format string, args ...any) { line(p.Out, "=====> ", format, args...) }

// Step says what is being done.
func (p *Printer) Step(format string, args ...any) {
	if !p.Quiet {
		line(p.Out, "-----> ", format, args...)
	}
}

// Detail belongs to the step or title above it.
func (p *Printer) Detail(format string, args ...any) {
	if !p.Quiet {
		line(p.Out, "       ", format, args...)
	}
}

// Result is what the command was asked for, printed as it is.
func (p *Printer) Result(format string, args ...any) { line(p.Out, "", format, args...) }

// Trouble is what the operator must see.
func (p *Printer) Trouble(format string, args ...any) { line(p.Err, " !     ", format, args...) }

// Error prints an error, each of several on a line of its own, and the hints
// of those that have one.
func (p *Printer) Error(err error) {
	var many *multierror.Error
	if errors.As(err, &many) {
		for _, e := range many.Errors {
			p.Error(e)
		}
		return
	}
	p.Trouble("%s", err)
	var hinted *hint
	if errors.As(err, &hinted) {
		p.Trouble("%s", hinted.text)
	}
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
