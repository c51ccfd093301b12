package nginx

import (
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/app"
)

// write makes a configuration of a tree again: every word quoted.
func write(list []Directive) string {
	var out strings.Builder
	for _, d := range list {
		for _, w := range append([]string{d.Name}, d.Args...) {
			out.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `" `)
		}
		if d.Block == nil {
			out.WriteString(";\n")
			continue
		}
		out.WriteString("{\n" + write(d.Block) + "}\n")
	}
	return out.String()
}

func same(a, b []Directive) bool {
	return slices.EqualFunc(a, b, func(a, b Directive) bool {
		return a.Name == b.Name && slices.Equal(a.Args, b.Args) && (a.Block == nil) == (b.Block == nil) && same(a.Block, b.Block)
	})
}

// within tells whether directives stand in order, and in what encloses them.
func within(list []Directive, from, to int) bool {
	for _, d := range list {
		if d.Start < from || d.End <= d.Start || d.End > to || !within(d.Block, d.Start, d.End) {
			return false
		}
		from = d.End
	}
	return true
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"server { listen 80; server_name a.test; }", `a "b \" c" 'd';`, "a ${b}c; # d\n", "map $a $b { default 0; ~*x 1; }",
		"if ($a ~ \"b\") { return 502; }", "a \\ b;", "a\\;b c;", "}", "a {", "a \"b", "location ~ \\.php$ { }", "x y\r\n{ z 1;}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var list []Directive
		var err error
		soon(t, len(text), func() { list, err = Parse(text) })
		if err != nil {
			return
		}
		if !within(list, 0, len(text)) {
			t.Fatalf("%q: directives do not stand where they are said to", text)
		}
		again, err := Parse(write(list))
		if err != nil || !same(list, again) {
			t.Fatalf("%q reads as\n%s\nwhich reads as\n%s(%v)", text, write(list), write(again), err)
		}
		// What the guard makes of any file is a file that nginx's grammar has.
		s := app.State{Name: "a", Containers: []app.Container{{Type: "web", Index: "1", Running: true, Addresses: []string{"172.17.0.2"}}}}
		if mended, err := WriteFallback(text, s); err == nil {
			if _, err := Parse(mended); err != nil {
				t.Fatalf("%q: the fallback\n%s\ncannot be read: %v", text, mended, err)
			}
		}
		files := app.NewFiles("0.35.5", []string{"a"}, nil, []app.File{{Path: ConfPath("a"), Data: []byte(text)}})
		if _, err := Read(files, "a"); err != nil {
			t.Fatalf("%q parses and cannot be read: %v", text, err)
		}
		substitute, _ := WriteSubstitute(files, s, "/home/dokku/a")
		if _, err := Parse(substitute); err != nil {
			t.Fatalf("%q: what stands for it cannot be read: %v", text, err)
		}
	})
}

