package nginx

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/app"
)

// What may stand behind each directive that the guard writes, all words together.
var (
	addressPort = `([0-9.]+|\[[0-9a-f:.]+\]):[1-9][0-9]{0,4}`
	host        = `(\*?\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?`
	inUpstream  = map[string]string{"server": addressPort}
	inAside     = map[string]string{
		"listen": `([1-9][0-9]{0,4}|` + addressPort + `)( ssl)?`, "server_name": host + `( ` + host + `)*`, "return": "503",
		"ssl_certificate": "/home/dokku/[a-z.-]+/tls/server.crt", "ssl_certificate_key": "/home/dokku/[a-z.-]+/tls/server.key",
	}
)

// only tells whether a block holds nothing but these directives.
func only(block []Directive, allowed map[string]string) bool {
	return !slices.ContainsFunc(block, func(d Directive) bool {
		pattern, ok := allowed[d.Name]
		return !ok || d.Block != nil || !regexp.MustCompile("^("+pattern+")$").MatchString(strings.Join(d.Args, " "))
	})
}

// meant tells whether a substitute has exactly what was meant.
func meantAside(text string) bool {
	list, err := Parse(text)
	return err == nil && !slices.ContainsFunc(list, func(d Directive) bool {
		return d.Name != "server" || len(d.Args) > 0 || !only(d.Block, inAside)
	})
}

// meantFallback tells whether a fallback is the text that it was made from, but for the
// app's upstreams and what passes to them.
func meantFallback(before, after, name string) bool {
	old, err := Parse(before)
	if err != nil {
		return false
	}
	list, err := Parse(after)
	if err != nil {
		return false
	}
	n := len(list)
	for n > 0 && list[n-1].Name == "upstream" && len(list[n-1].Args) == 1 && ofApp(list[n-1].Args[0], name) && only(list[n-1].Block, inUpstream) {
		n--
	}
	old = slices.DeleteFunc(old, func(d Directive) bool { return d.Name == "upstream" && len(d.Args) == 1 && ofApp(d.Args[0], name) })
	return n < len(list) && len(old) == n && sameBut(old, list[:n], name)
}

// sameBut is same, but for proxyTo in the place of return 502.
func sameBut(old, list []Directive, name string) bool {
	for _, d := range old {
		if len(list) > 0 && d.Name == "return" && list[0].Name == "proxy_pass" && len(d.Args) > 0 && d.Args[0] == "502" {
			want, err := Parse(proxyTo(strings.TrimPrefix(strings.Join(list[0].Args, " "), "http://")))
			if err != nil || len(list) < len(want) || !same(want, list[:len(want)]) || !ofApp(passOf("proxy_pass", list[0].Args[0]).Upstream, name) {
				return false
			}
			list = list[len(want):]
			continue
		}
		if len(list) == 0 || d.Name != list[0].Name || !slices.Equal(d.Args, list[0].Args) || (d.Block == nil) != (list[0].Block == nil) || !sameBut(d.Block, list[0].Block, name) {
			return false
		}
		list = list[1:]
	}
	return len(list) == 0
}

