package nginx_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A host with two hundred apps of which ten are broken, under a real nginx: the
// guard's look and repair, and beside it what proxy:build-config --all does. The
// containers are addresses of this machine's own, where one server plays them all.
func BenchmarkTwoHundredApps(b *testing.B) {
	m := newMachine(b, false)
	listener, err := net.Listen("tcp4", "0.0.0.0:5000")
	if err != nil {
		b.Skipf("the apps' port is taken: %v", err)
	}
	defer listener.Close()
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "app=%s\n", r.Context().Value(http.LocalAddrContextKey))
	}))
	const apps, broken = 200, 10
	var containers []any
	for n := range apps {
		name, ip := fmt.Sprintf("app-%03d", n), fmt.Sprintf("127.0.77.%d", n+1)
		m.create(name, false)
		m.record(name, name, ip)
		containers = append(containers, map[string]any{
			"Id": name, "Name": "/" + name, "State": map[string]any{"Running": true, "Status": "running"},
			"Config":          map[string]any{"Image": "answer", "WorkingDir": "", "Labels": map[string]string{"com.dokku.app-name": name}},
			"NetworkSettings": map[string]any{"Networks": map[string]any{"bridge": map[string]string{"IPAddress": ip}}},
		})
	}
	list, err := json.Marshal(containers)
	if err != nil {
		b.Fatal(err)
	}
	m.write("docker-inspect.json", string(list))
	all := func() {
		for n := range apps {
			m.build(fmt.Sprintf("app-%03d", n))
		}
	}
	all()
	if out, err := m.routes(); err != nil || out != "" {
		b.Fatalf("%v\n%s", err, out)
	}

	b.Run("nothing to do", func(b *testing.B) {
		for b.Loop() {
			if out, err := m.routes(); err != nil || out != "" {
				b.Fatalf("%v\n%s", err, out)
			}
		}
	})
	b.Run("ten broken", func(b *testing.B) {
		before, rounds := m.reloads(), 0
		for b.Loop() {
			b.StopTimer()
			for n := range broken {
				name := fmt.Sprintf("home/dokku/app-%03d/nginx.conf", n*apps/broken)
				m.write(name, strings.ReplaceAll(m.read(name), "server 127.0.77.", "server 127.0.78."))
			}
			b.StartTimer()
			out, err := m.routes()
			if built := strings.Count(out, "built by Dokku"); err != nil || built != broken {
				b.Fatalf("%d built, %v\n%s", built, err, out)
			}
			rounds++
		}
		b.ReportMetric(float64(m.reloads()-before)/float64(rounds), "reloads")
	})
	b.Run("proxy:build-config --all", func(b *testing.B) {
		before, rounds := m.reloads(), 0
		for b.Loop() {
			all()
			rounds++
		}
		b.ReportMetric(float64(m.reloads()-before)/float64(rounds), "reloads")
	})
}
