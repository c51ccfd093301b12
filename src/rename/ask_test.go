package rename

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
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
