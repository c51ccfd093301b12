package rename

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/say"
)

// atServer is a host on which whatever is dialled is one server.
type atServer struct {
	host.Host
	address string
}

func (s atServer) Dial(ctx context.Context, _ string) (net.Conn, error) {
	return s.Host.Dial(ctx, s.address)
}

// nginx reloads behind our back: whoever answers worse at once is asked again, and for
// no longer than a few seconds.
func TestNginxIsGivenTime(t *testing.T) {
	q := nginx.Question{App: "blog", Via: nginx.ViaNginx, Scheme: "http", Address: "127.0.0.1:80", Host: "blog.example.org"}
	for _, c := range []struct {
		about  string
		bad    int // answers with 502 before the good ones
		ended  bool
		asked  int
		paused time.Duration
		want   string
	}{
		{"good at once", 0, false, 1, 0, ""},
		{"good at the third time", 2, false, 3, 2 * pollInterval, ""},
		{"never good", 100, false, 10, 9 * pollInterval, "http://blog.example.org is answered by 502, and was by 2xx"},
		{"ended while it waits", 100, true, 1, 0, context.Canceled.Error()},
	} {
		asked, paused := 0, time.Duration(0)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked <= c.bad {
				w.WriteHeader(http.StatusBadGateway)
			}
		}))
		ctx, end := context.WithCancel(context.Background())
		r := newRename(t, func(h host.Host) host.Host {
			return &host.Faulty{Host: atServer{h, strings.TrimPrefix(server.URL, "http://")}, Pause: func(d time.Duration) error {
				if c.ended {
					end()
					return ctx.Err()
				}
				paused += d
				return nil
			}}
		})
		r.Answers = []nginx.Answer{{Question: q, Status: 200}}
		said := ""
		if err := r.worse(ctx, ""); err != nil {
			said = err.Error()
		}
		if said != c.want || asked != c.asked || paused != c.paused {
			t.Errorf("%s: %q, asked %d times, waited %s", c.about, said, asked, paused)
		}
		end()
		server.Close()
	}
}

// An answer is the app's own where nginx gives the question to it, and it has a container
// to answer: the page of another app, or of a default site, proves nothing of it.
func TestOwnAnswers(t *testing.T) {
	question := func(via, host, address string) nginx.Question {
		return nginx.Question{App: "blog", Via: via, Scheme: "http", Address: address, Host: host}
	}
	answers := []nginx.Answer{
		{Question: question(nginx.ViaNginx, "blog.example.org", "127.0.0.1:80"), Status: 200},
		{Question: question(nginx.ViaNginx, "both.example.org", "127.0.0.1:80"), Status: 200},
		{Question: question(nginx.ViaNginx, "nobodys.example.org", "127.0.0.1:80"), Status: 200},
		{Question: question(nginx.ViaNginx, "blog.example.org", "127.0.0.1:8080"), Status: 200},
		{Question: question(nginx.Container, "blog.example.org", "172.17.0.2:5000"), Status: 401},
		{Question: question(nginx.Container, "blog.example.org", "172.17.0.3:5000"), Status: 401},
		{Question: question(nginx.Container, "blog.example.org", "172.17.0.2:6000"), Error: nginx.NoConnection},
	}
	files := app.NewFiles("0.35.5", []string{"another", "blog"}, nil, nil)
	files.AddFact("root/another/nginx.conf", []byte("server { listen 80; server_name both.example.org; }"))
	files.AddFact("root/blog/nginx.conf", []byte("server { listen 80; server_name blog.example.org both.example.org; }"))
	web, worker := app.Container{Type: "web", Running: true}, app.Container{Type: "worker", Running: true}
	for _, c := range []struct {
		about      string
		containers []app.Container
		mine       int
		alive      string
	}{
		{"served", []app.Container{web, worker}, 1, "5000"},
		{"without web", []app.Container{worker}, 0, ""},
		{"web does not run", []app.Container{{Type: "web"}, worker}, 0, ""},
	} {
		mine, alive := own(files, app.State{Name: "blog", Containers: c.containers}, answers)
		if len(mine) != c.mine || strings.Join(alive, " ") != c.alive || c.mine == 1 && mine[0] != answers[0] {
			t.Errorf("%s: %v, %v", c.about, mine, alive)
		}
	}
}

// inspected is a running web container of journal's.
const inspected = `{"id":"4711","running":true,"status":"running","networks":{"bridge":{"IPAddress":"172.17.0.9"}}}`

// A 401 before and after is nginx's own, and an app behind it may be dead. What an app
// answers otherwise than before must be its own.
func TestAnAnswerThatIsNoProof(t *testing.T) {
	const container = "172.17.0.9:5000"
	for _, c := range []struct {
		about                   string
		phase                   string
		before, after, directly int // directly 0: nobody is there
		alive                   bool
		want                    string
	}{
		{"a password, and the app works", Switch, 401, 401, 200, true, ""},
		{"a password, and the app is dead", Switch, 401, 401, 0, true, "its container at 172.17.0.9:5000 answers by refused, and the old app's did"},
		{"it spoke no HTTP before", Switch, 401, 401, 0, false, ""},
		{"as before", Switch, 200, 200, 200, true, ""},
		{"another's page", Switch, 200, 404, 200, true, "http://blog.example.org is answered by 404, and was by 2xx"},
		{"the app itself has changed its mind", Switch, 200, 404, 404, true, ""},
		{"when it has its place it is said", Clean, 200, 404, 200, true, ""},
		{"but an error is one", Clean, 200, 502, 200, true, "http://blog.example.org is answered by 502, and was by 2xx"},
	} {
		serve := func(status int) string {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			t.Cleanup(server.Close)
			return strings.TrimPrefix(server.URL, "http://")
		}
		at := map[string]string{"127.0.0.1:80": serve(c.after), container: "127.0.0.1:1"}
		if c.directly != 0 {
			at[container] = serve(c.directly)
		}
		var said strings.Builder
		r := newRename(t, func(h host.Host) host.Host {
			d := &docker{Host: h, answer: func(command string) (string, error) {
				if strings.HasPrefix(command, "docker inspect") {
					return inspected + "\n", nil
				}
				return "4711\n", nil
			}}
			return &host.Faulty{Host: atServers{d, at}, Pause: func(time.Duration) error { return nil }}
		})
		r.Out = &say.Printer{Out: &said, Err: &said}
		for name, content := range map[string]string{"CONTAINER.web.1": "4711", "IP.web.1": "172.17.0.9", "PORT.web.1": "5000", "VHOST": "blog.example.org\n"} {
			if err := r.Host.Write(r.Host.Paths().App("journal")+"/"+name, 0o644, []byte(content)); err != nil {
				t.Fatal(err)
			}
		}
		r.Phase = c.phase
		r.Answers = []nginx.Answer{{Question: nginx.Question{App: "blog", Via: nginx.ViaNginx, Scheme: "http", Address: "127.0.0.1:80", Host: "blog.example.org"}, Status: c.before}}
		if c.alive {
			r.Alive = []string{"5000"}
		}
		got := ""
		if err := r.worse(context.Background(), ""); err != nil {
			got = err.Error()
		}
		if got != c.want || strings.Contains(said.String(), "is answered by 404, and was by 2xx") != (c.about == "when it has its place it is said") {
			t.Errorf("%s: %q, and said %q", c.about, got, said.String())
		}
	}
}

// atServers is a host on which addresses lead to servers of a test's.
type atServers struct {
	host.Host
	at map[string]string
}

func (s atServers) Dial(ctx context.Context, address string) (net.Conn, error) {
	return s.Host.Dial(ctx, s.at[address])
}
