package nginx

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"

	"upgrade-guard/src/app"
)

// Kind is a way in which nginx does not serve an app as it should.
type Kind string

// The kinds, the worst first.
const (
	Foreign     Kind = "foreign"     // an address is a container of another app
	Refused     Kind = "refused"     // nginx -t names its file
	Unreadable  Kind = "unreadable"  // the file is not nginx's grammar
	Large       Kind = "large"       // the file is larger than is read
	Roots       Kind = "root's"      // the file belongs to root, and says nothing to us
	NoConfig    Kind = "no-config"   // there is no file
	NoUpstream  Kind = "no-upstream" // a proxy_pass without its upstream
	Returns502  Kind = "returns-502" // return 502
	Dead        Kind = "dead"        // an address is no running container
	LeftOut     Kind = "left-out"    // a running container gets no requests
	Certificate Kind = "certificate" // ssl_certificate names a file that is not there
	OtherApp    Kind = "other-app"   // nginx answers with another app
	Names       Kind = "names"       // not the app's domains or ports
	Silent      Kind = "silent"      // nginx does not answer, and the container does
	Stopped     Kind = "stopped"     // a container does not run that should
	Fallback    Kind = "fallback"    // its upstream is the guard's
	Replaced    Kind = "replaced"    // it is the guard's, because nginx refused Dokku's
	Quarantined Kind = "quarantined" // by the guard
	Open        Kind = "open"        // served, though its proxy is disabled
)

// Finding is one thing that is wrong with how nginx serves an app.
type Finding struct {
	App  string
	Kind Kind
	What string // a sentence without its end
	// Slow tells that it took an answer's whole time to find out.
	Slow bool
}

// Check compares each app's configuration with its running containers, its
// domains, ports and certificate, and returns what is found of each. It asks nobody:
// everything comes from the files and from what docker said once. Apps that Dokku's
// nginx does not serve are passed over, and so is everything while docker says nothing.
func Check(f *app.Files, now app.Host, owners Owners) map[string][]Finding {
	found := map[string][]Finding{}
	if now.DockerMissing != "" {
		return found
	}
	lists := make([][]Finding, len(f.Apps))
	app.Together(len(f.Apps), func(i int) { lists[i] = CheckApp(f, now.Apps[f.Apps[i]], owners) })
	for i, name := range f.Apps {
		if len(lists[i]) > 0 {
			found[name] = lists[i]
		}
	}
	return found
}

// findings are what is found. Of one kind no more than ten are told of an app one by
// one: there may be as many as it has domains.
type findings struct {
	list []Finding
	told map[Finding]bool
	of   map[Finding]int // by app and kind
}

const named = 10

func (l *findings) add(t Finding) {
	if l.told[t] {
		return
	}
	if l.told == nil {
		l.told, l.of = map[Finding]bool{}, map[Finding]int{}
	}
	kind := Finding{App: t.App, Kind: t.Kind}
	switch l.of[kind]++; {
	case l.of[kind] == named+1:
		t.What = "and more"
		fallthrough
	case l.of[kind] <= named:
		l.told[t] = true
		l.list = append(l.list, t)
	}
}

// CheckApp is Check for one app, whose files may be newer than the state that they are
// compared with.
func CheckApp(f *app.Files, s app.State, owners Owners) []Finding {
	c := checker{files: f, owners: owners}
	if byNginx, _ := s.Proxy.ByNginx(); byNginx {
		c.app(s)
	} else if config, err := Read(f, s.Name); err == nil && len(config.Servers) > 0 && s.Proxy.Disabled && s.Proxy.Unknown == "" {
		c.say(s, Open, "its proxy is disabled, and nginx has a configuration for it all the same")
	}
	// That an address leads nowhere says already that its container is left out.
	found := c.found.list
	if slices.ContainsFunc(found, func(t Finding) bool { return t.Kind == Dead || t.Kind == Foreign }) {
		found = slices.DeleteFunc(found, func(t Finding) bool { return t.Kind == LeftOut })
	}
	return found
}

