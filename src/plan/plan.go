// Package plan is an ordered list of repairs that print themselves, are done
// one by one with a journal, and are each verified. check, apply --dry-run and
// the post-upgrade work show the same plan in the same words; only some go on.
package plan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// Marks of a plan's lines.
const (
	OK     = "[ok]" // as it was
	Add    = "[+]"  // put where nothing is
	Change = "[~]"  // put in place of something
	Remove = "[-]"  // taken away
	Person = "[!]"  // waits for a person
)

// From puts into the text of a step what it replaces, "web=1 -> web=3", where there is
// something.
func (s *Step) From(now, becomes string) *Step {
	if s != nil && now != "" && becomes != "" {
		s.Mark, s.Text = Change, strings.Replace(s.Text, becomes, now+" -> "+becomes, 1)
	}
	return s
}

// Stage orders the steps of a round: what is done in one may end what is planned for
// the next, so only the steps of one stage are done before the host is observed again.
type Stage int

// The stages, in their order.
const (
	Files      Stage = iota // files and settings, under the store's lock
	Start                   // containers
	Build                   // nginx configurations, by Dokku
	Fallback                // upstreams from the containers' addresses
	Quarantine              // what nginx refuses
	Reload                  // nginx
)

// Step is one repair: a file that is to hold something, or something to be done.
type Step struct {
	App    string
	Hazard string
	Mark   string
	// Text says what is done, in the operator's words: "scale web=2 worker=1".
	Text string

	// Path is to hold Data, with Mode. Was is the digest of what the file held
	// when the plan was made, "" for no file: if that has changed since, a
	// person or Dokku was faster, and the step is not done (law 2).
	Path string
	Mode fs.FileMode
	Data []byte
	Was  string
	// Do is what is done where the step is no file, or after the file is in place.
	// It must be safe to be done again by the next run when this one is killed.
	Do func(context.Context, host.Host) error
	// Stage is when in a round the step is done.
	Stage Stage
	// Seed tells that the file is written ahead of an upgrade and stays ours
	// until that is through: it is the first Dokku version that reads it.
	Seed string
	// Verify asks whether the repair has had its effect, beyond what Do returned
	// and the file's holding what was written. It may be nil.
	Verify func(context.Context, host.Host) error
}

// Plan is a list of steps in the order in which they are done.
type Plan []Step

// Print shows the plan. Nothing is printed of an empty one.
func (p Plan) Print(out *say.Printer) {
	var marks []string
	for _, s := range p {
		out.Result("       %-4s %s: %s", s.Mark, host.Place(s.App), s.Text)
		marks = append(marks, s.Mark)
	}
	Legend(out, marks)
}

// Legend says what the marks of a plan mean, those that occur.
func Legend(out *say.Printer, marks []string) {
	var words []string
	for _, m := range []struct{ mark, word string }{{Add, "put where there is nothing"}, {Change, "changed, or done"}, {Remove, "taken away"}} {
		if slices.Contains(marks, m.mark) {
			words = append(words, m.mark+" "+m.word)
		}
	}
	if len(words) > 0 {
		out.Detail("(%s)", strings.Join(words, "; "))
	}
}

// Apps are the apps that steps are for, each once.
func (p Plan) Apps() []string {
	var names []string
	seen := map[string]bool{}
	for _, s := range p {
		if !seen[s.App] {
			seen[s.App] = true
			names = append(names, s.App)
		}
	}
	return names
}

// ErrChanged says that a file is no longer what the plan was made for.
var ErrChanged = errors.New("changed since it was planned; skipped")

// Apply does the steps and verifies each. A step that fails stops no other; its
// error names the app.
func (p Plan) Apply(ctx context.Context, h host.Host, j *Journal, out *say.Printer) error {
	var errs *multierror.Error
	for _, err := range p.Results(ctx, h, j, out) {
		if err != nil {
			errs = multierror.Append(errs, err)
		}
	}
	return errs.ErrorOrNil()
}

