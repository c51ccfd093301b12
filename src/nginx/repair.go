package nginx

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
)

// Marks of the files that are the guard's own work. Dokku's next build of the
// file replaces it whole, mark and all.
const (
	StopGap  = "stop-gap"
	SetAside = "set aside"
)

const markLine = "# upgrade-guard: "

// AsideMark is how a file begins that stands in place of one that is set aside.
const AsideMark = markLine + SetAside

func mark(what string) string {
	return markLine + what + ". The next dokku proxy:build-config replaces this file.\n"
}

func markOf(text string) string {
	for _, m := range []string{StopGap, SetAside} {
		if strings.HasPrefix(text, mark(m)) {
			return m
		}
	}
	return ""
}

// ErrNoStopGap says that there is nothing to write a stop-gap from.
var ErrNoStopGap = errors.New("there is no configuration to mend, or no running web container")

// WriteStopGap is what operators do by hand where Dokku cannot build an app's
// configuration: the same text, with upstreams that are written from the
// addresses of the app's running containers. Where 0.38 has written return 502 in
// place of a proxy_pass, that is put there too.
func WriteStopGap(text string, s app.State) (string, error) {
	list, err := Parse(text)
	if err != nil {
		return "", err
	}
	_, byContainer := running(s)
	if len(byContainer) == 0 || len(list) == 0 {
		return "", ErrNoStopGap
	}
	g := stopGap{state: s, port: mapped(s), needs: map[string]bool{}}
	for _, d := range list {
		switch d.Name {
		case "upstream":
			if len(d.Args) == 1 && ofApp(d.Args[0], s.Name) {
				g.edits = append(g.edits, edit{d.Start, d.End, ""}) // written anew below
				g.needs[d.Args[0]] = true
			}
		case "server":
			g.server(d.Block)
		}
	}
	if len(g.needs) == 0 {
		return "", ErrNoStopGap
	}
	if len(g.needs)*len(byContainer) > maxServers {
		return "", fmt.Errorf("its %d upstreams have too many servers", len(g.needs))
	}
	var out strings.Builder
	out.WriteString(g.apply(strings.TrimPrefix(text, mark(StopGap)), len(text)-len(strings.TrimPrefix(text, mark(StopGap)))))
	containers := slices.Sorted(maps.Keys(byContainer))
	for _, upstream := range slices.Sorted(maps.Keys(g.needs)) {
		port := "5000" // Dokku's own default
		if i := strings.LastIndexByte(upstream, '-'); i >= 0 && isNumber(upstream[i+1:]) && ofApp(upstream, s.Name) && upstream != s.Name {
			port = upstream[i+1:]
		}
		fmt.Fprintf(&out, "\nupstream %s {\n", upstream)
		for _, container := range containers {
			fmt.Fprintf(&out, "  server %s;\n", net.JoinHostPort(byContainer[container][0], port))
		}
		out.WriteString("}\n")
	}
	if out.Len() > maxText-len(mark(StopGap)) {
		return "", fmt.Errorf("the stop-gap would be larger than 1 MiB%w", errLarge)
	}
	return mark(StopGap) + out.String(), nil
}

// maxServers is how many servers a stop-gap may name in all its upstreams.
const maxServers = 20_000

type edit struct {
	from, to int
	text     string
}

type stopGap struct {
	state app.State
	port  func(hostPort string) string
	needs map[string]bool
	edits []edit
}

// server finds what a server block passes to, and what it refuses.
func (g *stopGap) server(block []Directive) {
	port := "80"
	for _, d := range block {
		if d.Name == "listen" {
			port = listenOf(d.Args).Port
		}
	}
	var walk func([]Directive, bool)
	walk = func(list []Directive, whole bool) {
		for _, d := range list {
			switch {
			case (d.Name == "proxy_pass" || d.Name == "grpc_pass") && len(d.Args) == 1:
				if u := passOf(d.Name, d.Args[0]).Upstream; ofApp(u, g.state.Name) {
					g.needs[u] = true
				}
			case d.Name == "return" && len(d.Args) > 0 && d.Args[0] == "502" && whole:
				u := g.state.Name + "-" + g.port(port)
				g.needs[u] = true
				g.edits = append(g.edits, edit{d.Start, d.End, proxyTo(u)})
			case d.Name == "location":
				walk(d.Block, len(d.Args) == 1 && d.Args[0] == "/")
			default:
				walk(d.Block, false)
			}
		}
	}
	walk(block, false)
}

