package hazard

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// valuesOf is an app called blog on a version of Dokku, of these files.
func valuesOf(dokku string, content map[string]string) *app.Files {
	var list []app.File
	for path, text := range content {
		f := app.File{Path: path, Mode: 0o600, Data: []byte(text), Size: len(text), SHA256: app.Digest([]byte(text))}
		if text == "unreadable" {
			f = app.File{Path: path, Error: "permission denied"}
		}
		list = append(list, f)
	}
	return app.NewFiles(dokku, []string{"blog"}, nil, list)
}

func valuesContext(from, to string, now *app.Files) Context {
	return Context{Paths: host.Paths{DokkuRoot: "/home/dokku", LibRoot: "/var/lib/dokku"}, From: from, To: to, Files: now, Old: func() *app.Files { return nil }}
}

func TestForeseeValues(t *testing.T) {
	const old, quote = "root/blog/ENV", `A="it's \"CANARY\""` + "\n"
	for about, c := range map[string]struct {
		from, to, path, text string
		what                 []string // of each finding, a part
		halts, refuse        bool
	}{
		"a double quote last":          {"0.29.4", "0.38.27", old, quote, []string{"reads the variable A ", "does not read back the variable A "}, true, false},
		"the same, to 0.37.10":         {"0.29.4", "0.37.10", old, quote, []string{"reads the variable A ", "does not read back the variable A "}, false, false},
		"the same, to 0.37.7":          {"0.29.4", "0.37.7", old, quote, nil, false, false},
		"the same, from 0.37.8":        {"0.37.8", "0.38.27", old, `A=it's "CANARY"` + "\n", []string{"does not read back the variable A "}, true, false},
		"the same, from 0.38.20":       {"0.38.20", "0.38.27", "lib/config/blog/ENV", `A=it's "CANARY"` + "\n", []string{"does not read back the variable A "}, false, false},
		"the way back":                 {"0.38.27", "0.36.11", "lib/config/blog/ENV", `A=it's "CANARY"` + "\n", nil, false, false},
		"a version nobody has seen":    {"0.29.4", "0.39.0", old, quote, nil, false, false},
		"a backslash last":             {"0.29.4", "0.38.27", old, `A="C:\\"` + "\nB=\"b\"\n", []string{"reads the variable A ", "does not read back the variable A "}, true, false},
		"a number":                     {"0.29.4", "0.38.27", old, "A=\"0042\"\n", []string{"does not read back the variable A "}, false, false},
		"by hand, another's value":     {"0.29.4", "0.38.27", old, "B=\"b\"\nA=\"$B/CANARY\"\n", []string{"reads the variable A "}, false, false},
		"by hand, a comment":           {"0.29.4", "0.38.27", old, "A=b#CANARY\n", []string{"reads the variable A "}, false, false},
		"by hand, no name":             {"0.29.4", "0.38.27", old, "MY-A=\"b\"\nB=\"c\"\n", []string{"reads the variable B "}, true, false},
		"no form that both read":       {"0.29.4", "0.38.27", old, `A="a\n\"CANARY\""` + "\n", []string{"does not read back the variable A "}, true, false},
		"a form that none of them has": {"0.29.4", "0.38.27", old, `a="it's\n\"CANARY\""` + "\n", []string{"does not read back the variable a ", "cannot read the value of the variable a,"}, true, false},
		"what neither reads":           {"0.29.4", "0.38.27", old, "A=\"CANARY\nB\n", []string{"is not the NAME"}, false, true},
		"what only the new one reads":  {"0.29.4", "0.38.27", old, "A=\"CANARY\nB\"\n", nil, false, false},
		"as it should be":              {"0.29.4", "0.38.27", old, "A=\"b\"\nB=\"it's {\\\"a\\\":1}\"\nC=\"\\$D\"\n", nil, false, false},
		"unreadable":                   {"0.29.4", "0.38.27", old, "unreadable", nil, false, false},
	} {
		var got []string
		halts, refuse := false, false
		for _, f := range foreseeValues(valuesContext(c.from, c.to, valuesOf(c.from, map[string]string{c.path: c.text, "lib/config/config/blog/env-migrated": "true"})), "blog") {
			f = f.Of("blog", EnvValues)
			got = append(got, f.What)
			halts, refuse = halts || f.Halts, refuse || f.Kind == Refuse
			if said := f.What + f.Consequence + f.Does + f.Afterwards + f.Command; strings.Contains(said, "CANARY") {
				t.Errorf("%s: %s", about, said)
			}
			if f.Step != nil {
				was, _ := app.ParseEnv(c.text, c.from)
				for _, v := range []string{c.from, c.to} {
					if now, err := app.ParseEnv(string(f.Step.Data), v); err != nil || !maps.Equal(was, now) {
						t.Errorf("%s: %s reads %q, %v", about, v, now, err)
					}
				}
			}
		}
		if !slices.EqualFunc(got, c.what, strings.Contains) || halts != c.halts || refuse != c.refuse {
			t.Errorf("%s: %q, halts %v, refuses %v", about, got, halts, refuse)
		}
	}
}

