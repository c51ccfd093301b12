package nginx

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"upgrade-guard/src/app"
)

// cpu is the time that this process has worked: the machine may have other work.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is how much the heap has grown while work was done.
func peak(work func()) uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	began, most := m.HeapAlloc, atomic.Uint64{}
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapAlloc))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	work()
	close(stop)
	<-stopped
	return most.Load() - min(began, most.Load())
}

// state is an app with two web containers.
func state(ports ...string) app.State {
	s := app.State{Name: "a", Dokku: "0.35.5", Ports: app.Ports{Map: ports}, Domains: app.Domains{File: true}}
	for n := range 2 {
		s.Containers = append(s.Containers, app.Container{Type: "web", Index: fmt.Sprint(n + 1), Running: true, Addresses: []string{fmt.Sprintf("172.17.0.%d", n+2)}})
	}
	return s
}

// Dokku could not build the configuration of an app with 16,000 servers, and the
// stop-gap for it took 20 s.
func TestAFallbackOfManyServers(t *testing.T) {
	for _, test := range []struct {
		servers int
		text    string
		fits    bool
	}{
		{1000, "server { listen 80; server_name b.c; location / {return 502;} }\n", true},
		{16_000, "server {server_name b.c; location / {proxy_pass http://a-5000;}}", true},
		{16_000, "server { listen 80; server_name b.c; location / {return 502;} }\n", false}, // it would be six times as large
	} {
		text := strings.Repeat(test.text, test.servers)
		began := cpu()
		out, err := WriteFallback(text, state("http:80:5000"))
		took := cpu() - began
		if took > 2*time.Second || test.fits != (err == nil) ||
			test.fits && (strings.Count(out, "proxy_pass http://a-5000;") != test.servers || strings.Count(out, "upstream a-5000 {") != 1) {
			t.Errorf("%d servers: %v", test.servers, err)
		}
		t.Logf("%d servers, %d KiB: %s", test.servers, len(text)>>10, took)
	}
}

