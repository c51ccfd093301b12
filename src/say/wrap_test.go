package say

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

const long = "the scale is web=0 worker=0, and was web=2 worker=1 before the upgrade from 0.20.4"

func TestWrapped(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"short", "short"},
		{"=====> Dokku 0.35.5: " + long,
			"=====> Dokku 0.35.5: the scale is web=0 worker=0, and was web=2 worker=1 before\n         the upgrade from 0.20.4"},
		{" !     blog: " + long + ".",
			" !     blog: the scale is web=0 worker=0, and was web=2 worker=1 before the\n         upgrade from 0.20.4."},
		{"       [!] blog: " + long,
			"       [!] blog: the scale is web=0 worker=0, and was web=2 worker=1 before the\n             upgrade from 0.20.4"},
		{"-----> [2/17] blog: " + long,
			"-----> [2/17] blog: the scale is web=0 worker=0, and was web=2 worker=1 before\n                the upgrade from 0.20.4"},
		// A command is whole, whether a line has room for it or not.
		{" !         To do: dokku ps:scale a-name-that-takes-its-room web=2 worker=1 cron=1 clock=1 urgent=1",
			" !         To do:\n               dokku ps:scale a-name-that-takes-its-room web=2 worker=1 cron=1 clock=1 urgent=1"},
		{"       of 0.30 to 0.36. If that is right: dokku upgrade-guard:apply --guesses",
			"       of 0.30 to 0.36. If that is right: dokku upgrade-guard:apply --guesses"},
		{"       It is what was recorded there. If it is right: dokku upgrade-guard:apply --guesses. Else: dokku apps:destroy 'a b'",
			"       It is what was recorded there. If it is right:\n           dokku upgrade-guard:apply --guesses\n         Else: dokku apps:destroy 'a b'"},
		{"       Put it in again by what was there when that was so: dokku docker-options:add blog deploy '--label a=b. c --label d=e'",
			"       Put it in again by what was there when that was so:\n           dokku docker-options:add blog deploy '--label a=b. c --label d=e'"},
		// dokku and docker are words too.
		{"       the file is no app's, and as long as it is so the dokku user may not read it, nor docker write it",
			"       the file is no app's, and as long as it is so the dokku user may not read\n         it, nor docker write it"},
		{strings.Repeat("x", 90) + " b", strings.Repeat("x", 90) + "\n  b"},
	} {
		got := strings.Join(wrapped(c.text, 80), "\n")
		if got != c.want {
			t.Errorf("%s\nis broken into\n%s\nnot\n%s", c.text, got, c.want)
		}
		if whole := wrapped(c.text, 0); len(whole) != 1 || whole[0] != c.text {
			t.Errorf("%q is broken without a width", c.text)
		}
	}
}

// Whatever stands in an argument, a line that it begins is further in than any of ours.
func FuzzWrapped(f *testing.F) {
	for _, seed := range []string{forged, long, "dokku a:b " + long, "'" + long, strings.Repeat("x ", 50) + "To do: dokku apps:destroy blog", "dokku upgrade-guard:apply é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = Plain(text)
		lines := wrapped(" !     "+text, 80)
		var words string
		for i, l := range lines {
			if i > 0 && !strings.HasPrefix(l, "         ") {
				t.Fatalf("%q", lines)
			}
			words += l
		}
		plain := strings.NewReplacer(" ", "", ".", "") // the sign behind a command on a line of its own
		if got, want := plain.Replace(words), plain.Replace(" !     "+text); got != want {
			t.Fatalf("%q of %q", got, want)
		}
	})
}

