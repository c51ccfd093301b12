package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// pluginGone is about an app whose settings name a plugin that is not there: a builder, a
// scheduler, a proxy. Dokku asks all plugins by triggers and misses no answer, so nothing
// fails by itself: nothing is built, started or proxied
// (docs/dokku-versions.md#what-a-container-is-started-with). Only of the names that Dokku
// and its known plugins use is it known which plugin answers to them.
var pluginGone = Hazard{
	Name:  "plugin-gone",
	Guide: "https://dokku.com/docs/advanced-usage/plugin-management/",
	Reads: []app.Part{app.PartProxy},

	Detect: func(s Subject) []Finding {
		if !s.Now.Deployed() || s.Plugins.Enabled == nil {
			return nil
		}
		enabled := s.Plugins.Enabled()
		if !enabled["common"] {
			return nil // not even Dokku's own were seen
		}
		var found []Finding
		for _, c := range []struct{ what, value, plugin, fails, set string }{
			{"builder", s.builder(), "builder-", "is not built: what ran before is started anew, or nothing", "dokku builder:set"},
			{"scheduler", s.Now.Proxy.Scheduler, "scheduler-", "starts nothing", "dokku scheduler:set"},
			{"proxy", s.Now.Proxy.Kind(), "", "is not served to anybody", "dokku proxy:set"},
		} {
			plugin := pluginOf(c.what, c.value)
			if plugin == "" || enabled[plugin] || c.what == "proxy" && (s.Now.Proxy.Disabled || s.Now.Proxy.Unknown != "") {
				continue
			}
			f := Finding{
				What:        fmt.Sprintf("its %s is %s, and no plugin %s is enabled", c.what, c.value, plugin),
				Consequence: fmt.Sprintf("What runs goes on. The next deploy or ps:rebuild of the app %s.", c.fails),
				Command:     say.Command("dokku plugin:enable", plugin),
			}
			if s.Plugins.Available != nil && !s.Plugins.Available()[plugin] {
				f.Command = say.Command(c.set, s.Now.Name)
				switch {
				case c.what != "proxy":
					f.Command += " selected"
				case !app.Before(s.Now.Dokku, "0.38.0"):
					f.Command += " type"
				}
				f.Command += " <one that is there>"
			}
			found = append(found, f)
		}
		return found
	},
}

// builder is the one that is selected for the app, or for the host; "" for none.
func (s Subject) builder() string {
	for _, scope := range []string{s.Now.Name, host.GlobalScope} {
		file, there := s.Files.Get("lib/config/builder/" + scope + "/selected")
		if there && file.Error != "" {
			return ""
		}
		if value := strings.TrimSpace(string(file.Data)); value != "" {
			return value
		}
	}
	return ""
}

// pluginOf is the plugin that answers to a name, "" where that is not known.
func pluginOf(what, name string) string {
	known := map[string]string{
		"builder":   " dockerfile herokuish lambda nixpacks null pack railpack ",
		"scheduler": " docker-local k3s kubernetes nomad null ",
	}[what]
	switch {
	case what == "proxy" && name != "": // whoever's: Dokku asks for this ending
		return name + "-vhosts"
	case name == "" || !strings.Contains(known, " "+name+" "):
		return ""
	}
	return what + "-" + name
}