// Whatever an app's files and docker say, what is written has the directives that were
// meant and no other.
func FuzzWritten(f *testing.F) {
	f.Add("server { listen 80; server_name a.test; location / { return 502; } }", "a", "http:80:5000", "5000", "172.17.0.2", "a.test")
	f.Add(`upstream a-5000 { server 1.2.3.4:1; } server { listen "80; } http { x"; server_name "a; } server {" b.test ~^x; }`, "a", "http:80:1}", "1; }", "1.2.3.4; }", "b; c")
	f.Add(`server { listen [::1%x;y]:80 ssl; listen localhost:80; listen unix:/x; ssl_certificate "/x;y"; server_name *.a.*; }`, "a;b", "http:80:0", "99999", "fe80::1%;", "~x")
	f.Add("upstream a-99999 { } server { listen 0; server_name _ .a. a.*; return 502; location / { grpc_pass a-5000; return 502 x; } } # x", "a", "", "", "::1", "_")
	f.Fuzz(func(t *testing.T, text, name, mapping, port, address, domain string) {
		s := app.State{
			Name: name, Ports: app.Ports{Map: []string{mapping}},
			Domains:     app.Domains{File: true, Names: []string{domain}},
			Containers:  []app.Container{{Type: "web", Index: "1", Running: true, Port: port, Addresses: []string{address}}, {Type: "web", Index: "2", Running: true, Addresses: []string{"172.17.0.3"}}},
			Certificate: &app.Certificate{KeyFits: true},
		}
		if mended, err := WriteFallback(text, s); err == nil && !meantFallback(strings.TrimPrefix(text, mark(markFallback)), mended, name) {
			t.Fatalf("%q\nof %q (%q, %q, %q) becomes\n%s", text, name, mapping, port, address, mended)
		}
		if p := ContainerPort(s); !regexp.MustCompile(`^[1-9][0-9]{0,4}$`).MatchString(p) {
			t.Fatalf("%q and %q are the port %q", mapping, port, p)
		}
		for _, conf := range []string{text, "server {"} { // the second cannot be read
			files := app.NewFiles("0.35.5", []string{name}, nil, []app.File{{Path: ConfPath(name), Data: []byte(conf)}})
			if substitute, _ := WriteSubstitute(files, s, "/home/dokku/"+name); !meantAside(substitute) {
				t.Fatalf("%q\nof %q (%q) is quarantined by\n%s", conf, name, domain, substitute)
			}
		}
	})
}

// A port text with a brace went raw into the fallback.
func TestFallbackOfOddValues(t *testing.T) {
	const conf = "server { listen 80; server_name a.test; location / { return 502; } }"
	for _, c := range []struct {
		about               string
		name, mapping, port string
		addresses           []string
		want                string // the upstream
		err                 error
	}{
		{"as it is", "a", "http:80:3000", "", []string{"172.17.0.2"}, "upstream a-3000 {\n  server 172.17.0.2:3000;\n}", nil},
		{"IPv6", "a", "", "3000", []string{"fd00::2"}, "upstream a-3000 {\n  server [fd00::2]:3000;\n}", nil},
		{"a port that ends the block", "a", "http:80:1;}server{x", "3000", []string{"172.17.0.2"}, "upstream a-3000 {\n  server 172.17.0.2:3000;\n}", nil},
		{"no port at all", "a", "http:80:0", "65536", []string{"172.17.0.2"}, "upstream a-5000 {\n  server 172.17.0.2:5000;\n}", nil},
		{"leading noughts", "a", "http:80:0080", "", []string{"172.17.0.2"}, "upstream a-80 {\n  server 172.17.0.2:80;\n}", nil},
		{"an address that is none", "a", "", "", []string{"1.2.3.4;}", "172.17.0.2"}, "upstream a-5000 {\n  server 172.17.0.2:5000;\n}", nil},
		{"a zone", "a", "", "", []string{"fe80::1%;}"}, "", ErrNoFallback},
		{"an app's name that ends the directive", "a;b", "", "", []string{"172.17.0.2"}, "", ErrNoName},
		{"an app's name with a blank", "a b", "", "", []string{"172.17.0.2"}, "", ErrNoName},
	} {
		s := app.State{Name: c.name, Containers: []app.Container{{Type: "web", Index: "1", Running: true, Port: c.port, Addresses: c.addresses}}}
		if c.mapping != "" {
			s.Ports.Map = []string{c.mapping}
		}
		text, err := WriteFallback(conf, s)
		if !errors.Is(err, c.err) || err == nil && (!strings.Contains(text, "\n"+c.want+"\n") || !meantFallback(conf, text, c.name)) {
			t.Errorf("%s: %v\n%s", c.about, err, text)
		}
	}
}

