package nginx

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"upgrade-guard/src/app"
)

// Marks of the files that are the guard's own work. Dokku's next build of the
// file replaces it whole, mark and all.
const (
	markFallback   = "fallback upstream"
	markReplaced   = "in place of a configuration that nginx refused"
	markQuarantine = "quarantined"
)

// earlierMarks are those that files written by 939a39f and before have.
var earlierMarks = map[string]string{"stop-gap": markFallback, "set aside": markQuarantine}

const markLine = "# upgrade-guard: "

func mark(what string) string {
	return markLine + what + ". The next dokku proxy:build-config replaces this file.\n"
}

// markOf is the mark that a text begins with, and the text after it.
func markOf(text string) (found, rest string) {
	for _, m := range []string{markFallback, markReplaced, markQuarantine} {
		if rest, ok := strings.CutPrefix(text, mark(m)); ok {
			return m, rest
		}
	}
	for earlier, m := range earlierMarks {
		if rest, ok := strings.CutPrefix(text, mark(earlier)); ok {
			return m, rest
		}
	}
	return "", text
}

// IsQuarantined tells that a text stands in place of one that is quarantined.
func IsQuarantined(text string) bool {
	m, _ := markOf(text)
	return m == markQuarantine
}

// ErrNoFallback says that there is nothing to write a fallback from.
var ErrNoFallback = errors.New("there is no configuration to mend, or no running web container")

// ErrNoName says that an app's name can stand in no configuration: it has other
// characters than letters, digits, dots, dashes and underscores.
var ErrNoName = errors.New("its name is none that can be written into nginx's configuration")

// WriteFallback is what operators do by hand where Dokku cannot build an app's
// configuration: the same text, with upstreams that are written from the
// addresses of the app's running containers. Where 0.38 has written return 502 in
// place of a proxy_pass, that is put there too. What is put into the text are digits,
// addresses and the app's name, each checked (words.go): docker's answer and Dokku's
// files are what an app makes them.
func WriteFallback(text string, s app.State) (string, error) {
	list, err := Parse(text)
	if err != nil {
		return "", err
	}
	_, byContainer := running(s)
	var addresses []netip.Addr
	for _, container := range slices.Sorted(maps.Keys(byContainer)) {
		if a, ok := firstAddress(byContainer[container]); ok {
			addresses = append(addresses, a)
		}
	}
	switch {
	case len(addresses) == 0 || len(list) == 0:
		return "", ErrNoFallback
	case !plainWord(s.Name):
		return "", ErrNoName
	}
	g := fallback{state: s, port: mapped(s), needs: map[string]bool{}}
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
		return "", ErrNoFallback
	}
	if len(g.needs)*len(byContainer) > maxServers {
		return "", fmt.Errorf("its %d upstreams have too many servers", len(g.needs))
	}
	var out strings.Builder
	rest, marked := text, markFallback
	if m, after := markOf(text); m == markFallback || m == markReplaced {
		rest, marked = after, m
	}
	out.WriteString(g.apply(rest, len(text)-len(rest)))
	for _, upstream := range slices.Sorted(maps.Keys(g.needs)) {
		port, ok := portNumber(strings.TrimPrefix(upstream, s.Name+"-"))
		if !ok {
			port = defaultPort
		}
		fmt.Fprintf(&out, "\nupstream %s {\n", upstream) // the app's name, and digits: see ofApp
		for _, a := range addresses {
			fmt.Fprintf(&out, "  server %s;\n", netip.AddrPortFrom(a, port))
		}
		out.WriteString("}\n")
	}
	if out.Len() > maxText-len(mark(markReplaced)) {
		return "", fmt.Errorf("the fallback would be larger than 1 MiB%w", errLarge)
	}
	return mark(marked) + out.String(), nil
}

// WriteReplacement is a fallback that takes the place of what nginx refuses.
func WriteReplacement(text string, s app.State) (string, error) {
	written, err := WriteFallback(text, s)
	if err != nil {
		return "", err
	}
	_, rest := markOf(written)
	return mark(markReplaced) + rest, nil
}

// maxServers is how many servers a fallback may name in all its upstreams.
const maxServers = 20_000

type edit struct {
	from, to int
	text     string
}

type fallback struct {
	state app.State
	port  func(hostPort string) string
	needs map[string]bool
	edits []edit
}

