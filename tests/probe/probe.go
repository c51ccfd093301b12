// Package probe asks this machine's nginx again and again, to see whether anything
// is refused while something else goes on.
package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Target is an address and the app that answers there.
type Target struct{ URL, App string }

// Result is how the requests to one address ended.
type Result struct {
	Target
	Asked, Refused, Failed, Foreign int
	// Gap is the longest time without a good answer.
	Gap time.Duration
	// First is the first that went wrong.
	First string
}

// Bad is how many requests did not get the app's own answer.
func (r Result) Bad() int { return r.Refused + r.Failed + r.Foreign }

func (r Result) String() string {
	return fmt.Sprintf("%s: %d asked, %d refused, %d failed, %d foreign, longest gap %s %s", r.URL, r.Asked, r.Refused, r.Failed, r.Foreign, r.Gap.Round(time.Millisecond), r.First)
}

// Run asks every target rate times a second until the context ends. Each request
// is a connection of its own, to the machine itself whatever the name.
func Run(ctx context.Context, targets []Target, rate int) []Result {
	results := make([]Result, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() { results[i] = one(ctx, t, rate) })
	}
	wg.Wait()
	return results
}

func one(ctx context.Context, t Target, rate int) Result {
	r := Result{Target: t}
	var mu sync.Mutex
	var wg sync.WaitGroup
	last := time.Now()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for n := 0; n < 20*600; n++ { // bounded, whoever forgets to end it
		select {
		case <-ctx.Done():
			end := time.Now()
			wg.Wait()
			// What has not come back by now is a gap too.
			r.Gap = max(r.Gap, end.Sub(last))
			return r
		case <-tick.C:
		}
		wg.Go(func() {
			status, app, err := Ask(t.URL)
			mu.Lock()
			defer mu.Unlock()
			r.Asked++
			what := fmt.Sprintf("status %d, app %q", status, app)
			switch {
			case err != nil:
				r.Refused++
				what = err.Error()
			case status >= 500 || status < 200:
				r.Failed++
			case app != t.App:
				r.Foreign++
			default:
				r.Gap, last = max(r.Gap, time.Since(last)), time.Now()
				return
			}
			if r.First == "" {
				r.First = "(first: " + what + ")"
			}
		})
	}
	wg.Wait()
	return r
}

var appName = regexp.MustCompile(`(?:app=)?([a-z0-9_.-]+)`)

// Ask asks once. The recorded hosts' apps answer with their name first, or with
// app= and their name; nginx's own page is nobody's.
func Ask(address string) (status int, app string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, "", err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			},
			// The certificate is the app's own, for a name nobody vouches for.
			TLSClientConfig: &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true},
		},
	}
	res, err := client.Get(address)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	if to := res.Header.Get("Location"); res.StatusCode == http.StatusMovedPermanently && strings.HasPrefix(to, "https://") {
		return Ask(strings.Replace(address, "http://", "https://", 1)) // as Dokku's nginx has it with a certificate
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1000))
	if err != nil {
		return res.StatusCode, "", err
	}
	if m := appName.FindSubmatch(body); m != nil && !strings.HasPrefix(string(body), "<") {
		app = string(m[1])
	}
	return res.StatusCode, app, nil
}