// A quoted listen address went raw into what stands for a configuration that is set
// aside.
func TestAsideOfOddValues(t *testing.T) {
	for _, c := range []struct {
		about, conf, want string
		leftOut           []string
	}{
		{"as it is", "server { listen 80; listen [::]:80; server_name b.test a.test; }", "listen 80; listen [::]:80; server_name a.test b.test; return 503;", nil},
		{"an address that ends the directive", `server { listen "80; } server { listen 81"; listen 80; server_name a.test; }`, "listen 80; server_name a.test; return 503;", []string{"80; } server { listen 81:80"}},
		{"no listen that can be kept", "server { listen localhost:80; server_name a.test; }", "", []string{"localhost:80"}},
		{"a socket", "server { listen unix:/run/a.sock; listen 80; server_name a.test; }", "listen 80; server_name a.test; return 503;", []string{"unix:/run/a.sock"}},
		{"a zone", "server { listen [fe80::1%x]:80; listen 80; server_name a.test; }", "listen 80; server_name a.test; return 503;", []string{"fe80::1%x:80"}},
		{"a port too large", "server { listen 1.2.3.4:80000; listen 80; server_name a.test; }", "listen 80; server_name a.test; return 503;", []string{"1.2.3.4:80000"}},
		{"names that are none", `server { listen 80; server_name a.test "b; } x" ~^c\d+$ *.d.test e.* *.f.* .g.test _ ""; }`, "listen 80; server_name *.d.test .g.test _ a.test e.*; return 503;", []string{"b; } x", `~^c\d+$`, "*.f.*", ""}},
		{"a certificate elsewhere", `server { listen 443 ssl; server_name a.test; ssl_certificate "/etc/x; }"; ssl_certificate_key /etc/y; }`,
			"listen 443 ssl; server_name a.test; ssl_certificate /home/dokku/a/tls/server.crt; ssl_certificate_key /home/dokku/a/tls/server.key; return 503;", nil},
		{"twice the same", "server { listen 80; listen 80; server_name a.test a.test; }", "listen 80; server_name a.test; return 503;", nil},
		{"what cannot be read", "server {", "", nil},
	} {
		s := app.State{Name: "a", Domains: app.Domains{File: true, Names: []string{"own.test", "own; }"}}, Certificate: &app.Certificate{KeyFits: true}}
		files := app.NewFiles("0.35.5", []string{"a"}, nil, []app.File{{Path: ConfPath("a"), Data: []byte(c.conf)}})
		text, leftOut := WriteSubstitute(files, s, "/home/dokku/a")
		got := strings.Join(strings.Fields(strings.TrimPrefix(text, mark(markQuarantine))), " ")
		if want := "server { " + c.want + " }"; c.want != "" && got != want || c.want == "" && got != "" || !slices.Equal(leftOut, c.leftOut) || !meantAside(text) {
			t.Errorf("%s: %s, without %q", c.about, got, leftOut)
		}
	}
	s := app.State{Name: "a b", Certificate: &app.Certificate{KeyFits: true}}
	files := app.NewFiles("0.35.5", []string{"a b"}, nil, []app.File{{Path: ConfPath("a b"), Data: []byte("server { listen 443 ssl; server_name a.test; ssl_certificate x; }")}})
	if text, _ := WriteSubstitute(files, s, "/home/dokku/a b"); strings.Contains(text, "server") {
		t.Errorf("a path with a blank in it is written: %s", text)
	}
}

// Files that an earlier release has written are still its work: 939a39f called them a
// stop-gap, and set aside.
func TestMarksOfAnEarlierRelease(t *testing.T) {
	for line, want := range map[string]string{
		"# upgrade-guard: stop-gap. The next dokku proxy:build-config replaces this file.\n":          markFallback,
		"# upgrade-guard: set aside. The next dokku proxy:build-config replaces this file.\n":         markQuarantine,
		"# upgrade-guard: fallback upstream. The next dokku proxy:build-config replaces this file.\n": markFallback,
		"# upgrade-guard: quarantined. The next dokku proxy:build-config replaces this file.\n":       markQuarantine,
		"server {\n": "",
	} {
		if got, rest := markOf(line + "x\n"); got != want || want != "" && rest != "x\n" {
			t.Errorf("%q: %q, and %q is left", line, got, rest)
		}
	}
}