// proxyTo passes requests on with the headers that apps behind Dokku are used
// to.
func proxyTo(upstream string) string {
	lines := []string{
		"proxy_pass http://" + upstream + ";", "proxy_http_version 1.1;",
		"proxy_set_header Host $http_host;", "proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $http_connection;",
		"proxy_set_header X-Forwarded-For $remote_addr;", "proxy_set_header X-Forwarded-Port $server_port;", "proxy_set_header X-Forwarded-Proto $scheme;",
	}
	return strings.Join(lines, "\n    ")
}

// ContainerPort is the port that an app's containers listen on, as far as is
// known.
func ContainerPort(s app.State) string { return mapped(s)("80") }

// mapped is the port that a host port is mapped to.
func mapped(s app.State) func(hostPort string) string {
	to := map[string]string{}
	for _, list := range [][]string{s.Ports.Map, s.Ports.Detected} {
		for _, m := range list {
			if parts := strings.Split(m, ":"); len(parts) == 3 && to[parts[1]] == "" {
				to[parts[1]] = parts[2]
			}
		}
	}
	return func(hostPort string) string {
		if to[hostPort] != "" {
			return to[hostPort]
		}
		for _, w := range s.Web() {
			if isNumber(w.Port) {
				return w.Port
			}
		}
		return "5000"
	}
}

// apply makes the edits in a text that begins skip bytes into the one they were
// found in.
func (g *stopGap) apply(text string, skip int) string {
	slices.SortFunc(g.edits, func(a, b edit) int { return a.from - b.from })
	var out strings.Builder
	at := 0
	for _, e := range g.edits {
		out.WriteString(text[at:e.from-skip] + e.text)
		at = e.to - skip
	}
	return strings.TrimRight(out.String()+text[at:], "\n") + "\n"
}

// WriteAside is what stands in place of a configuration that is set aside: it
// answers 503 under the app's names, because nginx gives the requests for a name
// that nobody has to another app.
func WriteAside(f *app.Files, s app.State) string {
	var out strings.Builder
	out.WriteString(mark(SetAside))
	config, err := Read(f, s.Name)
	if err != nil || len(config.Servers) == 0 {
		config.Servers = []Server{{Names: s.Domains.Effective(), Listens: []Listen{{Port: "80"}}}}
	}
	for _, server := range config.Servers {
		tls := slices.ContainsFunc(server.Listens, func(l Listen) bool { return l.TLS })
		if tls && (s.Certificate == nil || !s.Certificate.KeyFits || server.Certificate == "") || len(server.Names) == 0 {
			continue // nothing can be answered there
		}
		out.WriteString("\nserver {\n")
		seen := map[string]bool{}
		for _, l := range server.Listens {
			address := l.Port
			if l.Address != "" {
				address = net.JoinHostPort(l.Address, l.Port)
			}
			if tls {
				address += " ssl"
			}
			line := "  listen " + address + ";\n"
			if !seen[line] {
				seen[line] = true
				out.WriteString(line)
			}
		}
		out.WriteString("  server_name " + strings.Join(quoted(server.Names), " ") + ";\n")
		if tls {
			fmt.Fprintf(&out, "  ssl_certificate %q;\n  ssl_certificate_key %q;\n", server.Certificate, server.Key)
		}
		out.WriteString("  return 503;\n}\n")
	}
	return out.String()
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n
		if strings.ContainsAny(n, " \t\r\n;{}\"'\\") {
			out[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(n) + `"`
		}
	}
	return out
}

// AsidePath is where an app's configuration is kept while it is set aside: beside
// its place, under a name that nginx does not include.
func AsidePath(conf string) string { return conf + ".set-aside" }

// Culprit is the app whose file nginx -t names in its complaint; "" when it is
// none of an app's.
func Culprit(complaint, dokkuRoot string, apps []string) string {
	for _, name := range apps {
		dir := filepath.Join(dokkuRoot, name)
		for _, at := range []string{dir + "/nginx.conf:", dir + "/nginx.conf.d/", dir + "/tls/", dir + "/letsencrypt/"} {
			if strings.Contains(complaint, at) || strings.Contains(complaint, strings.TrimSuffix(at, ":")+"\"") {
				return name
			}
		}
	}
	return ""
}
