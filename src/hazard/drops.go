package hazard

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/say"
)

// A build by Dokku is made of what is set now. Where something that nginx serves of an
// app has gone from Dokku's files and a snapshot has it (its certificate, a domain, a
// port), the build ends that: an app's tls directory was deleted, and nginx, built
// without https, was reported as "repaired, put back and verified". Without an open
// baseline nobody knows that it was not meant, so it is not put back; but it is not built
// either: it is told, with the command that puts it back, from the very snapshot. Whoever
// has meant it has Dokku build it.
//
// What Dokku's own commands take away they build at once, and an app's live snapshot
// follows each of them: so a domain or port counts that the newest snapshot has. nginx's
// configuration that names a certificate which is not there is no work of theirs; so
// that is looked for in all snapshots.

// Drop is what a build of an app's nginx configuration would end.
type Drop struct {
	// Part is the part of a restore that it belongs to, "" for nothing.
	Part app.Part
	// Ends says what would end, Gone what of Dokku's files that is; Command puts it back.
	Ends, Gone, Command string
}

// Why says both; "" for nothing.
func (d Drop) Why() string {
	if d.Part == "" {
		return ""
	}
	return d.Ends + ": " + d.Gone
}

// Drops is what a build would end that nginx serves of an app, by a snapshot from before,
// the newest; holding is the newest of all for which a question is answered with yes.
// Both may be nil.
func Drops(now Side, before *Side, holding func(func(app.State) bool) *Side, at time.Time) Drop {
	// Configurations may be large, and of most apps nothing is gone: they are read last.
	shown := sync.OnceValue(func() []nginx.Server { return shownBy(now, before) })
	drop := func(part app.Part, by *Side, ends, format string, args ...any) Drop {
		id := by.ID
		if strings.HasPrefix(id, "live/") {
			id = "live"
		}
		return Drop{part, ends, fmt.Sprintf(format, args...) + " (recorded " + by.Of + ")", say.Command("dokku upgrade-guard:restore", now.State.Name, "--only", string(part), "--snapshot", id)}
	}
	if has := now.State.Certificate; (has == nil || !has.KeyFits) && now.State.Unknown[app.PartCertificate] == "" && mayEncrypt(now, before) && slices.ContainsFunc(shown(), encrypted) {
		good := func(s app.State) bool {
			c, domains := s.Certificate, now.State.Domains.Effective()
			return c != nil && c.KeyFits && c.NotAfter.After(at) && (len(domains) == 0 || len(c.Uncovered(domains)) < len(domains))
		}
		by := before
		if (by == nil || !good(by.State)) && holding != nil {
			by = holding(good)
		}
		if by != nil && good(by.State) {
			c := by.State.Certificate
			return drop(app.PartCertificate, by, "its https would end", "the certificate of %s, until %s, is gone", strings.Join(c.Names, " "), c.NotAfter.Format(time.DateOnly))
		}
	}
	if _, custom := now.Files.Get("lib/data/nginx-vhosts/app-" + now.State.Name + "/nginx.conf.sigil"); custom || before == nil {
		return Drop{} // names and ports are the template's, as they were
	}
	// What has others in its place was set by somebody (law 2).
	if d := before.State.Domains; d.File && !d.Disabled && now.State.Unknown[app.PartDomains] == "" && len(without(now.State.Domains.Names, d.Names)) == 0 {
		if gone := without(d.Names, now.State.Domains.Effective()); len(gone) > 0 {
			if lost := common(gone, namesOf(shown())); len(lost) > 0 {
				return drop(app.PartDomains, before, "it would no longer answer to "+listed(lost), "gone from its domains is %s", listed(lost))
			}
		}
	}
	if was := before.State.Ports.Map; now.State.Unknown[app.PartPorts] == "" && len(without(now.State.Ports.Map, was)) == 0 {
		if gone := without(portsOf(was), builtPorts(now.State)); len(gone) > 0 {
			if lost := common(gone, listened(shown())); len(lost) > 0 {
				return drop(app.PartPorts, before, "it would no longer answer on port "+listed(lost), "gone from its port map is %s", listed(lost))
			}
		}
	}
	return Drop{}
}

// shownBy is what nginx has of an app: by its configuration, the one that is quarantined
// in its place, or, where there is none, the snapshot's.
func shownBy(now Side, before *Side) []nginx.Server {
	shown := servers(now)
	if text, _ := now.Files.Text(nginx.ConfPath(now.State.Name)); nginx.IsQuarantined(text) {
		config, _ := nginx.ReadQuarantined(now.Files, now.State.Name) // of which that is a substitute
		shown = config.Servers
	}
	if len(shown) == 0 && before != nil {
		shown = servers(*before)
	}
	return shown
}

// mayEncrypt tells whether any of these has a word of encryption in it at all.
func mayEncrypt(now Side, before *Side) bool {
	path := nginx.ConfPath(now.State.Name)
	has := func(files *app.Files, path string) bool {
		text, _ := files.Text(path)
		return strings.Contains(text, "ssl")
	}
	return has(now.Files, path) || has(now.Files, nginx.QuarantinePath(path)) || before != nil && before.Files != nil && has(before.Files, path)
}

func namesOf(shown []nginx.Server) (names []string) {
	for _, s := range shown {
		names = append(names, s.Names...)
	}
	return names
}

func listened(shown []nginx.Server) (ports []string) {
	for _, s := range shown {
		for _, l := range s.Listens {
			ports = append(ports, l.Port)
		}
	}
	return ports
}

func encrypted(s nginx.Server) bool {
	return s.Certificate != "" || slices.ContainsFunc(s.Listens, func(l nginx.Listen) bool { return l.TLS })
}

// common are the elements of a list that are in the other as well.
func common(list, other []string) []string { return without(list, without(list, other)) }

// portsOf are the host ports of a map that need no certificate.
func portsOf(ports []string) []string {
	return HostPorts(slices.DeleteFunc(slices.Clone(ports), func(p string) bool { return strings.HasPrefix(p, "https:") || strings.HasPrefix(p, "grpcs:") }))
}

// builtPorts are the host ports that a build would listen on.
func builtPorts(s app.State) []string {
	for _, ports := range [][]string{s.Ports.Map, s.Ports.Detected} {
		if len(ports) > 0 {
			return append(HostPorts(ports), s.Ports.Port, s.Ports.SSLPort)
		}
	}
	return []string{"80", "443", s.Ports.Port, s.Ports.SSLPort}
}
