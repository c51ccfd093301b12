package hazard

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// portsLost is about port maps that core's own installation drops
// (docs/dokku-versions.md#ports). On 0.27 to 0.36 it runs domains' set-up for every
// app, which for an app without a VHOST file on a host without a global domain ends in
// ports:clear: the app comes up on a random port at its next build, from 0.35.17 on at
// once. And the step over 0.31, from the environment to a property, drops everything
// from the first entry that it cannot read, does nothing where a property from long ago
// lies in its way, and forgets DOKKU_DOCKERFILE_PORTS.
var portsLost = Hazard{
	Undone:  true,
	Name:    PortsLost,
	InNginx: true,
	Threads: "dokku/dokku#7706, #8619",
	Guide:   "https://dokku.com/docs/appendices/0.31.0-migration-guide/",
	Reads:   []app.Part{app.PartPorts, app.PartProxy, app.PartDomains, app.PartEnv},

	Foresee: func(s Subject) []Finding {
		resets := !app.Before(s.To, "0.27.0") && app.Before(s.To, "0.37.0")
		switch bad := malformedPorts(s.Now.Ports.Map); {
		case s.Back("0.31.0") && len(s.Now.Ports.Map) > 0 && !s.Now.Proxy.Disabled && !s.mapLeft():
			return []Finding{{
				What:        fmt.Sprintf("the port map %s is where %s does not read it", strings.Join(s.Now.Ports.Map, " "), s.To),
				Consequence: "At the next build of its nginx configuration the app would move to another port.",
				Afterwards:  "ports " + strings.Join(s.Now.Ports.Map, " "),
			}}
		case s.Crosses("0.31.0") && len(bad) > 0:
			return []Finding{{
				What:        fmt.Sprintf("%s drops the port map from %s on, which it cannot read", s.To, bad[0]),
				Consequence: "Set the map without it before the upgrade.",
				Command:     say.Command("dokku proxy:ports-remove", append([]string{s.Now.Name}, bad...)...),
			}}
		case s.Crosses("0.31.0") && len(s.Now.Ports.Map) > 0 && leftover(s, s.Files) != nil:
			return []Finding{{
				What:        fmt.Sprintf("%s goes by a port map from long ago (%s) instead of the present one (%s)", s.To, strings.Join(leftover(s, s.Files), " "), strings.Join(s.Now.Ports.Map, " ")),
				Consequence: "At the next build of its nginx configuration the app would move to other ports.",
				Afterwards:  "ports " + strings.Join(s.Now.Ports.Map, " "),
			}}
		case resets && withoutVHOST(s.Now) && len(s.Now.Ports.Map) > 0 && len(defaultDomains(s)) == 0:
			return []Finding{{
				What:        fmt.Sprintf("the installation of %s clears the port map %s, because neither app nor host has a domain", s.To, strings.Join(s.Now.Ports.Map, " ")),
				Consequence: "At the next build of its nginx configuration the app would move to another port.",
				Afterwards:  "ports " + strings.Join(s.Now.Ports.Map, " "),
			}}
		}
		return nil
	},

	Detect: func(s Subject) []Finding {
		if s.Before == nil {
			return nil
		}
		before, now := s.Before.Ports.Map, s.Now.Ports.Map
		if len(before) == 0 && len(now) == 0 {
			return s.dockerfilePortsLost()
		}
		if len(before) == 0 || slices.Equal(before, now) {
			return nil
		}
		f := Finding{
			What:        fmt.Sprintf("the port map %s, recorded in %s, is gone", strings.Join(before, " "), s.Baseline),
			Consequence: "At the next build of its nginx configuration the app moves to another port.",
		}
		switch {
		case len(now) == 0:
		case s.Crosses("0.31.0") && len(now) < len(before) && slices.Equal(now, before[:len(now)]):
			f.What = fmt.Sprintf("of the port map %s, recorded in %s, only %s is left", strings.Join(before, " "), s.Baseline, strings.Join(now, " "))
		case s.Crosses("0.31.0") && s.Old() != nil && slices.Equal(now, leftover(s, s.Old())):
			// Nobody has set it since: it lay there already, and was not read.
			f.What = fmt.Sprintf("a port map from long ago (%s) is read now, and the one in force was %s, recorded in %s", strings.Join(now, " "), strings.Join(before, " "), s.Baseline)
		default:
			return nil
		}
		bad := malformedPorts(before)
		command := s.setPorts(without(before, bad))
		if why := s.Opens(nil, HostPorts(before)); why != "" {
			return f.leftAlone(why, command)
		}
		switch {
		case len(bad) > 0:
			f.Command = command
		default:
			f.Step = PutPorts(s, before)
		}
		return []Finding{f}
	},
}

