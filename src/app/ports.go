package app

import (
	"fmt"
	"strings"

	"upgrade-guard/src/host"
)

// Ports is an app's port map: scheme:host-port:container-port.
type Ports struct {
	// Map is what is set: DOKKU_PROXY_PORT_MAP in the app's environment up to
	// 0.30, the property list ports/<app>/map from 0.31 on.
	Map []string `json:"map,omitempty"`
	// Detected is what the builder found (0.31 and later).
	Detected []string `json:"detected,omitempty"`
	// Port and SSLPort are the proxy's own ports, in the environment up to
	// 0.37, in properties from 0.38 on.
	Port    string `json:"port,omitempty"`
	SSLPort string `json:"ssl_port,omitempty"`
	// Dockerfile is DOKKU_DOCKERFILE_PORTS, ignored from 0.31 on.
	Dockerfile string `json:"dockerfile,omitempty"`
}

// Proxy says whether and by what the app is served.
type Proxy struct {
	Type     string `json:"type,omitempty"` // "" is the default, nginx
	Disabled bool   `json:"disabled,omitempty"`
	// Inherited is the host's default type (0.33 and later).
	Inherited string `json:"inherited,omitempty"`
	// Scheduler is what runs the app, "" for docker-local, the default.
	Scheduler string `json:"scheduler,omitempty"`
	// StaticListener is an address that Dokku proxies to instead of the app's
	// containers (0.25 and later).
	StaticListener string `json:"static_listener,omitempty"`
	// BindAll publishes the containers on all interfaces: the property
	// network/<app>/bind-all-interfaces, "" when not set.
	BindAll string `json:"bind_all_interfaces,omitempty"`
	// Unknown says why none of this is known; "" where it is.
	Unknown string `json:"unknown,omitempty"`
}

func readPorts(f *Files, app string, e env) Ports {
	p := Ports{
		Detected:   f.Lines("lib/config/ports/" + app + "/map-detected"),
		Port:       e.values["DOKKU_PROXY_PORT"],
		SSLPort:    e.values["DOKKU_PROXY_SSL_PORT"],
		Dockerfile: e.values["DOKKU_DOCKERFILE_PORTS"],
	}
	if Before(f.Dokku, "0.31.0") {
		p.Map = strings.Fields(e.values["DOKKU_PROXY_PORT_MAP"])
	} else {
		p.Map = f.Lines("lib/config/ports/" + app + "/map")
	}
	if !Before(f.Dokku, "0.38.0") {
		p.Port, _ = property(f, "proxy", app, "proxy-port")
		p.SSLPort, _ = property(f, "proxy", app, "proxy-ssl-port")
	}
	return p
}

// Elsewhere tells that another scheduler runs the app: in a cluster, by containers that this
// host's docker need not know.
func (p Proxy) Elsewhere() bool { return p.Scheduler != "" && p.Scheduler != "docker-local" }

// Kind is the proxy that is set for the app, or for the host; "" is nginx.
func (p Proxy) Kind() string {
	if p.Type == "" {
		return p.Inherited
	}
	return p.Type
}

// ByNginx tells whether Dokku's own nginx serves the app from its containers, and
// if not, by what it is served.
func (p Proxy) ByNginx() (yes bool, by string) {
	kind := p.Kind()
	switch {
	case p.Unknown != "":
		return false, fmt.Sprintf("what is not known (%s)", p.Unknown)
	case p.Elsewhere():
		return false, "the scheduler " + p.Scheduler
	case p.Disabled:
		return false, "no proxy: it is disabled"
	case kind != "" && kind != "nginx":
		return false, kind
	}
	return true, "nginx"
}

func readProxy(f *Files, app string, e, global env) Proxy {
	// Up to 0.37 any value at all disables the proxy, "0" and "false" too.
	p := Proxy{Type: e.values["DOKKU_APP_PROXY_TYPE"], Disabled: e.values["DOKKU_DISABLE_PROXY"] != "", Inherited: global.values["DOKKU_PROXY_TYPE"]}
	if !Before(f.Dokku, "0.38.0") {
		p.Type, _ = property(f, "proxy", app, "type")
		p.Inherited, _ = property(f, "proxy", host.GlobalScope, "type")
		v, _ := property(f, "proxy", app, "disabled")
		p.Disabled = v == "true"
	}
	p.BindAll, _ = property(f, "network", app, "bind-all-interfaces")
	p.StaticListener, _ = property(f, "network", app, "static-web-listener")
	// A variable of the environment first, a property later; what is set in
	// the old place has been moved by the version that reads the new one.
	for _, scope := range []string{app, host.GlobalScope} {
		if v, _ := property(f, "scheduler", scope, "selected"); v != "" && p.Scheduler == "" {
			p.Scheduler = v
		}
	}
	for _, v := range []string{e.values["DOKKU_SCHEDULER"], global.values["DOKKU_SCHEDULER"]} {
		if p.Scheduler == "" {
			p.Scheduler = v
		}
	}
	return p
}
