package app

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"upgrade-guard/src/pattern"
)

// Process is how many containers of one process type an app is to have.
type Process struct {
	Type     string `json:"type"`
	Quantity int    `json:"quantity"`
}

// Scale is what one place says of an app's scale, in the order it says it.
type Scale struct {
	Processes []Process `json:"processes,omitempty"`
	// Malformed are the lines that are none, by number and length or process type:
	// "line 2 (process type web)". They are never guessed, and what stands in them
	// may be anything, a password too. (Up to 0.1.0 they are the lines themselves in a
	// snapshot's manifest.)
	Malformed []string `json:"malformed,omitempty"`
	// Dirty tells that the file holds more than clean type=quantity lines:
	// comments, blanks, duplicates. The import of 0.25 to 0.29 stops at some
	// of these (docs/dokku-versions.md#the-import-of-025-to-029).
	Dirty bool `json:"dirty,omitempty"`
}

// String is the scale as Dokku's commands take it: "web=2 worker=1".
func (s *Scale) String() string {
	if s == nil {
		return ""
	}
	parts := make([]string, len(s.Processes))
	for i, p := range s.Processes {
		parts[i] = p.Type + "=" + strconv.Itoa(p.Quantity)
	}
	return strings.Join(parts, " ")
}

// Lines is the scale as Dokku stores it in the property list: one
// type=quantity a line, each ended.
func (s *Scale) Lines() []byte {
	return []byte(strings.ReplaceAll(s.String(), " ", "\n") + "\n")
}

// Empty tells that no process type is named.
func (s *Scale) Empty() bool { return s == nil || len(s.Processes) == 0 }

// Total is the number of containers the scale asks for.
func (s *Scale) Total() int {
	n := 0
	if s != nil {
		for _, p := range s.Processes {
			n += p.Quantity
		}
	}
	return n
}

// Of is the quantity of one process type.
func (s *Scale) Of(processType string) int {
	if s != nil {
		for _, p := range s.Processes {
			if p.Type == processType {
				return p.Quantity
			}
		}
	}
	return 0
}

// Equal tells whether two scales say the same, in whatever order.
func (s *Scale) Equal(t *Scale) bool {
	if s.Empty() || t.Empty() {
		return s.Empty() && t.Empty()
	}
	byType := func(a, b Process) int { return strings.Compare(a.Type, b.Type) }
	return slices.Equal(slices.SortedFunc(slices.Values(s.Processes), byType), slices.SortedFunc(slices.Values(t.Processes), byType))
}

// MalformedLines are the lines that are none; of no scale there are none.
func (s *Scale) MalformedLines() []string {
	if s == nil {
		return nil
	}
	return s.Malformed
}

// ScaleState is an app's scale in both places where versions keep it. A nil
// one is not there; an empty one is there and names nothing.
type ScaleState struct {
	// File is DOKKU_SCALE in the app's directory, read up to 0.24, imported by
	// 0.25 to 0.29, deleted unread from 0.30 on.
	File *Scale `json:"file,omitempty"`
	// Property is the list config/ps/<app>/scale, from 0.25 on.
	Property *Scale `json:"property,omitempty"`
	// FromRepository tells that the file came with the app's image
	// (DOKKU_SCALE.extracted), which 0.30 and later ignore.
	FromRepository bool `json:"from_repository,omitempty"`
	// Unreadable tells that one of the two places could not be read: the scale
	// is then unknown, not lost.
	Unreadable bool `json:"unreadable,omitempty"`
}

// ScaleInFile tells whether this version reads DOKKU_SCALE.
func ScaleInFile(dokku string) bool { return Before(dokku, "0.25.0") }

// Effective is the scale that the given Dokku version goes by.
func (s ScaleState) Effective(dokku string) *Scale {
	if ScaleInFile(dokku) {
		return s.File
	}
	return s.Property
}

// EffectiveScale is the scale that the app's own Dokku goes by.
func (s State) EffectiveScale() *Scale { return s.Scale.Effective(s.Dokku) }

func readScale(f *Files, app string) ScaleState {
	var s ScaleState
	if t, ok := f.Text("root/" + app + "/DOKKU_SCALE"); ok {
		s.File = parseScaleFile(t)
	}
	if t, ok := property(f, "ps", app, "scale"); ok {
		s.Property = parseScaleList(t)
	}
	for _, path := range []string{
		"root/" + app + "/", "root/" + app + "/DOKKU_SCALE",
		"lib/config/ps/", "lib/config/ps/" + app + "/", "lib/config/ps/" + app + "/scale",
	} {
		if file, ok := f.Get(path); ok && file.Error != "" {
			s.Unreadable = true
		}
	}
	_, s.FromRepository = f.Get("root/" + app + "/DOKKU_SCALE.extracted")
	return s
}

// processType is what a line is about though it is none: web=two. Padding as that of
// base64 is no sign of one.
var processType = pattern.Of(`^([a-z][a-z0-9_-]{0,30})[ \t]*=[^=]`)

var scaleLine = pattern.Of(`^([A-Za-z0-9_-]+)[ \t]*=[ \t]*([0-9]+)$`)

// parseScaleFile reads DOKKU_SCALE as tolerantly as all of Dokku's readers up
// to 0.24 together: comments, blank lines and carriage returns are nothing, and
// the last of two lines for the same type counts. A line that none of them
// could read is kept as malformed; such lines are Dokku's own doing too, which
// appended to files that did not end in a newline
// (docs/dokku-versions.md#what-readers-to-024-took).
func parseScaleFile(t string) *Scale {
	s := scaleReader{at: map[string]int{}}
	for i, raw := range strings.Split(strings.TrimSuffix(t, "\n"), "\n") {
		l, _, _ := strings.Cut(raw, "#")
		s.line(i+1, strings.TrimSpace(l))
	}
	s.Dirty = t != "" && t != string(s.Lines()) && t+"\n" != string(s.Lines())
	return &s.Scale
}

// parseScaleList reads the property list, which knows no comments.
func parseScaleList(t string) *Scale {
	s := scaleReader{at: map[string]int{}}
	for i, l := range strings.Split(t, "\n") {
		s.line(i+1, strings.TrimSpace(l))
	}
	return &s.Scale
}

// scaleReader is a scale that is being read, with where each process type stands.
type scaleReader struct {
	Scale
	at map[string]int
}

// maxMalformed is how many lines that are none are named.
const maxMalformed = 20

func (s *scaleReader) line(number int, l string) {
	if l == "" {
		return
	}
	m := scaleLine().FindStringSubmatch(l)
	n, err := 0, error(nil)
	if m != nil {
		n, err = strconv.Atoi(m[2])
	}
	if m == nil || err != nil {
		what := fmt.Sprintf("%d characters", utf8.RuneCountInString(l))
		if m := processType().FindStringSubmatch(l); m != nil {
			what = "process type " + m[1]
		}
		switch {
		case len(s.Malformed) < maxMalformed:
			s.Malformed = append(s.Malformed, fmt.Sprintf("line %d (%s)", number, what))
		case len(s.Malformed) == maxMalformed:
			s.Malformed = append(s.Malformed, "and more")
		}
		return
	}
	if i, known := s.at[m[1]]; known {
		s.Processes[i].Quantity = n
		return
	}
	s.at[m[1]] = len(s.Processes)
	s.Processes = append(s.Processes, Process{m[1], n})
}