// Owners are the apps by the addresses of their running containers.
type Owners map[string]string

// OwnersOf are those of a host. The machine's own address is nobody's: containers in its
// network share it.
func OwnersOf(now app.Host) Owners {
	owner := Owners{}
	for name, s := range now.Apps {
		for _, c := range s.Containers {
			for _, a := range c.Addresses {
				if c.Running && a != loopback {
					owner[a] = name
				}
			}
		}
	}
	return owner
}

const loopback = "127.0.0.1"

type checker struct {
	files  *app.Files
	owners Owners
	found  findings
}

func (c *checker) say(s app.State, kind Kind, format string, args ...any) {
	c.found.add(Finding{App: s.Name, Kind: kind, What: fmt.Sprintf(format, args...)})
}

// running are the addresses of an app's running web containers.
func running(s app.State) (list []string, one map[string][]string) {
	one = map[string][]string{}
	for _, w := range s.Web() {
		if w.Running && len(w.Addresses) > 0 {
			one[w.Type+"."+w.Index] = w.Addresses
			list = append(list, w.Addresses...)
		}
	}
	return list, one
}

func (c *checker) app(s app.State) {
	live, byContainer := running(s)
	// Of every process type: what a restart of docker has not started is down
	// together.
	for _, w := range s.Containers {
		if !w.Running && w.Status != "restarting" && w.Status != "paused" && Wanted(s, w) {
			c.say(s, Stopped, "its container %s.%s does not run (%s)", w.Type, w.Index, orNone(w.Status))
		}
	}
	config, err := Read(c.files, s.Name)
	serves := len(live) > 0 || s.Proxy.StaticListener != "" && s.Deployed()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if file, there := c.files.Get(ConfPath(s.Name)); there && file.LeftOut() {
			c.say(s, Large, "its nginx.conf is not looked at (%s)", file.Error)
			return
		} else if there && file.Error != "" {
			// From 0.35.17 on core's installation builds some as root, which the
			// Dokku user may replace and not read (seen on 0.38.27).
			if len(live) > 0 && !file.LeftOut() { // too large to be looked into is not root's
				c.say(s, Roots, "its nginx.conf cannot be read by the Dokku user (%s)", file.Error)
			}
			return
		}
		if len(live) > 0 {
			c.say(s, NoConfig, "it runs, and nginx has no configuration for it")
		}
		return
	case errors.Is(err, errLarge):
		c.say(s, Large, "its nginx.conf is not looked at: %s", err)
		return
	case err != nil:
		c.say(s, Unreadable, "its nginx.conf cannot be read: %s", err)
		return
	}
	switch config.Mark {
	case markQuarantine:
		c.say(s, Quarantined, "its nginx configuration is quarantined, because nginx refused it; the app answers 503")
		return
	case markReplaced:
		c.say(s, Replaced, "its nginx configuration is upgrade-guard's, because nginx refused what Dokku had built")
	case markFallback:
		c.say(s, Fallback, "its nginx configuration has a fallback upstream of upgrade-guard's, because Dokku could not build it")
	}
	c.upstreams(s, config, live, byContainer)
	if !serves {
		return
	}
	for _, server := range config.Servers {
		if server.Returns502 && s.Proxy.StaticListener == "" {
			c.say(s, Returns502, "nginx answers 502 for it, and it runs")
		}
		c.certificate(s, server)
	}
	c.names(s, config)
}

func orNone(status string) string {
	if status == "" {
		return "docker knows no such container"
	}
	return status
}

// Wanted tells whether a container is one that should run: the app was not
// stopped by a person, and the scale asks for that many.
func Wanted(s app.State, w app.Container) bool {
	var index int
	if _, err := fmt.Sscanf(w.Index, "%d", &index); err != nil || s.Stopped {
		return false
	}
	return index <= s.EffectiveScale().Of(w.Type)
}

