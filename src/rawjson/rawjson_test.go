package rawjson

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type inner struct {
	Name string            `json:"name"`
	Refs map[string]string `json:"refs,omitempty"`
}

type outer struct {
	Inner inner            `json:"inner"`
	Apps  map[string]inner `json:"apps"`
	Names []string         `json:"names"`
	Link  *inner           `json:"link,omitempty"`
	Time  time.Time        `json:"time,omitzero"`
	None  []string         `json:"none"`
}

// Names of any bytes come back as they were, at any depth; and where all of them are
// UTF-8, the JSON is the one that it always was.
func TestNothingIsLost(t *testing.T) {
	for _, name := range []string{"master", "caf\xe9", "caf\xe9\xff\xfe", `back\slash`, `caf\xe9`, `\\`, `\x`, `\xg0`, "\xe9\\", "\ufffd", "\ufffd\xe9",
		"line\nfeed", "nul\x00", "\u2028", "\xed\xa0\x80", "<&>", "émigré", strings.Repeat("\xe9\\", 1000), ""} {
		in := outer{
			Inner: inner{name, map[string]string{name: name}}, Apps: map[string]inner{name: {Name: name}, "other": {Name: "other"}},
			Names: []string{name, "x", name + "\xe9"}, Link: &inner{Name: name}, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		}
		b, err := Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out outer
		if err := Unmarshal(b, &out); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, out); diff != "" {
			t.Errorf("%q came back otherwise:\n%s", name, diff)
		}
		in.Names = []string{"x"}
		if plain, _ := json.Marshal(in); !strings.Contains(string(plain), Lost) {
			if b, _ := Marshal(in); string(b) != string(plain) {
				t.Errorf("%q is written as %s, and was as %s", name, b, plain)
			}
		}
	}
}
