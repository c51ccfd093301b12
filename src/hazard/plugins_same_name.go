package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plugins"
	"upgrade-guard/src/say"
)

// pluginsSameName is about plugins that have the name of a plugin which Dokku has
// brought along since: registry, from 0.25.0 on. The package's postinst enables
// core's only where the name is free in plugins/available, so with somebody else's
// there Dokku goes without its own, and everything else of it counts on that.
var pluginsSameName = Hazard{
	Name:  "plugins-same-name",
	Guide: "https://dokku.com/docs/appendices/0.25.0-migration-guide/",

	ForeseeHost: func(s HostSubject) []Finding {
		return sameName(s.Context, s.Crosses, "Write down its settings and take it away before the upgrade.",
			func(name string) string { return say.Command("dokku plugin:uninstall", name) })
	},
	DetectHost: func(s HostSubject) []Finding {
		return sameName(s.Context, func(version string) bool { return !app.Before(s.To, version) },
			"Write down its settings, take it away, and have the package enable Dokku's own.",
			func(name string) string {
				return say.Command("dokku plugin:uninstall", name) + " && dpkg-reconfigure dokku"
			})
	},
}

func sameName(j Context, has func(version string) bool, advice string, command func(name string) string) []Finding {
	var found []Finding
	for _, name := range j.Plugins.Taken() {
		if since, ok := plugins.CorePlugins[name]; ok && has(since) {
			found = append(found, Finding{
				What:        fmt.Sprintf("the plugin %s is not Dokku's, which has one of that name since %s and does not enable it beside this one", name, since),
				Consequence: advice,
				Command:     command(name),
			})
		}
	}
	return found
}
