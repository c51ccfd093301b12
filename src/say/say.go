// Package say is the one place that prints for people and for programs.
//
// What is printed where: titles, steps, details and results go to standard
// output; trouble goes to standard error, so that a script which reads our
// output never reads a warning. The marks are Dokku's own: =====> for a title,
// -----> for a step, seven spaces for detail, " !     " for trouble.
//
// What was typed here (a format) is printed as it stands. What was put into it (an
// argument) comes from a host: names of apps, files and certificates, what programs
// answer. Whoever pushes an app chooses some of them, and the terminal is often
// root's. So an argument never begins a line and moves no cursor: Plain writes out
// what would. And nothing that is a secret is printed (docs/laws.md, law 7): Redact
// takes out what has the shape of one, and is a net under all those who take care
// themselves to hand in names, counts, settings and fingerprints alone.
package say

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Printer prints in Dokku's manner. Its zero value prints nothing.
type Printer struct {
	Out, Err io.Writer
	// Quiet leaves out titles, steps and details, as Dokku does with --quiet.
	Quiet bool
	// ASCII writes out everything else: in somebody else's run nobody knows what
	// the terminal is.
	ASCII bool
	// Width is how many columns a line has; 0 is any number.
	Width int
	// OutColour and ErrColour tell which of the streams has colours.
	OutColour, ErrColour bool
	// ErrTerminal tells that a line of progress can be written anew.
	ErrTerminal bool
	// Patience is how long nothing is said of progress, 0 for never, and Every how often
	// it is after that.
	Patience, Every time.Duration

	mu    sync.Mutex
	shown bool // a line of progress stands on the terminal
}

// Std prints to the process's own streams.
func Std() *Printer {
	return &Printer{
		Out: os.Stdout, Err: os.Stderr, Quiet: os.Getenv("DOKKU_QUIET_OUTPUT") != "", Width: columns(),
		OutColour: coloured(os.Stdout), ErrColour: coloured(os.Stderr), ErrTerminal: terminal(os.Stderr),
		Patience: 2 * time.Second, Every: 10 * time.Second,
	}
}

// Loud is for triggers that run inside somebody else's command, whose standard
// output may be read by a program (git, debconf): everything goes to standard
// error.
func Loud() *Printer { return &Printer{Out: os.Stderr, Err: os.Stderr, ASCII: true, Width: columns()} }

// Block is for what dokku report prints of an app, between the blocks of other plugins.
func Block() *Printer { return &Printer{Out: os.Stdout, Err: os.Stderr, ASCII: true, Width: columns()} }

func columns() int {
	if n, err := strconv.Atoi(os.Getenv("UPGRADE_GUARD_COLUMNS")); err == nil && (n == 0 || n >= 40 && n <= 1000) {
		return n
	}
	return Columns
}

// line prints a text of ours with arguments that are made plain.
func (p *Printer) line(w io.Writer, prefix, format string, args ...any) {
	p.lines(w, prefix, fmt.Sprintf(format, plainArgs(args)...))
}

// lines prints a text that is plain, each line of it with the prefix.
func (p *Printer) lines(w io.Writer, prefix, text string) {
	if w == nil {
		return
	}
	if p.ASCII {
		text = ascii(text)
	}
	colour := p.OutColour && w == p.Out || p.ErrColour && w == p.Err
	for l := range strings.SplitSeq(text, "\n") {
		for i, l := range wrapped(strings.TrimRight(prefix+l, " "), p.Width) {
			if colour && i == 0 {
				l = painted(l)
			}
			p.print(w, l)
		}
	}
}

// print writes a line.
func (p *Printer) print(w io.Writer, line string) {
	if w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

// plainArgs are arguments as they may be printed. The only one that may bring
// further lines is an error that is made of several.
func plainArgs(args []any) []any {
	plain := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case error:
			plain[i] = spell(v, shown, "\n")
		case string:
			plain[i] = shown(v)
		case nil:
		default:
			_, words := v.(fmt.Stringer)
			if k := reflect.TypeOf(v).Kind(); !words && (k == reflect.Bool || reflect.Int <= k && k <= reflect.Float64) {
				plain[i] = v
				continue
			}
			plain[i] = shown(fmt.Sprint(v))
		}
	}
	return plain
}

// shown is what is printed of a text that comes from a host.
func shown(text string) string { return Plain(Redact(text)) }

// Title begins a block.
func (p *Printer) Title(format string, args ...any) {
	if !p.Quiet {
		p.line(p.Out, "=====> ", format, args...)
	}
}

// Verdict is a title that is also what the command was asked for.
func (p *Printer) Verdict(format string, args ...any) {
	if p.Quiet {
		p.Result(format, args...)
	} else {
		p.Title(format, args...)
	}
}

// Step says what is being done.
func (p *Printer) Step(format string, args ...any) {
	if !p.Quiet {
		p.line(p.Out, "-----> ", format, args...)
	}
}

// Detail belongs to the step or title above it.
func (p *Printer) Detail(format string, args ...any) {
	if !p.Quiet {
		p.line(p.Out, "       ", format, args...)
	}
}

// Result is what the command was asked for, without a mark.
func (p *Printer) Result(format string, args ...any) { p.line(p.Out, "", format, args...) }

// Trouble is what the operator must see.
func (p *Printer) Trouble(format string, args ...any) { p.line(p.Err, " !     ", format, args...) }

// Debug is what is said with DOKKU_TRACE.
func (p *Printer) Debug(format string, args ...any) { p.line(p.Err, " ?     ", format, args...) }

// Value is what a program may read: it is printed as it is, in one line however long.
func (p *Printer) Value(format string, args ...any) {
	if p.Out == nil {
		return
	}
	for l := range strings.SplitSeq(fmt.Sprintf(format, plainArgs(args)...), "\n") {
		p.print(p.Out, l)
	}
}

// Stack prints where a fault of our own has happened, for whoever mends it.
func (p *Printer) Stack(stack []byte) {
	for l := range strings.Lines(string(stack)) {
		p.Trouble("    %s", strings.ReplaceAll(strings.TrimSuffix(l, "\n"), "\t", "  "))
	}
}

// Plural is a number with what it counts.
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "s") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}