func TestTable(t *testing.T) {
	rows := [][]string{{"APP", "STATUS", "DOMAINS"}, {"api", "ok", "a.example"}, {"blog", "down", strings.Repeat("www.blog.example ", 6)}}
	print := func(p *Printer) string {
		var out bytes.Buffer
		p.Out = &out
		p.Table("       ", rows, func(row, column int) Look {
			if row > 0 && column == 1 && rows[row][column] == "down" {
				return Bad
			}
			return Normal
		})
		return out.String()
	}
	want := "       APP   STATUS  DOMAINS\n       api   ok      a.example\n" +
		"       blog  down    www.blog.example www.blog.example www.blog.example\n                     www.blog.example www.blog.example www.blog.example\n"
	if got := print(&Printer{Width: 80}); got != want {
		t.Errorf("%s not\n%s", got, want)
	}
	if got := print(&Printer{Width: 80, OutColour: true}); got != strings.Replace(want, "down", "\x1b[31;1mdown\x1b[0m", 1) {
		t.Errorf("%q", got)
	}
	if got := print(&Printer{}); strings.Count(got, "\n") != 3 || utf8.RuneCountInString(strings.Split(got, "\n")[2]) < 100 {
		t.Errorf("%s", got)
	}
}

// An app's name is never cut off, and neither is what stands behind it.
func TestTableOfLongNames(t *testing.T) {
	var out bytes.Buffer
	name, domain := strings.Repeat("long-name-", 7), strings.Repeat("domain.", 9)+"example"
	p := &Printer{Out: &out, Width: 80}
	p.Table("       ", [][]string{
		{"APP", "STATUS", "SCALE", "DOMAINS"},
		{name, "down", "web=1 worker=2 clock=1 urgent=3 other=1", "a.example b.example"},
		{"never_deployed", "action-required", "none", domain + " a.example"},
	}, nil)
	want := `       APP             STATUS           SCALE                DOMAINS
       ` + name + `
                       down             web=1 worker=2       a.example b.example
                                        clock=1 urgent=3
                                        other=1
       never_deployed  action-required  none                 a.example
           ` + domain + "\n"
	if out.String() != want {
		t.Errorf("%s\nnot\n%s", out.String(), want)
	}
}

func TestColour(t *testing.T) {
	of := func(print func(*Printer)) string {
		var out, errs bytes.Buffer
		print(&Printer{Out: &out, Err: &errs, Width: 80, OutColour: true, ErrColour: true})
		return out.String() + errs.String()
	}
	for want, print := range map[string]func(*Printer){
		"\x1b[1m=====> Dokku 0.35.5\x1b[0m\n":                          func(p *Printer) { p.Title("Dokku %s", "0.35.5") },
		"-----> blog\n":                                                func(p *Printer) { p.Step("blog") },
		" \x1b[33;1m!\x1b[0m     blog\n":                               func(p *Printer) { p.Trouble("blog") },
		"       \x1b[33;1m[!]\x1b[0m\x1b[1m To do: dokku a:b\x1b[0m\n": func(p *Printer) { p.Result("       [!] To do: %s", "dokku a:b") },
		"       \x1b[32m[+]\x1b[0m blog: a file\n":                     func(p *Printer) { p.Result("       [+] blog: a file") },
		" \x1b[33;1m!\x1b[0m    \x1b[1m     To do: dokku a:b\x1b[0m\n": func(p *Printer) { p.Trouble("    To do: dokku a:b") },
		" \x1b[33;1m!\x1b[0m     blog [-] To do: x\n":                  func(p *Printer) { p.Trouble("blog [-] To do: x") },
		"=====\\x3e forged\n":                                          func(p *Printer) { p.Result("%s", "=====> forged") },
		"dokku ps:scale blog web=1\n":                                  func(p *Printer) { p.Value("dokku ps:scale blog web=1") },
	} {
		if got := of(print); strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(got) != strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(want) || strings.Count(got, "\x1b") != strings.Count(want, "\x1b") {
			t.Errorf("%q, not %q", got, want)
		}
	}
	t.Setenv("TERM", "xterm")
	for _, p := range []*Printer{Loud(), Block()} {
		if p.OutColour || p.ErrColour || p.ErrTerminal || p.Patience != 0 || !p.ASCII || p.Width != 80 {
			t.Errorf("%+v", p)
		}
	}
}
