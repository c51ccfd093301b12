package app

import (
	"slices"
	"strings"

	"upgrade-guard/src/pattern"
)

// Domains are an app's vhosts. The file VHOST has been their place in every
// version; what its absence means has not (docs/dokku-versions.md#domains).
type Domains struct {
	// Names are the lines of the app's VHOST file.
	Names []string `json:"names,omitempty"`
	// File tells that there is such a file, if an empty one.
	File bool `json:"file,omitempty"`
	// Disabled is domains:disable, kept as NO_VHOST=1 in the app's
	// environment to this day.
	Disabled bool `json:"disabled,omitempty"`
	// Inherited are the names an app without a VHOST file answers to: the
	// host's up to 0.21, its HOSTNAME up to 0.24, none later.
	Inherited []string `json:"inherited,omitempty"`
}

// Effective are the names that nginx serves the app under.
func (d Domains) Effective() []string {
	switch {
	case d.Disabled:
		return nil
	case d.File:
		return d.Names
	}
	return d.Inherited
}

func readDomains(f *Files, app string, e env) Domains {
	d := Domains{Names: f.Lines("root/" + app + "/VHOST"), Disabled: e.values["NO_VHOST"] == "1"}
	_, d.File = f.Get("root/" + app + "/VHOST")
	if d.File {
		return d
	}
	_, there := f.Get("root/VHOST")
	d.Inherited = Inherited(f.Dokku, there, f.Lines("root/VHOST"), f.Lines("root/HOSTNAME"))
	return d
}

// Inherited are the names that an app without a VHOST file answers to, of the host's
// domains, if there is a file of them, and of its HOSTNAME.
func Inherited(dokku string, there bool, domains, hostname []string) []string {
	switch {
	case there && Before(dokku, "0.22.0"):
		return domains
	case Before(dokku, "0.25.0"):
		return hostname
	}
	return nil
}

// DefaultDomains are the names that Dokku gives an app which has none: at its first deploy
// to 0.28, when it is made from 0.29 on, and in each run of core's installation from 0.27
// on. They are
// made alike by every version from 0.20 to 0.38 (docs/dokku-versions.md#domains):
// the app's name below each of the host's domains, whatever is below it already; and for
// a name with a dot in it that name itself, once for each of them. An address is passed
// over. Without any line that is a host name there is none. The slash that 0.20 allowed in
// names is a dash.
//
// A plugin with the trigger nginx-hostname may give others, but in core's installation,
// which runs no other plugin's.
func DefaultDomains(dokku, name string, hosts []string) (names []string) {
	if !anyHostName(dokku, hosts) {
		return nil
	}
	label := strings.Replace(name, "/", "-", 1)
	for _, h := range hosts {
		switch {
		case addressAtEnd().MatchString(h) || strings.Contains(h, "::"):
		case strings.Contains(name, "."):
			names = append(names, label)
		default:
			names = append(names, label+"."+h)
		}
	}
	return names
}

// anyHostName is Dokku's is_global_vhost_enabled.
func anyHostName(dokku string, hosts []string) bool {
	return slices.ContainsFunc(hosts, func(h string) bool { return TakesDomain(dokku, h) })
}

// TakesDomain tells whether Dokku's commands take a name for a domain. Its own default for my_app
// they do not.
func TakesDomain(dokku, name string) bool {
	return hostName().MatchString(name) || name == "_" && !Before(dokku, "0.30.4")
}

var (
	// hostName is what Dokku takes for one: is_valid_hostname, which from 0.30.4 on takes
	// "_" too.
	hostName = pattern.Of(`(?i)^[a-z0-9.*-]*[a-z0-9*-]$`)
	// addressAtEnd is an address by Dokku's get_ipv4_regex, which looks at the end of a
	// line alone: 1.2.3.4.sslip.io is a name; and by get_ipv6_regex without abbreviation.
	addressAtEnd = pattern.Of(`([0-9]{1,3}\.){3}[0-9]{1,3}$|([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}`)
)
