package hazard

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
)

// What was not public stays so: nothing of the guard's makes an app, a name, a port or
// a default site reachable that was not reachable before. On real hosts an app whose
// proxy was disabled was given a port map that it never had, as "put back and
// verified"; on the way back below 0.38, which forgets that the proxy is disabled,
// nginx was built of it, and the app answered on all addresses.
//
// Whether something was reachable is told by a snapshot from before (a baseline, an
// app's live snapshot, any snapshot but one that an upgrade has just left behind),
// and by what nginx has on the disk now. In the order in which it is asked:
//
//   - The proxy. An app whose proxy was disabled then is closed, whatever is set now:
//     an upgrade loses that setting (DOKKU_DISABLE_PROXY up to 0.37, the property
//     proxy/APP/disabled from 0.38 on; a way back keeps neither). One whose proxy is
//     disabled now is closed too: its ports are published by docker, past nginx.
//   - nginx.conf. An app that had none and has none is served by nobody.
//   - Names: those of the app's domains then, unless they were disabled (NO_VHOST), and
//     of its nginx.conf then or now. What a person sets is a person's to open: of the
//     names that are set now a build is kept from those that an installation gives by
//     itself. An app that was served under names is not served without any: it would
//     answer to every name that nobody else has.
//   - Ports: those of its port map then, set or detected, and of its nginx.conf then or
//     now. A map that nobody has set (DOKKU_DOCKERFILE_PORTS) was reachable where an
//     nginx.conf listened on it.
//   - Addresses: where nginx listened on some alone, a build must do so too.
//
// Where none of this is known, nothing is done: it waits for a person, who may know.
//
// Everything that touches routing asks here: what is put back where Dokku reads it
// (Opens), and what makes nginx serve: a build, the upstream that stands in for one,
// the start of containers, and a restore of any part (Serving). A snapshot that a
// person restores is a snapshot like any other. Of these, only a rename gives an app a
// name it did not have: its new default domain, beside the old one.

// Side is an app at one moment: what Dokku's files say of it and what nginx has.
type Side struct {
	State app.State
	Files *app.Files
	// Of says when it was, for the operator; ID is the snapshot, "" for the present.
	Of, ID string
	// Invented tells that an upgrade may have put into the state what nobody has set:
	// of it only what nginx had is evidence.
	Invented bool
	// NoDocker tells that docker was not asked which containers run.
	NoDocker bool
}

// Opens says why putting names or host ports where Dokku reads them would make
// something reachable that was not before; "" where it does not.
func (s Subject) Opens(names, ports []string) string {
	if s.Before == nil {
		return "nothing is recorded of whether it was reachable before"
	}
	was := Side{State: *s.Before, Files: s.Old(), Of: s.Baseline}
	now := s.Now
	if s.closesAgain() { // which comes before it
		now.Proxy.Disabled = now.Proxy.Disabled || s.Before.Proxy.Disabled
		now.Domains.Disabled = now.Domains.Disabled || s.Before.Domains.Disabled
	}
	if why := proxyOpens(now, was, len(ports) > 0); why != "" {
		return why
	}
	if len(names) > 0 && s.Before.Domains.Disabled && !now.Domains.Disabled {
		return fmt.Sprintf("its domains were disabled (%s)", was.Of)
	}
	if s.Before.Proxy.Disabled || s.Before.Domains.Disabled {
		names = nil // and still are: what is set has no effect
	}
	if s.Before.Proxy.Disabled {
		was.Files = nil // docker publishes by the map; a configuration that is left says nothing
	}
	return beyond(names, ports, was)
}

// proxyOpens says why an app is to stay as closed as its proxy makes it. Names have no
// effect on one whose proxy is disabled; ports are published.
func proxyOpens(now app.State, was Side, ports bool) string {
	switch before := was.State.Proxy; {
	case before.Unknown != "":
		return fmt.Sprintf("whether its proxy was enabled is not known (%s)", before.Unknown)
	case now.Proxy.Unknown != "":
		return fmt.Sprintf("whether its proxy is enabled is not known (%s)", now.Proxy.Unknown)
	case before.Disabled && !now.Proxy.Disabled:
		return fmt.Sprintf("its proxy was disabled (%s)", was.Of)
	case !before.Disabled && now.Proxy.Disabled && ports:
		return "its proxy is disabled now"
	}
	return ""
}

// beyond says which name or port none of the sides has.
func beyond(names, ports []string, sides ...Side) string {
	var known reach
	for _, side := range sides {
		known.add(side)
	}
	if open := without(names, known.names); len(open) > 0 {
		return fmt.Sprintf("it did not answer to %s", open[0])
	}
	if open := without(ports, known.ports); len(open) > 0 {
		return fmt.Sprintf("it did not answer on port %s", open[0])
	}
	return ""
}

// reach is what somebody can reach of an app.
type reach struct{ names, ports []string }

func (r *reach) add(side Side) {
	if !side.Invented {
		r.names = append(r.names, side.State.Domains.Effective()...)
		r.ports = append(r.ports, HostPorts(side.State.Ports.Map)...)
		r.ports = append(r.ports, HostPorts(side.State.Ports.Detected)...)
		r.ports = append(r.ports, side.State.Ports.Port, side.State.Ports.SSLPort)
	}
	for _, server := range servers(side) {
		r.names = append(r.names, server.Names...)
		for _, l := range server.Listens {
			r.ports = append(r.ports, l.Port)
		}
	}
}

