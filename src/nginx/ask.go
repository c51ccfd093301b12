package nginx

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// How much is asked, and how long is waited.
const (
	AtOnce    = 64
	patience  = 2 * time.Second
	bodyLimit = 64 << 10
	// headerLimit is eight times what nginx takes of an app by default.
	headerLimit = 64 << 10
	// locationLimit is as much as is kept of where a redirect leads.
	locationLimit = 500
	// MaxQuestions is how much is asked about one app, of nginx and of its containers.
	MaxQuestions = 10_000
	// askingTime is how long all questions together may take.
	askingTime = 30 * time.Second
	// UserAgent is how the questions are known in an access log.
	UserAgent = "upgrade-guard (dokku)"
)

// Errors of a question: to a port that nobody listens on, and of one that took
// too long.
const (
	NoConnection = "refused"
	TimedOut     = "no answer in time"
	NotAsked     = "not asked"
)

// Where a question goes.
const (
	ViaNginx  = "nginx"
	Container = "container"
)

// Question is one request. It goes to an address of this machine only: where its
// nginx listens, or a container's.
type Question struct {
	App     string `json:"app"`
	Via     string `json:"via"` // ViaNginx, or Container
	Scheme  string `json:"scheme"`
	Address string `json:"address"` // host:port that is connected to
	// Host is the domain that is asked for.
	Host string `json:"host"`
}

// String is the question as a person would type it.
func (q Question) String() string {
	_, port, _ := net.SplitHostPort(q.Address)
	if q.Via == ViaNginx && (q.Scheme == "http" && port == "80" || q.Scheme == "https" && port == "443") {
		return q.Scheme + "://" + q.Host
	}
	if q.Via == ViaNginx {
		return q.Scheme + "://" + net.JoinHostPort(q.Host, port)
	}
	return q.Scheme + "://" + q.Address
}

// Answer is what came of a question. It holds no content: of the body its digest,
// of a redirect the host that it leads to. What stands behind that may be a secret,
// in the path too (a link that logs in): of it there is a fingerprint.
type Answer struct {
	Question
	Status      int    `json:"status,omitempty"`
	Location    string `json:"location,omitempty"`    // scheme and host; with a path in snapshots of 0.1.0
	Rest        string `json:"rest,omitempty"`        // fingerprint of what follows
	Certificate string `json:"certificate,omitempty"` // SHA-256
	Body        string `json:"body,omitempty"`        // SHA-256 of its beginning
	Error       string `json:"error,omitempty"`
}

// Class says how an answer went: "200", "redirect to …", "refused". Two answers
// of a class are as good as each other.
func (a Answer) Class() string {
	switch {
	case a.Error != "":
		return a.Error
	case a.Status/100 == 3 && a.Location != "":
		to, err := url.Parse(a.Location)
		if err != nil {
			return fmt.Sprint(a.Status)
		}
		return fmt.Sprintf("%d to %s://%s", a.Status, to.Scheme, to.Host)
	case a.Status/100 == 2:
		return "2xx"
	}
	return fmt.Sprint(a.Status)
}

// Good tells whether the app has answered, if with an error of its own: 502 to
// 504 are nginx's, for an app that it does not reach.
func (a Answer) Good() bool { return a.Error == "" && a.Status < 502 }

// Questions are what there is to ask about an app: each of its domains on each of
// its host ports, where its nginx.conf listens; and each running web container.
// Without a configuration nginx is asked all the same: who answers then is worth
// knowing. Apps that another proxy serves are asked for their containers alone.
func Questions(f *app.Files, s app.State) []Question {
	var list []Question
	asked, limit := map[Question]bool{}, MaxQuestions
	add := func(q Question) (more bool) {
		if !asked[q] && len(list) < limit {
			asked[q] = true
			list = append(list, q)
		}
		return len(list) < limit
	}
	if s.Proxy.Elsewhere() || len(s.Containers) == 0 {
		return nil // a cluster's, or never deployed
	}
	hosts := slices.DeleteFunc(slices.Clone(s.Domains.Effective()), func(d string) bool { return !plainName(d) })
	if byNginx, _ := s.Proxy.ByNginx(); byNginx {
		config, _ := Read(f, s.Name)
		names := hosts
		if len(names) == 0 {
			names = []string{loopback} // an app by its port alone
		}
		for _, m := range portMap(s, config) {
			for _, d := range names {
				if !add(Question{s.Name, ViaNginx, m.scheme, net.JoinHostPort(m.address, m.port), d}) {
					break
				}
			}
		}
	}
	limit += len(list)
	for _, w := range s.Web() {
		if !w.Running || len(w.Addresses) == 0 {
			continue
		}
		host := s.Name
		if len(hosts) > 0 {
			host = hosts[0]
		}
		for _, port := range containerPorts(s, w) {
			if !add(Question{s.Name, Container, "http", net.JoinHostPort(w.Addresses[0], port), host}) {
				break
			}
		}
	}
	return list
}

// plainName tells a name that can be asked for from a pattern.
func plainName(name string) bool {
	return name != "" && name != "_" && !strings.ContainsAny(name, "*~/:\\^$ ")
}

type mapping struct{ scheme, address, port string }

