package app

import (
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// maxPath is the longest path that a snapshot names; the kernel takes no longer one.
const maxPath = 4096

// factName is the first part of a path below facts/.
var factName = pattern.Of(`^[a-z-]+$`)

// Holds tells whether a snapshot of ours may hold a path, whoever named the app, the
// branch or the property that is in it. It is asked when a snapshot is stored and when
// one is read, whatever its manifest says. Never are: what lies outside of the apps
// and of Dokku's own files, hidden directories beside the apps (.ssh, .dokkurc), and
// root/<app>/hooks, which is code that git runs. Anything else may be called hooks.
func Holds(path string) bool {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	if len(path) > maxPath || strings.Contains(path, "\x00") ||
		slices.ContainsFunc(parts, func(p string) bool { return p == "" || p == "." || p == ".." }) {
		return false
	}
	switch {
	case len(parts) == 1:
		return false
	case parts[0] == "root":
		return parts[1][0] != '.' && (len(parts) == 2 || parts[2] != "hooks")
	case parts[0] == "lib" && len(parts) == 2:
		return parts[1] == "VERSION" || parts[1] == "STABLE_VERSION"
	case parts[0] == "lib" && parts[1] == "data" && len(parts) > 3:
		return !slices.Contains(notCapturedData, parts[2]) // a restore writes neither there
	case parts[0] == "lib":
		return parts[1] == "config" || parts[1] == "data"
	}
	return parts[0] == "facts" && factName().MatchString(parts[1])
}

// scopeAt is which part of a path names the app that it belongs to, or another scope,
// and what stands before the name there. The path may have no such part.
func scopeAt(parts []string) (at int, prefix string) {
	switch {
	case parts[0] == "root":
		return 1, ""
	case parts[0] == "facts":
		return 2, "" // facts/image/<app>/...
	case len(parts) == 4 && parts[1] == "config" && parts[3] == "ENV":
		return 2, "" // lib/config/<app>/ENV, from 0.38 on
	case len(parts) > 3 && parts[1] == "data":
		return dataScope(parts)
	}
	return 3, ""
}

// dataScope is scopeAt below a plugin's data directory: core's convention is one for each
// app, but for these.
func dataScope(parts []string) (at int, prefix string) {
	switch parts[2] {
	case "nginx-vhosts", "openresty-vhosts":
		return 3, "app-"
	case "storage-registry": // entries, which apps share; 0.38.0 to 0.38.5 have migrations/<app>
		if parts[3] == "migrations" {
			return 4, ""
		}
		return len(parts), ""
	case "caddy", "haproxy", "traefik": // the proxy's own
		return len(parts), ""
	}
	return 3, ""
}

// Scope is the app that a captured path belongs to, or another scope; "" for none.
func Scope(path string) string {
	parts := strings.Split(path, "/")
	at, prefix := scopeAt(parts)
	if at >= len(parts) || !strings.HasPrefix(parts[at], prefix) {
		return ""
	}
	return parts[at][len(prefix):]
}

// RealPath is where a captured path is on a host.
func RealPath(p host.Paths, path string) string {
	if rel, ok := strings.CutPrefix(path, "root/"); ok {
		return filepath.Join(p.DokkuRoot, rel)
	}
	return filepath.Join(p.LibRoot, strings.TrimPrefix(path, "lib/"))
}
