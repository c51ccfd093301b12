package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// Journal is what one run has done, a JSON line before and one after each
// repair. Its file is made with the first line, so a run that has nothing to do
// leaves nothing.
type Journal struct {
	h    host.Host
	id   string
	used bool
	// held are lines that reach the disk with the next one, or by flush: what is done is
	// written with what begins next, so a thousand repairs wait a thousand times less for it.
	held []byte
}

// Line is one line of a journal.
type Line struct {
	Time   time.Time `json:"time"`
	App    string    `json:"app"`
	Hazard string    `json:"hazard"`
	Event  string    `json:"event"` // one of the events below
	Text   string    `json:"text"`
	Error  string    `json:"error,omitempty"`
}

// Events of a journal's lines that others look for.
const (
	Begin   = "begin"
	Done    = "done"
	Failed  = "failed"
	Drift   = "drift"
	Refused = "refused" // an upgrade that was not let begin
)

// NewJournal is the journal of a run that begins now. Why is one word.
func NewJournal(h host.Host, why string) *Journal {
	return &Journal{h: h, id: h.Now().Format(timeLayout) + "-" + why}
}

// AddTo adds the run to a list of runs, if anything was written.
func (j *Journal) AddTo(runs []string) []string {
	if !j.used || slices.Contains(runs, j.id) {
		return runs
	}
	return append(runs, j.id)
}

func journalPath(h host.Host, id string) string { return h.Paths().Data("runs", id+".jsonl") }

// Note writes a line for a step that is not done by a plan.
func (j *Journal) Note(s Step, event string, failure error) error { return j.write(s, event, failure) }

func (j *Journal) write(s Step, event string, failure error) error {
	return errors.Join(j.hold(s, event, failure), j.flush())
}

// hold is write, but for reaching the disk.
func (j *Journal) hold(s Step, event string, failure error) error {
	l := Line{App: s.App, Hazard: s.Hazard, Event: event, Text: s.Text}
	if failure != nil {
		l.Error = say.Line(failure)
	}
	return j.add(l)
}

// Drift notes that something differs from the baseline and was left as it is.
func (j *Journal) Drift(name, text string) error {
	return errors.Join(j.add(Line{App: name, Event: Drift, Text: text}), j.flush())
}

func (j *Journal) add(l Line) error {
	l.Time = j.h.Now()
	// It is read when a report is made, and by people: nothing that is a secret.
	b, err := say.EncodeJSON(l)
	if err != nil {
		return err
	}
	j.held = append(append(j.held, bytes.TrimRight(b, "\n")...), '\n')
	return nil
}

// flush has what is held reach the disk. What cannot be written is held for the next time.
func (j *Journal) flush() error {
	if len(j.held) == 0 {
		return nil
	}
	if err := j.h.Append(journalPath(j.h, j.id), j.held); err != nil {
		return fmt.Errorf("the journal cannot be written: %w", err)
	}
	j.held, j.used = nil, true
	return nil
}

// Journals are the ids of all journals there are, the oldest first.
func Journals(h host.Host) (ids []string, err error) {
	files, err := h.ReadDir(h.Paths().Data("runs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, f := range files {
		if id, ok := strings.CutSuffix(f.Name(), ".jsonl"); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, err
}

// Begun is when the run of a journal began, and why it was made; false for what is no
// journal's id.
func Begun(id string) (begun time.Time, why string, ok bool) {
	stamp, why, ok := strings.Cut(id, "-")
	begun, err := time.Parse(timeLayout, stamp)
	return begun, why, ok && err == nil
}

const timeLayout = "20060102T150405Z"

// ReadJournal reads a run's journal; a run without one has done nothing. A line that
// cannot be read is named in the error, and all others are there: one repair of an app
// with many domains makes a line as long as it likes. The last line may be half written,
// by a process that was killed: that is nothing to tell.
func ReadJournal(h host.Host, id string) ([]Line, error) {
	b, err := h.ReadFile(journalPath(h, id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var lines []Line
	var damaged []int
	for number := 1; len(b) > 0; number++ {
		text, rest, ended := bytes.Cut(b, []byte("\n"))
		b = rest
		var l Line
		switch err := json.Unmarshal(text, &l); {
		case err == nil:
			l.App, l.Text, l.Error = say.Bytes(l.App), say.Bytes(l.Text), say.Bytes(l.Error)
			lines = append(lines, l)
		case ended:
			damaged = append(damaged, number)
		}
	}
	switch more := len(damaged) - 1; {
	case more == 0:
		err = fmt.Errorf("%s is damaged: line %d cannot be read, and is left out of what is told", journalPath(h, id), damaged[0])
	case more > 0:
		err = fmt.Errorf("%s is damaged: line %d and %d more cannot be read, and are left out of what is told", journalPath(h, id), damaged[0], more)
	}
	return lines, err
}