// hostile are configurations that are hard to read.
func hostile() map[string]string {
	fill := func(text string) string { return strings.Repeat(text, maxText/len(text)) }
	return map[string]string{
		"directives":           fill("a;"),
		"words":                "a " + fill("b ")[:maxText-10] + ";",
		"servers":              fill("server{}"),
		"servers with a port":  fill("server{listen 1;}"),
		"servers' addresses":   "server {" + fill("listen 127.0.0.1:1;")[:maxText-40] + "}",
		"ports":                ports(60_000),
		"names":                "server { server_name" + names(90_000) + "; }",
		"http2":                "server {" + strings.Repeat("listen 1;", 40_000) + strings.Repeat("http2 on;", 50_000) + "}",
		"upstreams":            upstreams(40_000),
		"servers of upstreams": "upstream a-1 {" + fill("server 1.2.3.4:5;")[:maxText-60] + "}",
		"refusals":             fill("server{listen 1;return 502;}"),
		"passes":               passes(30_000),
		"includes":             "server {" + strings.Repeat("include /home/dokku/a/nginx.conf.d/*;", 25_000) + "}",
		"a pattern":            "server { include /a/nginx.conf.d/" + strings.Repeat("*", 900_000) + "x; }",
		"braces":               fill("{"),
		"blocks":               fill("a {"),
		"comments":             fill("# a\n"),
		"quotes":               fill(`"`),
		"backslashes":          fill(`\`),
		"variables":            fill("${"),
	}
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func ports(n int) string     { return "server {" + numbered(n, "listen %d;") + "}" }
func names(n int) string     { return numbered(n, " n%d.x") }
func upstreams(n int) string { return numbered(n, "upstream a-%d {}\n") }
func passes(n int) string    { return "server {" + numbered(n, "proxy_pass http://a-%d;") + "}" }

// Whatever an app's template makes of its configuration, and however many domains and
// ports it has: looking at it takes no time to speak of.
func TestAHostileConfiguration(t *testing.T) {
	s := state()
	for n := range 30_000 {
		s.Domains.Names = append(s.Domains.Names, fmt.Sprintf("d%d.example", n))
		s.Ports.Map = append(s.Ports.Map, fmt.Sprintf("http:%d:%d", n, n))
	}
	for about, text := range hostile() {
		files := []app.File{{Path: ConfPath("a"), Data: []byte(text)}}
		for n := range 100 {
			files = append(files, app.File{Path: fmt.Sprintf("root/a/nginx.conf.d/%d.conf", n), Data: []byte("include /home/dokku/a/nginx.conf.d/*;")})
		}
		set := app.NewFiles("0.35.5", []string{"a"}, nil, files)
		now := app.Host{Dokku: "0.35.5", Apps: map[string]app.State{"a": s}}
		began := cpu()
		var findings, questions int
		grown := peak(func() {
			findings = len(Check(set, now, OwnersOf(now))["a"])
			questions = len(Questions(set, s))
			_, _ = WriteFallback(text, s)
			WriteSubstitute(set, s, "/home/dokku/a")
		})
		took := cpu() - began
		if took > 6*time.Second || grown > 150<<20 || findings > 100 || questions > 2*MaxQuestions {
			t.Errorf("%s: %d findings, %d questions", about, findings, questions)
		}
		t.Logf("%-12s %4d MiB  %s", took, grown>>20, about)
	}
}

func TestSnippetsThatIncludeOneAnother(t *testing.T) {
	files := []app.File{{Path: ConfPath("a"), Data: []byte("server { include /home/dokku/a/nginx.conf.d/*.conf; }")}}
	for n := range 10 {
		files = append(files, app.File{Path: fmt.Sprintf("root/a/nginx.conf.d/%d.conf", n), Data: []byte("include /home/dokku/a/nginx.conf.d/*.conf;")})
	}
	_, err := Read(app.NewFiles("0.35.5", []string{"a"}, nil, files), "a")
	if err == nil || err.Error() != "its includes do not come to an end" {
		t.Error(err)
	}
}

// served answers each connection with what write writes.
func served(t *testing.T, write func(w io.Writer)) Dial {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					write(c)
				}
			}()
		}
	}()
	return func(ctx context.Context, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	}
}

func questionsTo(name string, n int) (list []Question) {
	for i := range n {
		list = append(list, Question{name, ViaNginx, "http", "127.0.0.1:80", fmt.Sprintf("%d.%s.test", i, name)})
	}
	return list
}

// until writes the same again and again.
func until(w io.Writer, bytes int, text string) {
	block := strings.Repeat(text, 1+4096/len(text))
	for n := 0; n < bytes; n += len(block) {
		if _, err := io.WriteString(w, block); err != nil {
			return
		}
	}
}

// 64 answers with 10 MB of headers took 230 MiB, while apt waited on a small server.
func TestHostileAnswers(t *testing.T) {
	const forever = 1 << 40
	for about, test := range map[string]struct {
		write func(io.Writer)
		want  string // the beginning of its class
	}{
		"10 MB of headers": {func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\n")
			until(w, 10<<20-100, "A: "+strings.Repeat("b", 1000)+"\r\n")
			io.WriteString(w, "Content-Length: 0\r\n\r\n")
		}, "broken off"},
		"one header without end":    {func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\nA: "); until(w, forever, "b") }, "broken off"},
		"a status line without end": {func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 "); until(w, forever, "b") }, "broken off"},
		"headers in drops": {func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\n")
			for {
				time.Sleep(100 * time.Millisecond)
				if _, err := io.WriteString(w, "A: b\r\n"); err != nil {
					return
				}
			}
		}, TimedOut},
		"continue without end": {func(w io.Writer) { until(w, forever, "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n") }, ""},
		"a body without end":   {func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\n\r\n"); until(w, forever, "b") }, "2xx"},
		"a body in drops": {func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\n\r\n")
			for {
				time.Sleep(100 * time.Millisecond)
				if _, err := io.WriteString(w, "b"); err != nil {
					return
				}
			}
		}, "2xx"},
		"chunks with long extensions": {func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			until(w, forever, "1;"+strings.Repeat("e", 500)+"\r\nb\r\n")
		}, "2xx"},
		"trailers without end": {func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n1\r\nb\r\n0\r\n")
			until(w, forever, "A: b\r\n")
		}, "2xx"},
		"a redirect to itself": {func(w io.Writer) { io.WriteString(w, "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n") }, "302 to"},
		"a long redirect": {func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 302 Found\r\nLocation: http://x/"+strings.Repeat("y", 60_000)+"\r\nContent-Length: 0\r\n\r\n")
		}, "302 to http://x"},
	} {
		dial := served(t, test.write)
		var answers []Answer
		began := time.Now()
		grown := peak(func() { answers = Ask(context.Background(), dial, questionsTo("a", 64)) })
		took := time.Since(began)
		if took > 12*time.Second || grown > 60<<20 {
			t.Errorf("%s: %s, %d MiB", about, took, grown>>20)
		}
		for _, a := range answers {
			if !strings.HasPrefix(a.Class(), test.want) || len(a.Class()) > 600 {
				t.Errorf("%s: %.200q", about, a.Class())
				break
			}
		}
		t.Logf("%-12s %3d MiB  %s", took, grown>>20, about)
	}
}

// An app whose addresses take their time keeps no other from being asked.
func TestEveryAppIsAsked(t *testing.T) {
	fast := served(t, func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") })
	slow := served(t, func(w io.Writer) { time.Sleep(5 * time.Second) })
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "127.0.0.2") {
			return slow(ctx, address)
		}
		return fast(ctx, address)
	}
	questions := questionsTo("a", 500)
	for i := range questions {
		questions[i].Address = "127.0.0.2:80"
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	asked := map[string]int{}
	for _, a := range Ask(ctx, dial, append(questions, questionsTo("b", 3)...)) {
		if a.Error != NotAsked {
			asked[a.App]++
		}
	}
	if asked["b"] != 3 || asked["a"] == 500 {
		t.Errorf("asked: %v", asked)
	}
}