func TestGrammar(t *testing.T) {
	for _, c := range []struct{ about, text, want string }{
		{"words and blocks", "a b c;\nd { e; }", `"a" "b" "c" ; "d" { "e" ; }`},
		{"quotes", `a "b c" 'd "e"';`, `"a" "b c" "d \"e\"" ;`},
		{"a quote within a word is none", `a b"c;`, `"a" "b\"c" ;`},
		{"escapes", `a b\;c "d\"e" f\tg \.php$;`, "\"a\" \"b\\\\;c\" \"d\\\"e\" \"f\tg\" \"\\\\.php$\" ;"},
		{"comments", "# b;\na # c {\n d;", `"a" "d" ;`},
		{"no comment within a word", "a b#c;", `"a" "b#c" ;`},
		{"a variable in braces", "a ${b}c{ d; }", `"a" "${b}c" { "d" ; }`},
		{"a condition", `if ($a ~ "b") { c; }`, `"if" "($a" "~" "b" ")" { "c" ; }`},
		{"a brace ends no word", "a b}c;", `"a" "b}c" ;`},
		{"empty", " \n# nothing\n", ""},
		{"an empty block", "a {}", `"a" { }`},
	} {
		list, err := Parse(c.text)
		if got := strings.Join(strings.Fields(write(list)), " "); err != nil || got != strings.Join(strings.Fields(c.want), " ") {
			t.Errorf("%s: %q reads as %s (%v), not %s", c.about, c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"}", "a", "a {", "a;}", "{ }", ";", `a "b`, `a "b"c;`, "a { b }", "a b }", strings.Repeat("a {", 200) + strings.Repeat("}", 200)} {
		if list, err := Parse(text); err == nil {
			t.Errorf("%q is taken, as %s", text, write(list))
		} else if !strings.HasPrefix(err.Error(), "line 1: ") {
			t.Errorf("%q: %v does not say where", text, err)
		}
	}
	if _, err := Parse("a;\n# b\nc \"d\ne\";\nf {\n"); err == nil || !strings.HasPrefix(err.Error(), "line 6: ") {
		t.Errorf("the line is not counted: %v", err)
	}
}

// As people change it: a template of their own, snippets, IPv6, sockets, two
// upstreams, addresses of their own.
func TestRead(t *testing.T) {
	files := app.NewFiles("0.35.5", []string{"my-app"}, nil, []app.File{
		{Path: "root/my-app/nginx.conf", Data: []byte(`
			map $http_upgrade $up { default upgrade; "" close; }
			upstream my-app-5000 { keepalive 8; server 172.17.0.2:5000 weight=2; server [fd00::2]:5000 backup; }
			upstream other { server unix:/run/other.sock; server elsewhere.test; }
			server {
				listen 192.0.2.1:80; listen [::]:80 ipv6only=on; listen 443 ssl http2;
				server_name a.test "b.test" ~^www\d+\.c\.test$;
				ssl_certificate /home/dokku/my-app/tls/server.crt; ssl_certificate_key /home/dokku/my-app/tls/server.key;
				location / { proxy_pass http://my-app-5000; }
				location /x { if ($up) { proxy_pass http://$host/; } grpc_pass grpcs://other; }
				location /off { return 502; }
				include /home/dokku/my-app/nginx.conf.d/*.conf;
				include /etc/nginx/mime.types;
			}`)},
		{Path: "root/my-app/nginx.conf.d/path.conf", Data: []byte("location /api { proxy_pass http://api:3000/v1; }")},
		{Path: "root/my-app/nginx.conf.d/ignored.txt", Data: []byte("server_name nobody.test;")},
	})
	c, err := Read(files, "my-app")
	if err != nil || len(c.Servers) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	s := c.Servers[0]
	if want := []string{"a.test", "b.test", `~^www\d+\.c\.test$`}; !slices.Equal(s.Names, want) {
		t.Errorf("names %q", s.Names)
	}
	if want := []Listen{{"192.0.2.1", "80", false, false}, {"::", "80", false, false}, {"", "443", true, true}}; !slices.Equal(s.Listens, want) {
		t.Errorf("listens %+v", s.Listens)
	}
	if want := []Pass{{"http", "my-app-5000"}, {"http", ""}, {"grpcs", "other"}, {"http", "api:3000"}}; !slices.Equal(s.Passes, want) {
		t.Errorf("passes %+v", s.Passes)
	}
	if s.Returns502 {
		t.Error("a path of its own is taken for the whole app")
	}
	if want := []string{"172.17.0.2:5000", "[fd00::2]:5000"}; !slices.Equal(c.Upstreams[0].Servers, want) {
		t.Errorf("servers %q", c.Upstreams[0].Servers)
	}
	if want := []string{"unix:/run/other.sock", "elsewhere.test:80"}; !slices.Equal(c.Upstreams[1].Servers, want) {
		t.Errorf("servers %q", c.Upstreams[1].Servers)
	}
}

// Whose answer it is is said only where it is certain.
func TestJudge(t *testing.T) {
	answer := func(name, via string, status int, body string) Answer {
		return Answer{Question: Question{App: name, Via: via, Scheme: "http", Address: "127.0.0.1:80", Host: name + ".test"}, Status: status, Body: body}
	}
	for _, c := range []struct {
		about   string
		answers []Answer
		want    []Kind
	}{
		{"its own page", []Answer{answer("a", Container, 200, "A"), answer("b", Container, 200, "B"), answer("a", ViaNginx, 200, "A")}, nil},
		{"another's page", []Answer{answer("a", Container, 200, "A"), answer("b", Container, 200, "B"), answer("a", ViaNginx, 200, "B")}, []Kind{OtherApp}},
		{"the same page as another's", []Answer{answer("a", Container, 200, "A"), answer("b", Container, 200, "A"), answer("a", ViaNginx, 200, "A")}, nil},
		{"a page that two others have", []Answer{answer("a", Container, 200, "A"), answer("b", Container, 200, "B"), answer("c", Container, 200, "B"), answer("a", ViaNginx, 200, "B")}, nil},
		{"a page of this moment", []Answer{answer("a", Container, 200, "now"), answer("a", ViaNginx, 200, "then")}, nil},
		{"an error that others have too", []Answer{answer("a", Container, 404, "X"), answer("b", Container, 404, "X"), answer("a", ViaNginx, 404, "X")}, nil},
		{"nginx's own error", []Answer{answer("a", Container, 200, "A"), answer("a", ViaNginx, 502, "")}, []Kind{Silent}},
		{"the app's own error", []Answer{answer("a", Container, 503, "A"), answer("a", ViaNginx, 503, "A")}, nil},
	} {
		var got []Kind
		for _, f := range Judge(app.Host{}, c.answers) {
			got = append(got, f.Kind)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.about, got)
		}
	}
}

// What stands in for a configuration that is quarantined listens where that does. One
// that cannot be read had port 80 opened for it, as the first server there.
func TestWriteAside(t *testing.T) {
	s := app.State{Name: "blog", Domains: app.Domains{File: true, Names: []string{"blog.example.com"}}}
	for text, want := range map[string]string{
		"server {\n  listen 127.0.0.1:8080;\n  server_name blog.example.com;\n}\n": mark(markQuarantine) + "\nserver {\n  listen 127.0.0.1:8080;\n  server_name blog.example.com;\n  return 503;\n}\n",
		"server {\n  listen 8080;\n":                  "", // no grammar
		"upstream blog-5000 { server 172.17.0.2; }\n": "",
		"": "",
	} {
		f := app.NewFiles("0.35.5", []string{"blog"}, nil, []app.File{{Path: ConfPath("blog"), Data: []byte(text)}})
		if got, _ := WriteSubstitute(f, s, "/home/dokku/blog"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got, _ := WriteSubstitute(app.NewFiles("0.35.5", []string{"blog"}, nil, nil), s, "/home/dokku/blog"); got != "" {
		t.Errorf("without a configuration: %q", got)
	}
}