// portMap are the host ports that speak HTTP, by the port map or, where none is
// set, by the configuration; with the address that nginx listens on there.
func portMap(s app.State, config Config) []mapping {
	at, own := map[string]string{}, ownAddresses()
	for _, server := range config.Servers {
		for _, l := range server.Listens {
			if at[l.Port] == "" && l.Address != "" && l.Address != "::" && own(l.Address) {
				at[l.Port] = l.Address
			}
		}
	}
	address := func(port string) string {
		if at[port] != "" {
			return at[port]
		}
		return loopback
	}
	var list []mapping
	for _, m := range s.Ports.Map {
		parts := strings.Split(m, ":")
		if len(parts) == 3 && (parts[0] == "http" || parts[0] == "https" && s.Certificate != nil) {
			list = append(list, mapping{parts[0], address(parts[1]), parts[1]})
		}
	}
	if len(list) > 0 {
		return list
	}
	seen := map[mapping]bool{}
	for _, server := range config.Servers {
		grpc := slices.ContainsFunc(server.Passes, func(p Pass) bool { return strings.HasPrefix(p.Scheme, "grpc") })
		for _, l := range server.Listens {
			m := mapping{"http", address(l.Port), l.Port}
			if l.TLS {
				m.scheme = "https"
			}
			if !grpc && !seen[m] {
				seen[m] = true
				list = append(list, m)
			}
		}
	}
	return list
}

// ownAddresses tells whether an address is one of this machine's.
func ownAddresses() func(address string) bool {
	own := sync.OnceValue(func() []net.Addr {
		list, _ := net.InterfaceAddrs()
		return list
	})
	return func(address string) bool {
		ip := net.ParseIP(address)
		return ip != nil && (ip.IsLoopback() || slices.ContainsFunc(own(), func(a net.Addr) bool {
			n, ok := a.(*net.IPNet)
			return ok && n.IP.Equal(ip)
		}))
	}
}

// containerPorts are the ports that a container listens on for http.
func containerPorts(s app.State, w app.Container) []string {
	var ports []string
	seen := map[string]bool{}
	for _, list := range [][]string{s.Ports.Map, s.Ports.Detected} {
		for _, m := range list {
			if parts := strings.Split(m, ":"); len(parts) == 3 && strings.HasPrefix(parts[0], "http") && !seen[parts[2]] {
				seen[parts[2]] = true
				ports = append(ports, parts[2])
			}
		}
		if len(ports) > 0 {
			return ports
		}
	}
	if isNumber(w.Port) {
		return []string{w.Port}
	}
	return []string{"5000"}
}

// Dial connects to an address of this machine.
type Dial func(ctx context.Context, address string) (net.Conn, error)

// Ask asks all questions, 64 at once, each twice at the most, and returns the
// answers in their order. When ctx ends, or half a minute has passed, what is left is
// answered by NotAsked. Every app's first question comes before anybody's second: no
// app with a thousand slow addresses keeps another's from being asked.
func Ask(ctx context.Context, dial Dial, questions []Question) []Answer {
	ctx, cancel := context.WithTimeout(ctx, askingTime)
	defer cancel()
	answers := make([]Answer, len(questions))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(AtOnce, len(questions)) {
		wg.Go(func() {
			for i := range next {
				answers[i] = one(ctx, dial, questions[i])
				if answers[i].Error != "" && ctx.Err() == nil {
					answers[i] = one(ctx, dial, questions[i])
				}
				say.Counted(ctx, len(questions))
			}
		})
	}
	order, rank, asked := make([]int, len(questions)), make([]int, len(questions)), map[string]int{}
	for i, q := range questions {
		order[i], rank[i] = i, asked[q.App]
		asked[q.App]++
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank[a] - rank[b] })
	for _, i := range order {
		next <- i
	}
	close(next)
	wg.Wait()
	return answers
}

func one(ctx context.Context, dial Dial, q Question) Answer {
	a := Answer{Question: q}
	if ctx.Err() != nil {
		a.Error = NotAsked
		return a
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, q.Address) },
		// The certificate is compared, not trusted: self-signed ones are usual.
		TLSClientConfig:        &tls.Config{ServerName: q.Host, InsecureSkipVerify: true},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: headerLimit,
	}
	defer transport.CloseIdleConnections()
	host := q.Host
	if _, port, err := net.SplitHostPort(q.Address); err == nil && q.Via == ViaNginx && port != "80" && port != "443" {
		host = net.JoinHostPort(q.Host, port)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, (&url.URL{Scheme: q.Scheme, Host: host, Path: "/"}).String(), nil)
	if err != nil {
		a.Error = "cannot be asked"
		return a
	}
	r.Header.Set("User-Agent", UserAgent)
	if q.Via == Container { // as nginx would ask
		r.Header.Set("X-Forwarded-For", loopback)
		r.Header.Set("X-Forwarded-Proto", "http")
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		a.Error = reason(err)
		return a
	}
	defer response.Body.Close()
	a.Status = response.StatusCode
	if to, err := response.Location(); err == nil {
		a.Location, a.Rest = to.Scheme+"://"+to.Host, app.Fingerprint(to.RequestURI()+"#"+to.EscapedFragment())
	}
	if len(a.Location) > locationLimit {
		a.Location = strings.ToValidUTF8(a.Location[:locationLimit], "")
	}
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		a.Certificate = app.Digest(response.TLS.PeerCertificates[0].Raw)
	}
	sum := sha256.New()
	if n, err := io.Copy(sum, io.LimitReader(response.Body, bodyLimit)); err == nil && n > 0 {
		a.Body = hex.EncodeToString(sum.Sum(nil))
	}
	return a
}

// reason says what became of a question in a word or two, the same each time.
func reason(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return NoConnection
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	}
	var handshake *tls.CertificateVerificationError
	if errors.As(err, &handshake) || strings.Contains(err.Error(), "tls:") {
		return "no TLS"
	}
	return "broken off"
}
