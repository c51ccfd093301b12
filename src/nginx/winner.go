package nginx

import (
	"net"
	"slices"

	"upgrade-guard/src/app"
)

// Winner is the app to which nginx gives a question, by the configurations on the disk:
// the first that has the name, in the order in which nginx reads them. "" where it is
// none: whatever answers then, a default site or the first server of all, answers for
// itself.
func Winner(f *app.Files, q Question) string {
	apps := slices.Clone(f.Apps)
	slices.SortFunc(apps, func(a, b string) int {
		if a+"/" < b+"/" { // nginx sorts paths
			return -1
		}
		return 1
	})
	_, port, _ := net.SplitHostPort(q.Address)
	for _, name := range apps {
		config, err := Read(f, name)
		if err != nil {
			continue
		}
		for _, s := range config.Servers {
			listens := slices.ContainsFunc(s.Listens, func(l Listen) bool { return l.Port == port })
			named := slices.Contains(s.Names, q.Host)
			if name == q.App && (q.Host == loopback || slices.ContainsFunc(s.Names, func(n string) bool { return !plainName(n) })) {
				named = true // an app by its port alone, or by a pattern of its template's
			}
			if listens && named {
				return name
			}
		}
	}
	return ""
}
