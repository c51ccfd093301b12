package nginx

import (
	"errors"
	"io/fs"
	"net"
	"path"
	"slices"
	"strings"

	"upgrade-guard/src/app"
)

// Config is what an app's nginx.conf says, the snippets of its nginx.conf.d
// included: as Dokku's template writes it, or a person's own.
type Config struct {
	Servers   []Server
	Upstreams []Upstream
	// Mark is markFallback, markReplaced or markQuarantine where the file is the guard's own work.
	Mark string
}

// Server is one server block.
type Server struct {
	Names       []string
	Listens     []Listen
	Certificate string // ssl_certificate, "" for none
	Key         string
	Passes      []Pass
	// Returns502 tells that it answers 502 by itself: what Dokku 0.38 writes for
	// an app that it knows no listeners of.
	Returns502 bool

	http2 string // the directive's argument, "" for none
}

// Listen is one address a server listens on.
type Listen struct {
	Address string // "" for every one of IPv4, :: of IPv6
	Port    string
	TLS     bool
	HTTP2   bool
}

// Pass is one proxy_pass or grpc_pass.
type Pass struct {
	Scheme string // http, https, grpc, grpcs
	// Upstream is the name behind it, or the host with its port. It is "" for
	// what is known only while nginx runs: a variable, a socket.
	Upstream string
}

// Upstream is a group of servers by name.
type Upstream struct {
	Name    string
	Servers []string // host:port, as they stand there
}

// ConfPath is where an app's configuration is among a host's files.
func ConfPath(name string) string { return "root/" + name + "/nginx.conf" }

// Read reads an app's configuration; fs.ErrNotExist means that there is none.
func Read(f *app.Files, name string) (Config, error) { return readAt(f, ConfPath(name)) }

// ReadQuarantined reads the one that is quarantined.
func ReadQuarantined(f *app.Files, name string) (Config, error) {
	return readAt(f, QuarantinePath(ConfPath(name)))
}

func readAt(f *app.Files, path string) (Config, error) {
	text, ok := f.Text(path)
	if !ok {
		return Config{}, fs.ErrNotExist
	}
	return ReadText(f, text)
}

// ReadText reads a configuration as if it were an app's, with the snippets that are there.
func ReadText(f *app.Files, text string) (Config, error) {
	list, err := Parse(text)
	if err != nil {
		return Config{}, err
	}
	r := reader{files: f, left: maxIncluded, parsed: map[string][]Directive{}}
	r.top(list, 0)
	if r.left < 0 {
		return Config{}, errors.New("its includes do not come to an end")
	}
	r.config.Mark, _ = markOf(text)
	return r.config, nil
}

// maxIncluded is how many directives there may be when all includes are followed, and
// files that an include may mean: snippets that include one another would have no end.
const maxIncluded = 2 * maxDirectives

type reader struct {
	files  *app.Files
	config Config
	left   int                    // of maxIncluded
	parsed map[string][]Directive // snippets, by path
}

func (r *reader) top(list []Directive, depth int) {
	for _, d := range list {
		if r.left--; r.left < 0 {
			return
		}
		switch d.Name {
		case "server":
			s := Server{}
			r.server(&s, d.Block, depth)
			if len(s.Listens) == 0 {
				s.Listens = []Listen{{Port: "80"}} // nginx's default
			}
			for i := range s.Listens {
				s.Listens[i].HTTP2 = s.Listens[i].HTTP2 && s.http2 == "" || s.http2 == "on"
			}
			r.config.Servers = append(r.config.Servers, s)
		case "upstream":
			u := Upstream{}
			if len(d.Args) > 0 {
				u.Name = d.Args[0]
			}
			for _, s := range d.Block {
				if s.Name == "server" && len(s.Args) > 0 {
					u.Servers = append(u.Servers, withPort(s.Args[0]))
				}
			}
			r.config.Upstreams = append(r.config.Upstreams, u)
		case "include":
			r.include(d, depth, func(list []Directive, depth int) { r.top(list, depth) })
		}
	}
}

