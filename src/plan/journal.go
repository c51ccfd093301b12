package plan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"upgrade-guard/src/host"
)

// Journal is the record of one run, a JSON line before and one after each
// repair. Its file is made with the first line, so a run that has nothing to do
// leaves nothing.
type Journal struct {
	h    host.Host
	id   string
	used bool
}

// Line is one line of a journal.
type Line struct {
	Time   time.Time `json:"time"`
	App    string    `json:"app"`
	Hazard string    `json:"hazard"`
	Event  string    `json:"event"` // begin, done, failed; or drift: seen, and not touched
	Text   string    `json:"text"`
	Error  string    `json:"error,omitempty"`
}

// Events of a journal's lines that others look for.
const (
	Done  = "done"
	Drift = "drift"
)

// NewJournal is the journal of a run that begins now. Why is one word.
func NewJournal(h host.Host, why string) *Journal {
	return &Journal{h: h, id: h.Now().Format("20060102T150405Z") + "-" + why}
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
	l := Line{App: s.App, Hazard: s.Hazard, Event: event, Text: s.Text}
	if failure != nil {
		l.Error = failure.Error()
	}
	return j.append(l)
}

// Drift notes that something differs from the record and was left as it is.
func (j *Journal) Drift(name, text string) error {
	return j.append(Line{App: name, Event: Drift, Text: text})
}

func (j *Journal) append(l Line) error {
	l.Time = j.h.Now()
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := j.h.Append(journalPath(j.h, j.id), b); err != nil {
		return fmt.Errorf("the journal cannot be written: %w", err)
	}
	j.used = true
	return nil
}

// ReadJournal reads a run's journal. A last line that a killed process left
// half written is ignored; a run without a journal has done nothing.
func ReadJournal(h host.Host, id string) ([]Line, error) {
	b, err := h.ReadFile(journalPath(h, id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var lines []Line
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		var l Line
		if json.Unmarshal(sc.Bytes(), &l) == nil {
			lines = append(lines, l)
		}
	}
	return lines, nil
}