// mapLeft tells whether a port map still lies where versions before 0.31 read it.
func (s Subject) mapLeft() bool {
	if s.Back("0.38.0") {
		return variableLeft(s.Context, s.Now.Name, "DOKKU_PROXY_PORT_MAP") != ""
	}
	return s.Now.Env["DOKKU_PROXY_PORT_MAP"] != ""
}

// dockerfilePortsLost is about an app that had no port map, and which nginx served by
// the ports that its image exposes: from 0.31 on DOKKU_DOCKERFILE_PORTS is not read.
// Up to 0.30 each build of nginx's configuration writes a map, so that most apps
// without one are served by nothing, because their proxy is disabled or for another
// reason. To them nothing is put back.
func (s Subject) dockerfilePortsLost() []Finding {
	ports := dockerfilePorts(s.Before.Ports)
	if !s.Crosses("0.31.0") || !s.Before.Serves() || len(ports) == 0 || s.Opens(nil, HostPorts(ports)) != "" {
		return nil
	}
	return []Finding{{
		What:        fmt.Sprintf("nginx served the app by DOKKU_DOCKERFILE_PORTS (%s), which %s does not read", s.Before.Ports.Dockerfile, s.To),
		Consequence: "At the next build of its nginx configuration the app moves to another port.",
		Step:        PutPorts(s, ports),
	}}
}

// setPorts is how a person sets a port map.
func (s Subject) setPorts(ports []string) string {
	command := "ports:set"
	if app.Before(s.To, "0.31.0") {
		command = "proxy:ports-set"
	}
	return say.Command("dokku "+command, append([]string{s.Now.Name}, ports...)...)
}