// HostPorts are the ports on the host of a port map.
func HostPorts(ports []string) []string {
	var found []string
	for _, p := range ports {
		if parts := strings.Split(p, ":"); len(parts) == 3 {
			found = append(found, parts[1])
		}
	}
	return found
}

// servers are what nginx serves of an app: by its configuration, or by the one that
// is set aside.
func servers(side Side) []nginx.Server {
	if side.Files == nil || side.State.Name == "" {
		return nil
	}
	config, err := nginx.Read(side.Files, side.State.Name)
	if err != nil {
		config, _ = nginx.ReadQuarantined(side.Files, side.State.Name)
	}
	return config.Servers
}

// Verdict is what of the guard's work for an app would make something reachable that
// was not before: why, or "" where it would not.
type Verdict struct {
	// Closed and Unknown are why nothing may be done that has nginx serve the app:
	// it was not served, or that is not known, and then a person may know.
	Closed, Unknown string
	// NoBuild is why Dokku must not build its configuration, which is made of what is
	// set now. The one that is there may have its upstream mended.
	NoBuild string
}

// Serving is the verdict on what has nginx serve an app. Before is nil where nothing is
// recorded.
func Serving(now Side, before *Side) Verdict {
	if yes, by := now.State.Proxy.ByNginx(); !yes {
		return Verdict{Closed: "it is served by " + by}
	}
	evidence, shown := []Side{{State: now.State, Files: now.Files, Invented: true}}, servers(now)
	if before != nil {
		if yes, by := before.State.Proxy.ByNginx(); !yes {
			return Verdict{Closed: fmt.Sprintf("it was served by %s (%s)", by, before.Of)}
		}
		evidence = append(evidence, *before)
		if len(shown) == 0 {
			shown = servers(*before)
		}
	}
	if len(shown) == 0 {
		return notServed(now, before)
	}
	if _, custom := now.Files.Get("lib/data/nginx-vhosts/app-" + now.State.Name + "/nginx.conf.sigil"); custom {
		return Verdict{} // names and ports are the template's, as they were
	}
	names := now.State.Domains.Effective()
	if len(names) == 0 && !slices.ContainsFunc(shown, func(s nginx.Server) bool { return len(s.Names) == 0 }) {
		return Verdict{NoBuild: "it has no domain any more, and would answer to every name that no other app has"}
	}
	// A name that no installation gives by itself, a person has given.
	given := without(names, without(names, defaultDomainsOf(now)))
	if why := beyond(given, HostPorts(now.State.Ports.Map), evidence...); why != "" {
		return Verdict{NoBuild: why}
	}
	return Verdict{NoBuild: addressesOpen(now, shown)}
}

// defaultDomainsOf are the names that Dokku's installation, from 0.27 on, gives an app
// that has none.
func defaultDomainsOf(s Side) []string {
	return app.DefaultDomains(s.Files.Dokku, s.State.Name, s.Files.Lines("root/VHOST"))
}

// notServed is the verdict on an app that nginx does not serve, as far as is known.
func notServed(now Side, before *Side) Verdict {
	if before == nil {
		return Verdict{Unknown: "nothing is recorded of whether nginx served it before"}
	}
	for _, side := range []Side{now, *before} {
		if file, _ := side.Files.Get(nginx.ConfPath(now.State.Name)); file.Error != "" {
			return Verdict{Unknown: fmt.Sprintf("what nginx had for it cannot be read (%s)", file.Reason())}
		}
	}
	return Verdict{Closed: fmt.Sprintf("nginx had no configuration for it (%s)", before.Of)}
}

// addressesOpen says where nginx listens on some addresses alone, and a build would
// have it listen on all.
func addressesOpen(now Side, shown []nginx.Server) string {
	for _, family := range []struct {
		property, any string
		is            func(address string) bool
	}{
		{"bind-address-ipv4", "", func(a string) bool { return !strings.Contains(a, ":") }},
		{"bind-address-ipv6", "::", func(a string) bool { return strings.Contains(a, ":") }},
	} {
		var bound []string
		everywhere := false
		for _, server := range shown {
			for _, l := range server.Listens {
				if family.is(l.Address) {
					bound, everywhere = append(bound, l.Address), everywhere || l.Address == family.any
				}
			}
		}
		set := ""
		for _, scope := range []string{now.State.Name, host.GlobalScope} {
			if v, _ := now.Files.Text("lib/config/nginx/" + scope + "/" + family.property); set == "" {
				set = strings.TrimSpace(v)
			}
		}
		if len(bound) > 0 && !everywhere && (set == "" || set == family.any || set == "0.0.0.0") {
			return fmt.Sprintf("nginx listened on %s alone, and %s is not set", bound[0], family.property)
		}
	}
	return ""
}

// Starting is the verdict on the start of an app's web containers: they may be asked
// from outside as soon as they run.
func Starting(before *Side) Verdict {
	switch {
	case before == nil:
		return Verdict{Unknown: "nothing is recorded of whether it ran before"}
	case before.NoDocker:
		return Verdict{Unknown: fmt.Sprintf("whether it ran before is not known (%s)", before.Of)}
	case before.State.Running() > 0 || len(before.State.Web()) == 0:
		return Verdict{}
	}
	return Verdict{Closed: fmt.Sprintf("it did not run before (%s)", before.Of)}
}
