package hazard

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/pattern"
)

// portsGuessed is about an app without a port map, of which nothing is recorded,
// and whose nginx.conf, built before, listens elsewhere than its next build will
// (docs/dokku-versions.md#ports). Where there is no nginx.conf any more, the port on
// which its container listens is left, in PORT.web.1.
//
// What is left is a guess (law 8). No map is what most apps have from 0.31 on, so
// something is said only where it differs from what Dokku goes by without one.
// Up to 0.30 each build writes a map of its own, and none is missing for long.
var portsGuessed = Hazard{
	Name:    "ports-guessed",
	Threads: "dokku/dokku#7706, #8619",
	Guide:   "https://dokku.com/docs/networking/port-management/",
	Reads:   []app.Part{app.PartPorts, app.PartEnv, app.PartProxy, app.PartNginx, app.PartCertificate},

	Detect: func(s Subject) []Finding {
		if !s.NoBaseline || app.Before(s.To, "0.31.0") || len(s.Now.Ports.Map) > 0 || s.Before != nil || !s.Now.Deployed() || s.Now.Proxy.Disabled || customTemplate(s) || ownPort(s) {
			return nil
		}
		guess, source := portsOfConfig(s), "its nginx.conf"
		if _, there := s.Files.Get("root/" + s.Now.Name + "/nginx.conf"); !there {
			guess, source = portsOfContainer(s), "the port of its container"
		}
		byItself := withoutMap(s)
		if len(without(guess, byItself)) == 0 {
			return nil
		}
		f := Finding{
			What:        fmt.Sprintf("the app has no port map, none was recorded, and %s shows %s", source, strings.Join(guess, " ")),
			Consequence: fmt.Sprintf("Its next build of nginx's configuration goes by %s.", strings.Join(byItself, " ")),
		}
		f.Step = PutPorts(s, guess)
		f.Kind, f.Step.Text = Guess, f.Step.Text+", guessed from "+source
		return []Finding{f}
	},
}

// ownPort tells whether the host port is set in another way than by a map, and to
// another than every app's.
func ownPort(s Subject) bool {
	if !slices.Contains([]string{"", "80"}, s.Now.Ports.Port) || !slices.Contains([]string{"", "443"}, s.Now.Ports.SSLPort) {
		return true
	}
	for _, name := range []string{"proxy-port", "proxy-ssl-port"} {
		if v, _ := s.Files.Text("lib/config/proxy/--global/" + name); strings.TrimSpace(v) != "" {
			return true
		}
	}
	env, _ := s.Files.Text("root/ENV")
	return strings.Contains(env, "DOKKU_PROXY_PORT") || strings.Contains(env, "DOKKU_PROXY_SSL_PORT")
}

// withoutMap is what Dokku goes by for an app that has no map: what the builder has
// detected, to which it adds https for an app with a certificate as it reads it.
func withoutMap(s Subject) []string {
	ports := slices.Clone(s.Now.Ports.Detected)
	if len(ports) == 0 {
		return byDefault(s, "5000")
	}
	if s.Now.Certificate == nil {
		return ports
	}
	var https []string
	for _, p := range ports {
		if container, ok := strings.CutPrefix(p, "http:80:"); ok {
			https = append(https, "https:443:"+container)
		}
	}
	if len(https) > 0 {
		return append(ports, https...)
	}
	for i, p := range ports {
		if rest, ok := strings.CutPrefix(p, "http:"); ok {
			ports[i] = "https:" + rest
		}
	}
	return ports
}

// byDefault is the port map of an app that has none: what ports-get answers.
func byDefault(s Subject, port string) []string {
	ports := []string{"http:80:" + port}
	if s.Now.Certificate != nil {
		ports = append(ports, "https:443:"+port)
	}
	return ports
}

// portsOfContainer is the default map to the port on which the first web
// container listens.
func portsOfContainer(s Subject) []string {
	for _, c := range s.Now.Containers {
		if c.Type == "web" && c.Index == "1" && c.Running && portNumber().MatchString(c.Port) {
			return byDefault(s, c.Port)
		}
	}
	return nil
}

var portNumber = pattern.Of(`^[1-9][0-9]{0,4}$`)

// portsOfConfig is the map by which an nginx.conf was built. A server that only
// redirects to https has no upstream of its own; it stands for the same port of the
// container.
func portsOfConfig(s Subject) []string {
	servers := serversOf(s)
	redirected := ""
	for _, server := range servers {
		if server.port != "" {
			redirected = server.port
		}
	}
	var ports []string
	seen := map[string]bool{}
	for _, server := range servers {
		port := server.port
		if port == "" {
			port = redirected
		}
		for _, l := range server.listens {
			scheme := "http"
			if server.grpc {
				scheme = "grpc"
			}
			if l.tls {
				scheme += "s"
			}
			if p := scheme + ":" + l.port + ":" + port; port != "" && !seen[p] {
				seen[p] = true
				ports = append(ports, p)
			}
		}
	}
	return ports
}

// server is one server block of an app's nginx.conf.
type server struct {
	names   []string
	listens []listen
	grpc    bool
	port    string // of the container; "" where it has no upstream
}

type listen struct {
	port string
	tls  bool
}

var (
	serverBlock = pattern.Of(`(?ms)^server \{$(.*?)^\}`)
	serverNames = pattern.Of(`(?m)^\s*server_name\s+([^;]*);`)
	listenLine  = pattern.Of(`(?m)^\s*listen\s+(?:\[::\]:|[0-9.]+:)?([0-9]+)( [^;]*)?;`)
	passLine    = pattern.Of(`(?m)^\s*(proxy|grpc)_pass\s+(?:http|grpc)s?://\S+-([0-9]+);`)
)

// serversOf reads nginx.conf as Dokku's own template writes it. Of another one it
// reads nothing, and so nothing is guessed.
func serversOf(s Subject) []server {
	conf, _ := s.Files.Text("root/" + s.Now.Name + "/nginx.conf")
	var servers []server
	for _, block := range serverBlock().FindAllStringSubmatch(conf, -1) {
		var v server
		for _, m := range serverNames().FindAllStringSubmatch(block[1], -1) {
			v.names = append(v.names, strings.Fields(m[1])...)
		}
		for _, m := range listenLine().FindAllStringSubmatch(block[1], -1) {
			v.listens = append(v.listens, listen{m[1], slices.Contains(strings.Fields(m[2]), "ssl")})
		}
		if m := passLine().FindStringSubmatch(block[1]); m != nil {
			v.grpc, v.port = m[1] == "grpc", m[2]
		}
		servers = append(servers, v)
	}
	return servers
}