// proxyPortLost is the other half of it: the host port that nginx listens on for an
// app without domains. Core's installation unsets it together with the map, and gives
// a random one to an app that had none (seen on 0.38.27).
var proxyPortLost = Hazard{
	Name:    ProxyPortLost,
	InNginx: true,
	Threads: "dokku/dokku#3150",
	Guide:   "https://dokku.com/docs/networking/port-management/",
	Reads:   []app.Part{app.PartPorts, app.PartProxy, app.PartDomains, app.PartEnv},

	Detect: func(s Subject) []Finding {
		if s.Before == nil {
			return nil
		}
		var found []Finding
		for _, p := range []struct{ was, now, variable, property string }{
			{s.Before.Ports.Port, s.Now.Ports.Port, "DOKKU_PROXY_PORT", "proxy-port"},
			{s.Before.Ports.SSLPort, s.Now.Ports.SSLPort, "DOKKU_PROXY_SSL_PORT", "proxy-ssl-port"},
		} {
			path := s.Paths.Property("proxy", s.Now.Name, p.property)
			// 80 and 443 are what Dokku sets itself, for apps with domains.
			byItself := []string{"", "80", "443"}
			if p.was == "" && withoutVHOST(*s.Before) && !slices.Contains(byItself, p.now) {
				step := &plan.Step{Mark: plan.Remove, Text: fmt.Sprintf("%s %s, set by Dokku's installation", p.property, p.now)}
				if app.Before(s.To, "0.38.0") {
					step.Do = config("config:unset", "--no-restart", s.Now.Name, p.variable)
				} else {
					step.Do = removeUnchanged(path, s.Digest(path))
				}
				found = append(found, s.ofInstallation(Finding{
					What:        fmt.Sprintf("the installation of %s has moved the app to the port %s", s.To, p.now),
					Consequence: "Nobody asks for it there.",
					Step:        step,
				}, say.Command("dokku proxy:set", s.Now.Name, p.property))...)
			}
			if p.now != "" || slices.Contains(byItself, p.was) {
				continue
			}
			step := &plan.Step{Mark: plan.Add, Text: p.property + " " + p.was}
			if app.Before(s.To, "0.38.0") {
				step.Do = config("config:set", "--no-restart", s.Now.Name, p.variable+"="+p.was)
			} else {
				step.Path, step.Mode, step.Data = path, 0o600, []byte(p.was)
			}
			f := Finding{
				What:        fmt.Sprintf("the %s %s, recorded in %s, is gone", p.property, p.was, s.Baseline),
				Consequence: "At the next build of its nginx configuration the app moves to another port.",
				Step:        step,
			}
			if why := s.Opens(nil, []string{p.was}); why != "" {
				command := say.Command("dokku proxy:set", s.Now.Name, p.property, p.was)
				if app.Before(s.To, "0.38.0") {
					command = say.Command("dokku config:set --no-restart", s.Now.Name, p.variable+"="+p.was)
				}
				f = f.leftAlone(why, command)[0]
			}
			found = append(found, f)
		}
		return found
	},
}

// malformedPorts are the entries of a port map that Dokku cannot read.
func malformedPorts(ports []string) []string {
	return slices.DeleteFunc(slices.Clone(ports), portMapping().MatchString)
}

// leftover is a port map that lies where 0.31 and later look for it, as the files
// have it.
func leftover(s Subject, files *app.Files) []string {
	return files.Lines("lib/config/ports/" + s.Now.Name + "/map")
}

// dockerfilePorts is the port map that versions before 0.31 made of
// DOKKU_DOCKERFILE_PORTS where none was set: each port as itself.
func dockerfilePorts(p app.Ports) []string {
	var ports []string
	for _, port := range strings.Fields(p.Dockerfile) {
		port = strings.TrimSuffix(port, "/tcp")
		if mapping := "http:" + port + ":" + port; portMapping().MatchString(mapping) {
			ports = append(ports, mapping)
		}
	}
	return ports
}

var portMapping = pattern.Of(`^(http|https|grpc|grpcs|tcp|udp):[0-9]+:[0-9]+$`)

// PutPorts is the step that gives an app its port map, and asks Dokku whether it
// reads it as it was meant. Up to 0.30 the map is in the environment, which is
// Dokku's own to write.
func PutPorts(s Subject, ports []string) *plan.Step {
	path, name := s.Paths.Property("ports", s.Now.Name, "map"), s.Now.Name
	step := &plan.Step{Mark: plan.Add, Text: "ports " + strings.Join(ports, " ")}
	if app.Before(s.To, "0.31.0") {
		step.Do = config("config:set", "--no-restart", name, "DOKKU_PROXY_PORT_MAP="+strings.Join(ports, " "))
		return step
	}
	step.Path, step.Mode, step.Data, step.Was = path, 0o600, []byte(strings.Join(ports, "\n")+"\n"), s.Digest(path)
	step.Verify = func(ctx context.Context, h host.Host) error {
		read, err := host.Ports(ctx, h, name)
		if err != nil {
			return err
		}
		for _, p := range without(ports, read) {
			// https without a certificate is rightly not among them.
			if !strings.HasPrefix(p, "https:") {
				return fmt.Errorf("Dokku reads the port map it was given (%s) as %s", strings.Join(ports, " "), strings.Join(read, " "))
			}
		}
		return nil
	}
	return step
}
