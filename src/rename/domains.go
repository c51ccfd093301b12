package rename

import (
	"slices"
	"strings"
)

// vhost is the content of an app's VHOST file: a domain a line.
func vhost(domains []string) []byte {
	if len(domains) == 0 {
		return nil
	}
	return []byte(strings.Join(domains, "\n") + "\n")
}

// domainsOf are the new app's domains. Every domain of the old one stays, in its
// order: letsencrypt calls its files by the first. A default domain, which is the
// app's name below one of the host's, is kept, though Dokku's validator would
// refuse my_app.example.com, and the new default one follows at the end, unless
// the app has a certificate, which would not cover it, or another app has the
// name. Without keepOld the new default one stands in the old one's place, as
// Dokku's own rename has it.
func domainsOf(old []string, from, to string, hosts, taken []string, keepOld, certificate bool) []string {
	var names, added []string
	for _, name := range old {
		i := slices.IndexFunc(hosts, func(h string) bool { return name == from+"."+h })
		switch {
		case i < 0:
			names = append(names, name)
		case !keepOld:
			names = append(names, to+"."+hosts[i])
		default:
			names = append(names, name)
			if fresh := to + "." + hosts[i]; !certificate && !slices.Contains(old, fresh) && !slices.Contains(taken, fresh) {
				added = append(added, fresh)
			}
		}
	}
	return append(names, added...)
}
