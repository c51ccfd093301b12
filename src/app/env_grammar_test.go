package app

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

//go:embed testdata/godotenv-1.2.json
var recorded []byte

// What godotenv 1.2 itself has read and written (tests/godotenv has recorded it).
func TestTheOldGrammar(t *testing.T) {
	for dec, n := json.NewDecoder(bytes.NewReader(recorded)), 1; dec.More(); n++ {
		var c struct {
			Value, Text []byte
			Values      [][]byte // name, value, name, value
			Failed      bool
		}
		if err := dec.Decode(&c); err != nil {
			t.Fatal(err)
		}
		values, err := parseLines(string(c.Text))
		if (err != nil) != c.Failed {
			t.Fatalf("line %d: %q: %v", n, c.Text, err)
		}
		want := map[string]string{}
		for pair := range slices.Chunk(c.Values, 2) {
			want[string(pair[0])] = string(pair[1])
		}
		if err == nil && !maps.Equal(values, want) {
			t.Fatalf("line %d: %q is read as %q, and godotenv reads %q", n, c.Text, values, want)
		}
		if c.Value != nil && `A="`+escaped.Replace(string(c.Value))+`"` != string(c.Text) {
			t.Fatalf("line %d: %q is written otherwise than %q", n, c.Value, c.Text)
		}
	}
	if _, err := ParseEnv("A=\""+strings.Repeat("x", 100_000)+"\"\n", "0.37.7"); err == nil || !strings.Contains(err.Error(), "64 KiB") {
		t.Error(err)
	}
}

