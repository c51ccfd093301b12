package say

import (
	"os"
	"strings"

	"upgrade-guard/src/pattern"
)

// Colour is for terminals, and says nothing that the words do not say. Dokku itself prints
// none; a title is bold here, what somebody has to do or see stands out, and an app that
// is down does not look like one that is well. A pipe, NO_COLOR, TERM=dumb and every run
// of somebody else's (apt, a deploy, dokku report) have none.

// Look is how a part of a line looks.
type Look string

// The looks.
const (
	Normal  Look = ""
	Bold    Look = "1"
	Good    Look = "32"   // green
	Warning Look = "33;1" // yellow
	Bad     Look = "31;1" // red
)

func (l Look) of(text string) string {
	if l == Normal || text == "" {
		return text
	}
	return "\x1b[" + string(l) + "m" + text + "\x1b[0m"
}

// terminal tells whether a stream is one, on which cursors move.
func terminal(f *os.File) bool {
	st, err := f.Stat()
	term := os.Getenv("TERM")
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && term != "" && term != "dumb"
}

func coloured(f *os.File) bool { return terminal(f) && os.Getenv("NO_COLOR") == "" }

// marked is the beginning of a line of ours. What follows it comes from the host too, and
// is coloured only where it is a command for a person.
var marked = pattern.Of(`^(=====> .*|-----> | !     )?( *)(\[(?:ok|[-+~!])\])?( *To do:.*)?`)

// painted is the first line of a message.
func painted(line string) string {
	m := marked().FindStringSubmatch(line)
	mark, rest := m[1], line[len(m[0]):]
	switch {
	case strings.HasPrefix(mark, "="):
		mark = Bold.of(mark)
	case strings.HasPrefix(mark, " !"):
		mark = " " + Warning.of("!") + mark[2:]
	}
	step := m[3]
	switch step {
	case "[!]":
		step = Warning.of(step)
	case "[-]":
		step = Bad.of(step)
	case "[+]", "[~]", "[ok]":
		step = Good.of(step)
	}
	return mark + m[2] + step + Bold.of(m[4]) + rest
}
