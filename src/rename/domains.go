package rename

import (
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
)

// vhost is the content of an app's VHOST file: a domain a line.
func vhost(domains []string) []byte {
	if len(domains) == 0 {
		return nil
	}
	return []byte(strings.Join(domains, "\n") + "\n")
}

// domainsOf are the new app's domains. Every domain of the old one stays, in its
// order: letsencrypt calls its files by the first. A default domain (app.DefaultDomains:
// the app's name below one of the host's, or a name with a dot by itself) is kept, though Dokku's validator would
// refuse my_app.example.com, and the new default one follows at the end, unless
// the app has a certificate, which would not cover it, or another app has the
// name. Without keepOld the new default one stands in the old one's place, as
// Dokku's own rename has it.
func domainsOf(dokku string, old []string, from, to string, hosts, taken []string, keepOld, certificate bool) []string {
	var names, added []string
	fresh, there := map[string][]string{}, map[string]bool{}
	for _, h := range hosts {
		for _, name := range app.DefaultDomains(dokku, from, []string{h}) {
			fresh[name] = append(fresh[name], app.DefaultDomains(dokku, to, []string{h})...)
		}
	}
	for _, name := range slices.Concat(old, taken) {
		there[name] = true
	}
	for _, name := range old {
		below, ok := strings.CutPrefix(name, from+".")
		if ok && !keepOld && slices.Contains(hosts, below) {
			names = append(names, to+"."+below)
			continue
		}
		names = append(names, name)
		for _, f := range fresh[name] {
			if keepOld && !certificate && !there[f] {
				added, there[f] = append(added, f), true
			}
		}
	}
	return append(names, added...)
}

// placeholder is the one domain of an app that is not to win any: a name that does
// not exist by definition (RFC 2606).
func placeholder(name string) string { return name + ".upgrade-guard.invalid" }

func (r *Rename) putDomains(dir string) error {
	name := filepath.Join(dir, "VHOST")
	if !r.Vhost {
		return r.Host.Remove(name)
	}
	return r.Host.Write(name, 0o644, vhost(r.Domains))
}