// Each kind of value, as 0.29.4 writes it; what of it the versions from 0.37.8 on read
// otherwise, what they cannot keep, and what no form has that both read.
func TestKindsOfValues(t *testing.T) {
	for about, c := range map[string]struct {
		value                string
		same, kept, for_both bool
	}{
		"double quotes inside":         {`say "hi" now`, true, true, true},
		"a double quote first":         {`"start" of it`, true, true, true},
		"a double quote last":          {`it's "quoted"`, false, false, true},
		"double quotes around it":      {`"all"`, false, false, true},
		"both around it":               {`"it's"`, false, false, false},
		"single quotes":                {`'it' isn't'`, true, true, true},
		"JSON":                         {`{"a":"b","c":[1,"d"]}`, true, true, true},
		"JSON, a string":               {`"a\"b"`, false, false, false},
		"JSON, a list":                 {`["a","b"]`, true, true, true},
		"backslashes":                  {`a\b\n\t\\c\$d`, true, true, true},
		"a backslash last":             {`C:\dir\`, false, false, true},
		"two backslashes last":         {`C:\dir\\`, false, false, true},
		"a backslash":                  {`\`, false, false, true},
		"a double quote":               {`"`, false, false, true},
		"a quote last, with a dollar":  {`$HOME "x"`, false, false, true},
		"a quote last, and two more":   {`'$HOME' "x"`, false, false, false},
		"newlines":                     {"a\nb\n", true, true, true},
		"newlines and a quote last":    {"a\n\"b\"", false, false, false},
		"newlines, a backslash last":   {"a\nb\\", false, false, false},
		"carriage returns":             {"a\r\nb\r\n", true, true, true},
		"a hash":                       {`a # b #c`, true, true, true},
		"a hash first":                 {`#first`, true, true, true},
		"dollars":                      {`a$HOME ${X} $1 $$ $(id)`, true, true, true},
		"percent":                      {`100%d %s`, true, true, true},
		"a number":                     {`420`, true, true, true},
		"a number, leading zeros":      {`00420`, true, false, true},
		"a number, with its sign":      {`+4930123`, true, false, true},
		"less than nothing":            {`-0`, true, false, true},
		"a number with a newline":      {"0042\n", true, true, true},
		"a large number":               {`00099999999999999999999`, true, true, true},
		"a decimal":                    {`00.50`, true, true, true},
		"empty":                        {``, true, true, true},
		"blanks":                       {`  both ends  `, true, true, true},
		"tabs":                         {"\ta\t", true, true, true},
		"emoji":                        {"grün 🎉", true, true, true},
		"no UTF-8":                     {"caf\xe9", true, true, true},
		"backticks and bangs":          {"a `id` b !x!", true, true, true},
		"equals, colons":               {`a=b==c: d`, true, true, true},
		"export":                       {`export A=1`, true, true, true},
		"a line of 60 kB":              {strings.Repeat("x", 60_000), true, true, true},
		"a key":                        {"-----BEGIN KEY-----\nab+/=\n-----END KEY-----\n", true, true, true},
		"a quote last, in the old way": {`#"`, false, false, true},
	} {
		values := map[string]string{"A": "1", "VALUE": c.value, "Z": "last"}
		text := "A=\"1\"\nVALUE=\"" + escaped.Replace(c.value) + "\"\nZ=\"last\""
		if old, err := ParseEnv(text, "0.29.4"); err != nil || !maps.Equal(old, values) {
			t.Errorf("%s: 0.29.4 does not read it itself: %q, %v", about, old, err)
		}
		if now, err := ParseEnv(text, "0.38.27"); (err == nil && maps.Equal(now, values)) != c.same {
			t.Errorf("%s: %q, %v", about, now, err)
		}
		if kept := Unkept(values, "0.38.27"); (len(kept) == 0) != c.kept {
			t.Errorf("%s: not kept are %q", about, kept)
		}
		both, left := WriteEnv(values, "0.29.4", "0.38.27")
		if (len(left) == 0) != c.for_both {
			t.Errorf("%s: left is %q of\n%s", about, left, both)
		}
		for _, versions := range [][]string{{"0.29.4", "0.38.27"}, {"0.29.4"}, {"0.37.8"}} {
			text, left := WriteEnv(values, versions...)
			if len(left) > 0 && len(versions) == 1 {
				t.Errorf("%s: cannot be written for %s", about, versions)
			}
			if len(left) > 0 {
				versions = versions[:1]
			}
			for _, v := range versions {
				if back, err := ParseEnv(text, v); err != nil || !maps.Equal(back, values) {
					t.Errorf("%s: %s reads %q, %v from\n%s", about, v, back, err, text)
				}
			}
		}
	}
	if Unkept(map[string]string{"A": "0042", "B": `"`}, "0.37.7") != nil {
		t.Error("0.37.7 keeps what it writes")
	}
	if !Spoilt("00420", "420") || !Spoilt(`a"`, `a\`) || Spoilt("420", "420") || Spoilt("00420", "421") || Spoilt("x", "y") {
		t.Error("what the writer makes of a value")
	}
}

// A file that a person has written.
func TestHandwrittenEnv(t *testing.T) {
	for _, c := range []struct {
		text     string
		old, new map[string]string // nil: refused
	}{
		{"A=b # c\nB='d'\n", map[string]string{"A": "b", "B": "d"}, map[string]string{"A": "b", "B": "d"}},
		{"A=b#c\n", map[string]string{"A": "b"}, map[string]string{"A": "b#c"}},
		{"A=b\nB=\"${A}/c\"\n", map[string]string{"A": "b", "B": "${A}/c"}, map[string]string{"A": "b", "B": "b/c"}},
		{"export A=\"b\"\r\n", map[string]string{"A": "b"}, map[string]string{"A": "b"}},
		{"exported=\"b\"\n", map[string]string{"ed": "b"}, map[string]string{"exported": "b"}},
		{"MY-VAR=\"b\"\nA=\"c\"\n", map[string]string{"A": "c"}, nil},
		{"A=\"b\nc\"\n", nil, map[string]string{"A": "b\nc"}},
		{"A=\"b\" c\n", map[string]string{"A": `"b" c`}, nil},
		{"A='b\\'\n", map[string]string{"A": `b\`}, nil},
		{"A='b\\n'\n", map[string]string{"A": "b\n"}, map[string]string{"A": `b\n`}},
	} {
		for dokku, want := range map[string]map[string]string{"0.37.7": c.old, "0.37.8": c.new} {
			values, err := ParseEnv(c.text, dokku)
			if (err == nil) != (want != nil) || want != nil && !maps.Equal(values, want) {
				t.Errorf("%q in %s: %q, %v", c.text, dokku, values, err)
			}
		}
	}
}

func FuzzWriteEnv(f *testing.F) {
	for _, seed := range []string{`it's "quoted"`, `C:\`, "a\n\"", `"'"`, "00420", "${A}", " #", "\xe9\"", "\u0085\\", "\u00a0\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if len(value) > 2000 {
			return
		}
		values := map[string]string{"A": value, "B": "b"}
		for _, versions := range [][]string{{"0.37.7", "0.37.8"}, {"0.37.8"}, {"0.37.7"}} {
			text, left := WriteEnv(values, versions...)
			for _, v := range versions {
				back, err := ParseEnv(text, v)
				if len(left) == 0 && (err != nil || !maps.Equal(back, values)) {
					t.Fatalf("%s reads %q, %v from %q", v, back, err, text)
				}
			}
			// 0.37.7 reads no other line that it has not written itself, and not all of those.
			if len(left) > 0 && slices.Equal(versions, []string{"0.37.8"}) {
				t.Fatalf("%q cannot be written", value)
			}
		}
	})
}
