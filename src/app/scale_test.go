package app

import (
	"slices"
	"testing"
)

// What Dokku's readers up to 0.24 accepted between them:
// docs/dokku-versions.md#what-readers-to-024-took.
func TestScaleFile(t *testing.T) {
	for _, c := range []struct {
		about, file, want string
		malformed         []string
		dirty             bool
	}{
		{about: "as Dokku writes it", file: "web=2\nworker=1\n", want: "web=2 worker=1"},
		{about: "no newline at the end", file: "web=2\nworker=1", want: "web=2 worker=1"},
		{about: "written on Windows", file: "web=2\r\nworker=1\r\n", want: "web=2 worker=1", dirty: true},
		{about: "blank lines", file: "\nweb=2\n\n", want: "web=2", dirty: true},
		{about: "a comment", file: "# two are enough\nweb=2\n", want: "web=2", dirty: true},
		{about: "a comment behind the value", file: "web=2 # for now\n", want: "web=2", dirty: true},
		{about: "a type commented out", file: "#web=2\nworker=1\n", want: "worker=1", dirty: true},
		{about: "blanks around the sign", file: "web = 2\n", want: "web=2", dirty: true},
		{about: "the last of two counts", file: "web=1\nworker=0\nweb=4\n", want: "web=4 worker=0", dirty: true},
		{about: "a lost newline", file: "web=1worker=0\n", malformed: []string{"line 1 (process type web)"}, dirty: true},
		{about: "no number", file: "web=two\nworker=1\n", want: "worker=1", malformed: []string{"line 1 (process type web)"}, dirty: true},
		{about: "a negative number", file: "web=-1\n", malformed: []string{"line 1 (process type web)"}, dirty: true},
		{about: "a number too large for any", file: "web=99999999999999999999\n", malformed: []string{"line 1 (process type web)"}, dirty: true},
		{about: "a line that was pasted into the wrong file", file: "web=1\n\nSECRET_KEY=abc\nghp_abc\nc2VjcmV0Cg==\nexport web=1\n", want: "web=1",
			malformed: []string{"line 3 (14 characters)", "line 4 (7 characters)", "line 5 (12 characters)", "line 6 (12 characters)"}, dirty: true},
		{about: "empty", file: ""},
		{about: "only comments", file: "# none\n", dirty: true},
	} {
		s := parseScaleFile(c.file)
		if s.String() != c.want || !slices.Equal(s.Malformed, c.malformed) || s.Dirty != c.dirty {
			t.Errorf("%s: %q reads as %q, malformed %q, dirty %v", c.about, c.file, s, s.Malformed, s.Dirty)
		}
	}
}

func TestScaleList(t *testing.T) {
	s := parseScaleList("web=2\n# no comments here\nworker\n")
	if s.String() != "web=2" || !slices.Equal(s.Malformed, []string{"line 2 (18 characters)", "line 3 (6 characters)"}) {
		t.Errorf("%+v", s)
	}
	if got := string((&Scale{Processes: []Process{{"web", 2}, {"worker", 0}}}).Lines()); got != "web=2\nworker=0\n" {
		t.Errorf("the list is stored as %q", got)
	}
}
