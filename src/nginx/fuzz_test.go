package nginx

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"upgrade-guard/src/app"
)

// soon fails a fuzz test where work takes out of all proportion to what it was given.
func soon(t *testing.T, size int, work func()) {
	t.Helper()
	began := cpu()
	work()
	if took := cpu() - began; took > time.Second+time.Duration(size)*10*time.Microsecond {
		t.Fatalf("%d bytes took %s", size, took)
	}
}

// Whatever stands in an app's configuration, in the snippets that it includes and in
// what Dokku has recorded of its domains and ports.
func FuzzRead(f *testing.F) {
	for _, seed := range [][4]string{
		{"server { include /home/dokku/a/nginx.conf.d/*.conf; }", "location / { return 502; }", "a.test\n*.b.test", "http:80:5000"},
		{"include /home/dokku/a/nginx.conf.d/*; upstream a-5000 { server 172.17.0.2:5000; }", "include /home/dokku/a/nginx.conf.d/*;", "", "https:443:5000\ngrpc:1:2"},
		{"server { listen [::]:443 ssl; http2 on; ssl_certificate /home/dokku/a/tls/server.crt; }", "", "_", "a:b:c"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, conf, snippet, vhost, ports string) {
		path := "root/a/nginx.conf.d/"
		files := app.NewFiles("0.35.5", []string{"a"}, nil, []app.File{
			{Path: ConfPath("a"), Data: []byte(conf)}, {Path: path + "1.conf", Data: []byte(snippet)}, {Path: path + "2.conf", Data: []byte(snippet)},
			{Path: "root/a/VHOST", Data: []byte(vhost)}, {Path: "lib/config/ports/a/map", Data: []byte(ports)},
			{Path: "root/a/CONTAINER.web.1", Data: []byte("c1")}, {Path: "facts/docker", Data: []byte(`{"id":"c1","running":true,"networks":{"bridge":{"IPAddress":"172.17.0.2"}}}`)},
		})
		soon(t, len(conf)+len(snippet)+len(vhost)+len(ports), func() {
			now := app.Read(files)
			Check(files, now, OwnersOf(now))
			Serves(files, now.Apps["a"])
			for _, q := range Questions(files, now.Apps["a"]) {
				host, port, err := net.SplitHostPort(q.Address)
				if err != nil || q.App != "a" || q.Via == ViaNginx && net.ParseIP(host) == nil {
					t.Fatalf("%+v at %q %q", q, host, port)
				}
			}
			if mended, err := WriteFallback(conf, now.Apps["a"]); err == nil {
				if _, err := Parse(mended); err != nil && len(mended) < maxText {
					t.Fatalf("the fallback\n%s\ncannot be read: %v", mended, err)
				}
			}
			WriteSubstitute(files, now.Apps["a"], "/home/dokku/a")
		})
	})
}

// Whatever answers where an app should.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 302 Found\r\nLocation: https://a.test/%0a%1b[2J?token=x\r\n\r\n", "HTTP/1.0 502\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00", "SSH-2.0-x\r\n", "\x15\x03\x01\x00\x02\x02\x16", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		dial := func(context.Context, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				defer there.Close()
				if _, err := http.ReadRequest(bufio.NewReader(there)); err == nil {
					_, _ = there.Write(answer)
				}
			}()
			return here, nil
		}
		soon(t, len(answer), func() {
			a := one(context.Background(), dial, Question{App: "a", Via: Container, Scheme: "http", Address: "127.0.0.1:5000", Host: "a.test"})
			if len(a.Class()) > locationLimit+100 {
				t.Fatalf("%d bytes are kept of it", len(a.Class()))
			}
			data, err := Encode([]Answer{a})
			if err != nil {
				t.Fatal(err)
			}
			if back := Decode(data); len(back) != 1 || back[0].Status != a.Status || back[0].Error != a.Error {
				t.Fatalf("%+v reads back as %+v", a, back)
			}
		})
	})
}
