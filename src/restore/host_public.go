package restore

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// A global property is in force for each app that has none of its own. Those that decide
// who can reach an app are put back only where every app comes to what it had in the
// snapshot, or has now: an app that was made since, with a proxy of its own or on an
// address of its own, has not been asked.

// reaching are the properties that decide who can reach an app, and the values of them by
// which nobody can who could not before.
var reaching = map[string]func(value string) bool{
	"network/bind-all-interfaces": func(v string) bool { return v == "false" },
	"network/initial-network":     never,
	"network/attach-post-create":  never,
	"network/attach-post-deploy":  never,
	"nginx/bind-address-ipv4":     func(v string) bool { return strings.HasPrefix(v, "127.") },
	"nginx/bind-address-ipv6":     func(v string) bool { return v == "::1" || v == "[::1]" },
	"proxy/disabled":              never,
	"proxy/type":                  never,
	"scheduler/selected":          never,
}

func never(string) bool { return false }

// propertyOpens says which app a global property, namespace/--global/name, would make
// reachable as it was not in the snapshot; "" where there is none.
func (r HostRestoration) propertyOpens(path, value string) string {
	namespace, rest, _ := strings.Cut(path, "/")
	name := strings.TrimPrefix(rest, host.GlobalScope+"/")
	closes, reaches := reaching[namespace+"/"+name]
	value = strings.TrimSpace(value)
	if !reaches || closes(value) {
		return ""
	}
	own := func(s interface{ Text(string) (string, bool) }, scope string) string {
		v, _ := s.Text("lib/config/" + namespace + "/" + scope + "/" + name)
		return strings.TrimSpace(v)
	}
	for _, a := range r.Files.Apps {
		if own(r.Files, a) != "" {
			continue // it goes by that
		}
		i := slices.IndexFunc(append([]string{a}, r.formerly(a)...), func(n string) bool { return slices.Contains(r.old.Apps, n) })
		if i < 0 {
			return fmt.Sprintf("%s is not in the snapshot, and would go by it", a)
		}
		if then := own(r.old, append([]string{a}, r.formerly(a)...)[i]); then != "" && then != value {
			return fmt.Sprintf("%s had %q of its own then, and would go by it now", a, then)
		}
	}
	return ""
}

// propertyCommand is how a person sets a global property.
func propertyCommand(path, value string) string {
	namespace, rest, _ := strings.Cut(path, "/")
	return say.Command(fmt.Sprintf("dokku %s:set", namespace), host.GlobalScope, strings.TrimPrefix(rest, host.GlobalScope+"/"), strings.TrimSpace(value))
}