// upstreams looks at where requests go.
func (c *checker) upstreams(s app.State, config Config, live []string, byContainer map[string][]string) {
	known := map[string]bool{}
	for _, u := range config.Upstreams {
		known[u.Name] = true
	}
	for _, server := range config.Servers {
		for _, p := range server.Passes {
			if ofApp(p.Upstream, s.Name) && !known[p.Upstream] && (len(live) > 0 || s.Proxy.StaticListener != "") {
				c.say(s, NoUpstream, "its nginx configuration passes to %s, and there is no such upstream", p.Upstream)
			}
		}
	}
	if s.Proxy.StaticListener != "" {
		return // whoever set it knows what answers there
	}
	for _, u := range config.Upstreams {
		if !ofApp(u.Name, s.Name) {
			continue // a person's own, to wherever it leads
		}
		var hosts []string
		for _, server := range u.Servers {
			host, _, err := net.SplitHostPort(server)
			if err != nil || net.ParseIP(host) == nil {
				hosts = nil
				break // names and sockets: not as Dokku writes it
			}
			hosts = append(hosts, host)
			switch owner := c.owners[host]; {
			case slices.Contains(live, host):
			case owner != "" && owner != s.Name:
				c.say(s, Foreign, "nginx sends its requests to %s, which is a container of %s", server, owner)
			case len(live) > 0:
				c.say(s, Dead, "nginx sends its requests to %s, where no web container of it runs", server)
			}
		}
		for container, addresses := range byContainer {
			if len(hosts) > 0 && !slices.ContainsFunc(addresses, func(a string) bool { return slices.Contains(hosts, a) }) {
				c.say(s, LeftOut, "its running container %s gets no requests: the upstream %s leaves it out", container, u.Name)
			}
		}
	}
}

// certificate sees to it that the files exist which a server names, where they
// are the app's own. The rest is for nginx -t.
func (c *checker) certificate(s app.State, server Server) {
	for _, name := range []string{server.Certificate, server.Key} {
		i := strings.LastIndex(name, "/"+s.Name+"/tls/")
		if i < 0 {
			continue
		}
		if _, there := c.files.Get("root" + name[i:]); !there {
			c.say(s, Certificate, "nginx is to serve it with %s, which is not there", strings.TrimPrefix(name[i:], "/"+s.Name+"/"))
		}
	}
}

// names sees to it that the app's domains and host ports are in its
// configuration. A template of the app's own may have its reasons. https ports
// count only with a certificate, as they do for Dokku.
func (c *checker) names(s app.State, config Config) {
	if !c.custom(s) {
		c.domainsAndPorts(s, config)
	}
}

func (c *checker) domainsAndPorts(s app.State, config Config) {
	names, ports := config.names()
	for _, d := range s.Domains.Effective() {
		if !names[d] {
			c.say(s, Names, "its nginx configuration does not name %s", d)
		}
	}
	for _, m := range s.Ports.Map {
		parts := strings.Split(m, ":")
		if len(parts) != 3 || s.Certificate == nil && parts[0] == "https" || parts[0] == "grpc" || parts[0] == "grpcs" {
			continue
		}
		if !ports[parts[1]] {
			c.say(s, Names, "its nginx configuration does not listen on port %s", parts[1])
		}
	}
}

// Serves tells whether an app's configuration names its domains and listens on
// its ports, whoever's template made it.
func Serves(f *app.Files, s app.State) bool {
	config, err := Read(f, s.Name)
	c := checker{files: f}
	c.domainsAndPorts(s, config)
	return err == nil && len(c.found.list) == 0
}

// custom tells whether the app brings a template of its own. Up to 0.28 it lay in
// the image, where it cannot be seen.
func (c *checker) custom(s app.State) bool {
	return len(c.files.Under("lib/data/nginx-vhosts/app-"+s.Name+"/nginx.conf.sigil")) > 0 || app.Before(s.Dokku, "0.29.0")
}