// server finds what a server block passes to, and what it refuses.
func (g *fallback) server(block []Directive) {
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
// known. It is a number, whatever Dokku's files hold.
func ContainerPort(s app.State) string { return mapped(s)("80") }

// mapped is the port that a host port is mapped to.
func mapped(s app.State) func(hostPort string) string {
	to := map[string]string{}
	for _, list := range [][]string{s.Ports.Map, s.Ports.Detected} {
		for _, m := range list {
			if parts := strings.Split(m, ":"); len(parts) == 3 && to[parts[1]] == "" {
				if port, ok := portNumber(parts[2]); ok {
					to[parts[1]] = strconv.Itoa(int(port))
				}
			}
		}
	}
	return func(hostPort string) string {
		if to[hostPort] != "" {
			return to[hostPort]
		}
		for _, w := range s.Web() {
			if port, ok := portNumber(w.Port); ok {
				return strconv.Itoa(int(port))
			}
		}
		return strconv.Itoa(defaultPort)
	}
}

// ContainerAddress is the address of a container, "" for none.
func ContainerAddress(c app.Container) string {
	if a, ok := firstAddress(c.Addresses); ok {
		return a.String()
	}
	return ""
}

// defaultPort is Dokku's own.
const defaultPort = 5000

// apply makes the edits in a text that begins skip bytes into the one they were
// found in.
func (g *fallback) apply(text string, skip int) string {
	slices.SortFunc(g.edits, func(a, b edit) int { return a.from - b.from })
	var out strings.Builder
	at := 0
	for _, e := range g.edits {
		out.WriteString(text[at:e.from-skip] + e.text)
		at = e.to - skip
	}
	return strings.TrimRight(out.String()+text[at:], "\n") + "\n"
}

// WriteSubstitute is what stands in place of a configuration that is quarantined: it
// answers 503 under the app's names, because nginx gives the requests for a name
// that nobody has to another app. It listens where the configuration does and nowhere
// else, and is "" where that cannot be read. Dir is the app's directory on the host.
//
// Of what is quarantined nothing is copied but numbers of ports, addresses and names of
// hosts, each checked. What else it has of these (a name that is a pattern, a socket)
// is left out, and returned.
func WriteSubstitute(f *app.Files, s app.State, dir string) (text string, leftOut []string) {
	var out strings.Builder
	out.WriteString(mark(markQuarantine))
	config, err := Read(f, s.Name)
	if err != nil || len(config.Servers) == 0 {
		return "", nil
	}
	left := map[string]bool{}
	leave := func(word string) {
		if !left[word] {
			left[word] = true
			leftOut = append(leftOut, word)
		}
	}
	for _, server := range config.Servers {
		tls := slices.ContainsFunc(server.Listens, func(l Listen) bool { return l.TLS })
		if tls && (s.Certificate == nil || !s.Certificate.KeyFits || server.Certificate == "" || !plainPath(dir)) {
			continue // nothing can be answered there
		}
		listens := map[string]bool{}
		for _, l := range server.Listens {
			if address, ok := l.checked(); ok {
				listens[address] = true
			} else {
				leave(strings.TrimPrefix(l.Address+":"+l.Port, ":"))
			}
		}
		names := map[string]bool{}
		for _, name := range server.Names {
			if hostName(name) {
				names[name] = true
			} else {
				leave(name)
			}
		}
		if len(listens) == 0 || len(names) == 0 {
			continue
		}
		out.WriteString("\nserver {\n")
		for _, address := range slices.Sorted(maps.Keys(listens)) {
			if tls {
				address += " ssl"
			}
			fmt.Fprintf(&out, "  listen %s;\n", address)
		}
		fmt.Fprintf(&out, "  server_name %s;\n", strings.Join(slices.Sorted(maps.Keys(names)), " "))
		if tls { // the app's own, whose key is known to fit, whatever stood there
			fmt.Fprintf(&out, "  ssl_certificate %s/tls/server.crt;\n  ssl_certificate_key %s/tls/server.key;\n", dir, dir)
		}
		out.WriteString("  return 503;\n}\n")
	}
	return out.String(), leftOut
}

// QuarantinePath is where an app's configuration is kept while it is quarantined: beside
// its place, under a name that nginx does not include.
func QuarantinePath(conf string) string { return conf + ".set-aside" }

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