// server reads what a server block holds, in whatever location or condition it
// stands.
func (r *reader) server(s *Server, list []Directive, depth int) {
	for _, d := range list {
		if r.left--; r.left < 0 {
			return
		}
		arg := ""
		if len(d.Args) > 0 {
			arg = d.Args[0]
		}
		switch d.Name {
		case "server_name":
			s.Names = append(s.Names, d.Args...)
		case "listen":
			s.Listens = append(s.Listens, listenOf(d.Args))
		case "http2":
			s.http2 = arg
		case "ssl_certificate":
			s.Certificate = arg
		case "ssl_certificate_key":
			s.Key = arg
		case "proxy_pass", "grpc_pass":
			s.Passes = append(s.Passes, passOf(d.Name, arg))
		case "return":
			s.Returns502 = s.Returns502 || arg == "502"
		case "include":
			r.include(d, depth, func(list []Directive, depth int) { r.server(s, list, depth) })
		case "location":
			inner := Server{}
			r.server(&inner, d.Block, depth)
			s.Passes = append(s.Passes, inner.Passes...)
			// A path of its own may refuse what it likes.
			s.Returns502 = s.Returns502 || inner.Returns502 && arg == "/"
		default:
			r.server(s, d.Block, depth)
		}
	}
}

// include reads the files of an app's nginx.conf.d that an include means. What
// lies elsewhere (/etc/nginx/mime.types) belongs to the machine, and is not read.
func (r *reader) include(d Directive, depth int, read func([]Directive, int)) {
	if len(d.Args) != 1 || len(d.Args[0]) > 4096 || depth > 10 { // longer than any path
		return
	}
	pattern := d.Args[0]
	dir, base := path.Split(pattern)
	dir = strings.TrimSuffix(dir, "/")
	if path.Base(dir) != "nginx.conf.d" {
		return
	}
	at := "root/" + path.Base(path.Dir(dir)) + "/nginx.conf.d/"
	for _, file := range r.files.Under(at) {
		if r.left--; r.left < 0 {
			return
		}
		if ok, err := path.Match(base, strings.TrimPrefix(file.Path, at)); err != nil || !ok || file.Error != "" {
			continue
		}
		list, known := r.parsed[file.Path]
		if !known {
			// A snippet that cannot be read is nginx's to complain of (nginx -t).
			list, _ = Parse(string(file.Data))
			r.parsed[file.Path] = list
		}
		read(list, depth+1)
	}
}

func listenOf(args []string) Listen {
	l := Listen{Port: "80"}
	if len(args) == 0 {
		return l
	}
	switch host, port, err := net.SplitHostPort(args[0]); {
	case err == nil:
		l.Address, l.Port = host, port
	case isNumber(args[0]):
		l.Port = args[0]
	default:
		l.Address = strings.Trim(args[0], "[]")
	}
	if l.Address == "*" || l.Address == "0.0.0.0" {
		l.Address = ""
	}
	l.TLS = slices.Contains(args, "ssl")
	l.HTTP2 = slices.Contains(args, "http2")
	return l
}

func passOf(directive, target string) Pass {
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok { // grpc_pass takes an address alone
		scheme, rest = strings.TrimSuffix(directive, "_pass"), target
	}
	host, _, _ := strings.Cut(rest, "/")
	if strings.ContainsAny(host, "$") || strings.HasPrefix(host, "unix:") {
		host = ""
	}
	return Pass{scheme, host}
}

func withPort(server string) string {
	if strings.HasPrefix(server, "unix:") {
		return server
	}
	if _, _, err := net.SplitHostPort(server); err != nil {
		return net.JoinHostPort(strings.Trim(server, "[]"), "80")
	}
	return server
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// names are all the names that the servers answer to, and ports all that they listen
// on: there may be tens of thousands.
func (c Config) names() (names, ports map[string]bool) {
	names, ports = map[string]bool{}, map[string]bool{}
	for _, s := range c.Servers {
		for _, n := range s.Names {
			names[n] = true
		}
		for _, l := range s.Listens {
			ports[l.Port] = true
		}
	}
	return names, ports
}

// ofApp tells whether an upstream is the one that Dokku's template, or a custom
// one after its manner, makes for an app: my-app-5000, or my-app.
func ofApp(upstream, name string) bool {
	rest, ok := strings.CutPrefix(upstream, name)
	return ok && (rest == "" || rest[0] == '-' && isNumber(rest[1:]))
}