// Results does the steps and verifies each, and returns an error, or nil, for each of
// them. Where the operator interrupts, no further step begins.
func (p Plan) Results(ctx context.Context, h host.Host, j *Journal, out *say.Printer) []error {
	errs := make([]error, len(p))
	last := -1 // that was begun
	defer func() {
		if err := j.flush(); err != nil && last >= 0 {
			errs[last] = errors.Join(errs[last], fmt.Errorf("%s: %s: %w", host.Place(p[last].App), p[last].Text, err))
		}
	}()
	for i, s := range p {
		if ctx.Err() != nil {
			errs[i] = fmt.Errorf("%s: %s: %w", host.Place(s.App), s.Text, ErrInterrupted)
			continue
		}
		out.Step("[%d/%d] %s: %s", i+1, len(p), host.Place(s.App), s.Text)
		err := s.apply(ctx, h, j)
		last = i
		var unknown NotKnown
		if errors.As(err, &unknown) {
			out.Trouble("%s: %s", host.Place(s.App), unknown.What)
			err = unknown.journal
		}
		if err != nil {
			errs[i] = fmt.Errorf("%s: failed: %s: %w", host.Place(s.App), s.Text, err)
		}
		if errors.Is(err, ErrChanged) { // which is no failure
			errs[i] = fmt.Errorf("%s: %s: %w", host.Place(s.App), s.Text, err)
		}
	}
	return errs
}

// ErrInterrupted says that a step was not begun, because the operator has interrupted.
var ErrInterrupted = errors.New("interrupted, and not begun")

// NotKnown is what a step could not find out that has done what it does: it is told, and
// is no failure.
type NotKnown struct {
	What string

	journal error // of the line about it
}

func (u NotKnown) Error() string { return u.What }

func (s Step) apply(ctx context.Context, h host.Host, j *Journal) error {
	if s.Path != "" {
		now, err := digestOf(h, s.Path)
		if err != nil {
			return err
		}
		if now != s.Was && now != app.Digest(s.Data) {
			return ErrChanged
		}
	}
	// A repair that cannot be journaled, on a full disk, is better than none.
	journalErr := j.write(s, Begin, nil)
	err := s.do(ctx, h)
	event := Done
	switch u := (NotKnown{}); {
	case errors.As(err, &u):
		return NotKnown{u.What, errors.Join(journalErr, j.hold(s, Done, u))}
	case err != nil:
		event = Failed
	}
	return errors.Join(err, journalErr, j.hold(s, event, err))
}

func (s Step) do(ctx context.Context, h host.Host) error {
	if s.Path != "" {
		if err := s.write(h); err != nil {
			return err
		}
	}
	if s.Do != nil {
		if err := s.Do(ctx, h); err != nil {
			return err
		}
	}
	if s.Verify == nil {
		return nil
	}
	return s.Verify(ctx, h)
}

// Put makes a file hold data, for steps that are more than one file. One that
// holds it already is left alone, and so is one that has been changed since the
// plan was made: was is the digest it had then.
func Put(h host.Host, path string, mode fs.FileMode, data []byte, was string) error {
	now, err := digestOf(h, path)
	switch {
	case err != nil:
		return err
	case now == app.Digest(data):
		return nil
	case now != was:
		return fmt.Errorf("%s: %w", path, ErrChanged)
	}
	return Step{Path: path, Mode: mode, Data: data}.write(h)
}

// Unchanged returns ErrChanged where a file is not what the plan was made for, for steps
// that take it away.
func Unchanged(h host.Host, path, was string) error {
	now, err := digestOf(h, path)
	if err == nil && now != was {
		err = fmt.Errorf("%s: %w", path, ErrChanged)
	}
	return err
}

func (s Step) write(h host.Host) error {
	if err := h.Write(s.Path, s.Mode, s.Data); err != nil {
		return err
	}
	now, err := digestOf(h, s.Path)
	if err != nil {
		return err
	}
	if now != app.Digest(s.Data) {
		return fmt.Errorf("%s does not hold what was written to it", s.Path)
	}
	return nil
}

// digestOf is the digest of a file, "" when there is none.
func digestOf(h host.Host, name string) (string, error) {
	b, err := h.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return app.Digest(b), nil
}
