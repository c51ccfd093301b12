package app

import "strings"

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
	// BindAll publishes the containers on all interfaces: the property
	// network/<app>/bind-all-interfaces, "" when not set.
	BindAll string `json:"bind_all_interfaces,omitempty"`
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

func readProxy(f *Files, app string, e env) Proxy {
	// Up to 0.37 any value at all disables the proxy, "0" and "false" too.
	p := Proxy{Type: e.values["DOKKU_APP_PROXY_TYPE"], Disabled: e.values["DOKKU_DISABLE_PROXY"] != ""}
	if !Before(f.Dokku, "0.38.0") {
		p.Type, _ = property(f, "proxy", app, "type")
		v, _ := property(f, "proxy", app, "disabled")
		p.Disabled = v == "true"
	}
	p.BindAll, _ = property(f, "network", app, "bind-all-interfaces")
	return p
}
