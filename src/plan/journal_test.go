package plan

import (
	"errors"
	"strings"
	"testing"

	"upgrade-guard/src/host"
)

// One line of more than 64 KiB hid all that followed: three repairs were made, and the
// report showed none of them, and "ok".
func TestJournalOfManyDomains(t *testing.T) {
	h := host.NewLocal(host.Paths{LibRoot: t.TempDir()})
	j := NewJournal(h, "test")
	many := strings.Repeat("a-domain-of-some-length.example.org ", 5000)
	for _, text := range []string{"scale web=1", "domains " + many, "ports http:80:5000"} {
		if err := j.Note(Step{App: "blog", Text: text}, Done, nil); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := ReadJournal(h, j.id)
	if err != nil || len(lines) != 3 || lines[1].Text != "domains "+many || lines[2].Text != "ports http:80:5000" {
		t.Errorf("%d lines are read (%v)", len(lines), err)
	}
	t.Logf("a line of %d bytes, and the one behind it, are read", len(many))
}

func TestDamagedJournal(t *testing.T) {
	good := `{"app":"blog","event":"done","text":"scale web=1"}` + "\n"
	for _, c := range []struct {
		about, text string
		lines       int
		says        string
	}{
		{"whole", good + good, 2, ""},
		{"killed in the middle of the last line", good + `{"app":"bl`, 1, ""},
		{"a line that is none", good + "\x00\x00\n" + good, 2, "line 2 cannot be read"},
		{"a line of nothing", good + "\n" + good, 2, "line 2 cannot be read"},
		{"two lines", "x\n" + good + "[]\n" + good, 2, "line 1 and 1 more cannot be read"},
		{"a line that went on after one that was cut off", `{"app":"bl` + good + good, 1, "line 1 cannot be read"},
		{"empty", "", 0, ""},
	} {
		h := host.NewLocal(host.Paths{LibRoot: t.TempDir()})
		if err := h.Write(journalPath(h, "x"), 0o600, []byte(c.text)); err != nil {
			t.Fatal(err)
		}
		lines, err := ReadJournal(h, "x")
		if err == nil {
			err = errors.New("")
		}
		if len(lines) != c.lines || c.says == "" && err.Error() != "" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %d lines, %v", c.about, len(lines), err)
		}
	}
}

// A journal is as open to whoever helps as a report, and an app's name is any bytes.
func TestJournalHoldsNoSecret(t *testing.T) {
	h := host.NewLocal(host.Paths{LibRoot: t.TempDir()})
	j := NewJournal(h, "test")
	err := j.Note(Step{App: "caf\xe9", Text: "buildpack https://CANARY@example.org/x\n"}, "failed", errors.New("docker failed: --env KEY=CANARY"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.ReadFile(journalPath(h, j.id))
	if err != nil || strings.Contains(string(b), "CANARY") {
		t.Errorf("the journal holds %s (%v)", b, err)
	}
	lines, err := ReadJournal(h, j.id)
	if err != nil || len(lines) != 1 || lines[0].App != "caf\xe9" || lines[0].Text != "buildpack https://***@example.org/x\n" {
		t.Errorf("%+v, %v", lines, err)
	}
}