func TestDetectValues(t *testing.T) {
	const place, held = "lib/config/blog/ENV", "lib/config/upgrade-guard/blog/env-held"
	property := func(aside bool, name, value string) string {
		return string(heldEnv{}.with(aside, map[string]string{name: value}, name))
	}
	for about, c := range map[string]struct {
		now, held, before string
		just              bool
		want              map[string]string // what the file is to read as; nil for nothing to do
		noted             bool              // and only the property is written
	}{
		"set aside":                         {now: "B=\"b\"\n", held: property(true, "A", `it's "x"`), want: map[string]string{"A": `it's "x"`, "B": "b"}},
		"all of it set aside":               {now: "", held: property(true, "A", `it's "x"`), want: map[string]string{"A": `it's "x"`}},
		"set aside, and never readable":     {now: "B=\"b\"\n", held: property(true, "a", "it's\n\"x\""), noted: true},
		"killed before that was noted":      {now: "A=it's \"x\"\nB=\"b\"\n", held: property(true, "A", `it's "x"`), noted: true},
		"set by a person meanwhile":         {now: "A=\"y\"\nB=\"b\"\n", held: property(true, "A", `it's "x"`), noted: true},
		"never readable, and out":           {now: "B=\"b\"\n", held: property(false, "a", "it's\n\"x\"")},
		"unset since":                       {now: "B=\"b\"\n", held: property(false, "A", `it's "x"`)},
		"written once":                      {now: "A=\"it's \\\"x\\\"\"\n", held: property(false, "A", `it's "x"`), want: map[string]string{"A": `it's "x"`}},
		"written twice":                     {now: "A=\"it's \\\"x\\\\\"\nB=\"b\"\n", held: property(false, "A", `it's "x"`), want: map[string]string{"A": `it's "x"`, "B": "b"}},
		"set since":                         {now: "A=\"y\"\n", held: property(false, "A", `it's "x"`)},
		"a number":                          {now: "A=42\n", held: property(false, "A", "0042"), want: map[string]string{"A": "0042"}},
		"another number":                    {now: "A=43\n", held: property(false, "A", "0042")},
		"as held":                           {now: "A=\"0042\"\n", held: property(false, "A", "0042")},
		"a damaged property":                {now: "A=42\n", held: "{"},
		"by the record":                     {now: "A=42\n", before: "A=\"0042\"\n", just: true, want: map[string]string{"A": "0042"}},
		"by the record, later":              {now: "A=42\n", before: "A=\"0042\"\n"},
		"by the record, gone":               {now: "B=\"b\"\n", before: "A=\"0042\"\n", just: true},
		"by the record, 42 before":          {now: "A=42\n", before: "A=\"42\"\n", just: true},
		"the record was unreadable":         {now: "A=42\n", before: "unreadable", just: true},
		"unreadable, nothing known":         {now: "A=\"x\\\\\"\nB=\"b\"\n", want: map[string]string{"A": `x\`, "B": "b"}},
		"unreadable, the record knows":      {now: "A=\"x\\\\\"\nB=\"b\"\n", before: `A="x\""` + "\n", just: true, want: map[string]string{"A": `x"`, "B": "b"}},
		"unreadable to whoever has written": {now: "A=\"x\ny\n"},
		"the file could not be read":        {now: "unreadable", held: property(false, "A", "0042")},
	} {
		content := map[string]string{place: c.now, "lib/config/config/blog/env-migrated": "true"}
		if c.held != "" {
			content[held] = c.held
		}
		s := valuesContext("0.29.4", "0.38.27", valuesOf("0.38.27", content))
		s.JustInstalled = c.just
		if c.before != "" {
			s.Old = func() *app.Files { return valuesOf("0.29.4", map[string]string{"root/blog/ENV": c.before}) }
		}
		var got map[string]string
		noted := false
		for _, f := range detectValues(s, "blog", c.before != "") {
			switch {
			case f.Step == nil:
			case f.Step.Path == HeldPath(s.Paths, "blog"):
				noted = !heldOf(valuesOf("0.38.27", map[string]string{held: string(f.Step.Data)}), "blog").Aside
			default:
				got, _ = app.ParseEnv(string(f.Step.Data), "0.38.27")
			}
		}
		if !maps.Equal(got, c.want) || noted != c.noted {
			t.Errorf("%s: %q, noted: %v", about, got, noted)
		}
	}
}

// What is out of the installation's way, wherever the last one has left it.
func TestSetAside(t *testing.T) {
	for about, c := range map[string]struct {
		path, text string
		rest, held map[string]string // nil: nothing is done
	}{
		"not moved yet":            {"root/blog/ENV", "A=\"C:\\\\\"\nB=\"b\"\n", map[string]string{"B": "b"}, map[string]string{"A": `C:\`}},
		"not moved, and rewritten": {"root/blog/ENV", "A=C:\\\nB=\"\\$b\"\n", map[string]string{"B": "$b"}, map[string]string{"A": `C:\`}},
		"moved and spoilt":         {"lib/config/blog/ENV", "A=\"x\\\\\"\nB=7\n", map[string]string{"B": "7"}, map[string]string{"A": `x\`}},
		"nothing to do":            {"lib/config/blog/ENV", "A=\"x\"\nB=7\n", nil, nil},
		"nobody reads it":          {"lib/config/blog/ENV", "A=\"x\nB\n", nil, nil},
		"not read":                 {"root/blog/ENV", "unreadable", nil, nil},
	} {
		f := valuesOf("0.38.27", map[string]string{c.path: c.text})
		s := valuesContext("", "0.38.27", f)
		s.Paths = host.Paths{DokkuRoot: t.TempDir(), LibRoot: t.TempDir()}
		h, real := host.NewLocal(s.Paths), app.RealPath(s.Paths, c.path)
		if err := h.Write(real, 0o600, []byte(c.text)); err != nil {
			t.Fatal(err)
		}
		step := SetAside(s, "blog")
		if (step != nil) != (c.rest != nil) {
			t.Errorf("%s: %v", about, step)
		}
		if step == nil {
			continue
		}
		if err := step.Do(t.Context(), h); err != nil {
			t.Error(about, err)
		}
		text, _ := h.ReadFile(real)
		rest, err := app.ParseEnv(string(text), "0.38.27")
		if err != nil || !maps.Equal(rest, c.rest) {
			t.Errorf("%s: %q, %v", about, rest, err)
		}
		held := heldOf(valuesOf("0.38.27", map[string]string{"lib/config/upgrade-guard/blog/env-held": string(step.Data)}), "blog")
		if !held.Aside || !maps.EqualFunc(held.Values, c.held, func(a []byte, b string) bool { return string(a) == b }) {
			t.Errorf("%s: %v", about, held)
		}
	}
}

// Dokku has written an environment: by config:set, by config:unset, and for another name.
func TestHold(t *testing.T) {
	h := host.NewLocal(host.Paths{DokkuRoot: t.TempDir(), LibRoot: t.TempDir()})
	put := func(path, text string) {
		t.Helper()
		if err := h.Write(app.RealPath(h.Paths(), path), 0o600, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	reads := func(scope string, want map[string]string) {
		t.Helper()
		if got, err := app.EnvFiles(h, scope).Environment(scope); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s reads %q, %v", scope, got, err)
		}
	}
	put("lib/STABLE_VERSION", "0.38.27\n")
	for _, scope := range []string{"blog", host.GlobalScope} {
		put("lib/config/config/"+scope+"/env-migrated", "true")
		put("lib/config/"+scope+"/ENV", "A=it's \"x\"\nB=C:\\\nN=\"0042\"\nO=\"o\"\n")
		if err := holdFirst(h, scope); err != nil {
			t.Fatal(err)
		}
		written := "A=\"it's \\\"x\\\"\"\nB=\"C:\\\\\"\nN=42\nO=\"p\"\n"
		put("lib/config/"+scope+"/ENV", written)
		if err := Hold(t.Context(), h, scope, "set", "O"); err != nil {
			t.Fatal(err)
		}
		reads(scope, map[string]string{"A": `it's "x"`, "B": `C:\`, "N": "0042", "O": "p"})
		// One that was set is the person's, and what Dokku makes of it.
		put("lib/config/"+scope+"/ENV", written)
		if err := Hold(t.Context(), h, scope, "set", "N"); err != nil {
			t.Fatal(err)
		}
		reads(scope, map[string]string{"A": `it's "x"`, "B": `C:\`, "N": "42", "O": "p"})
		// So is one that Dokku does not read back.
		put("lib/config/"+scope+"/ENV", "A=\"y\\\"\"\nB=\"C:\\\\\"\nN=42\nO=\"p\"\n")
		if err := Hold(t.Context(), h, scope, "set", "A"); err != nil {
			t.Fatal(err)
		}
		reads(scope, map[string]string{"A": `y"`, "B": `C:\`, "N": "42", "O": "p"})
		put("lib/config/"+scope+"/ENV", "O=\"p\"\n")
		if err := Hold(t.Context(), h, scope, "unset", "A", "B"); err != nil || Holds(h, scope, "set", nil) {
			t.Errorf("%v, and held: %v", err, Holds(h, scope, "set", nil))
		}
		reads(scope, map[string]string{"O": "p"})
	}
	put("lib/config/blog/ENV", "A=it's \"x\"\nB=\"b\"\n")
	put("lib/config/news/ENV", "A=\"it's \\\"x\\\"\"\nB=\"b\"\n")
	put("lib/config/config/news/env-migrated", "true")
	if err := HoldRenamed(t.Context(), h, "blog", "news"); err != nil {
		t.Fatal(err)
	}
	reads("news", map[string]string{"A": `it's "x"`, "B": "b"})
}
