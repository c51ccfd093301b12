package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
)

// letsencryptPlugin is about releases of the letsencrypt plugin that do not work
// with a Dokku (docs/letsencrypt.md#releases-that-do-not-work): it sources core's shell
// functions, which have moved, and an upgrade of Dokku does not touch it. Certificates
// are served and not renewed; nothing says so until they end. It is told before the
// upgrade, because the order is Dokku first, then the plugin.
var letsencryptPlugin = Hazard{
	Name:    "letsencrypt-plugin",
	About:   AboutLetsencrypt,
	Threads: "dokku/dokku-letsencrypt#43, #204, #214, #316, #322, #324, #318, dokku/dokku#6498",
	Guide:   "https://github.com/dokku/dokku-letsencrypt#upgrading",

	ForeseeHost: func(s HostSubject) []Finding {
		found := pluginTrouble(s.Now.Global.Letsencrypt.Plugin, s.To)
		if len(found) > 0 && len(pluginTrouble(s.Now.Global.Letsencrypt.Plugin, s.From)) == 0 {
			found[0].Consequence += " The certificates last until then: update the plugin after the upgrade, not before."
		}
		return found
	},
	DetectHost: func(s HostSubject) []Finding {
		return pluginTrouble(s.Now.Global.Letsencrypt.Plugin, s.To)
	},
}

// misfits are the releases that do not work: from one release to below another,
// with Dokku from one version on.
var misfits = []struct {
	from, before string
	dokku        string // "" for every Dokku
	why          string
}{
	{"0.1.0", "0.9.1", "0.20.0", "it reads a file that is not in it"},
	{"0.11.5", "0.11.8", "0.20.0", "it takes every certificate for somebody else's and renews none"},
	{"0.20.2", "0.20.3", "0.20.0", "it has a syntax error"},
	{"0.21.0", "0.21.1", "0.20.0", "it looks for a client image without a name"},
	{"0.9.1", "0.9.4", "0.21.0", "get_app_domains is not where it looks: orders and renewals fail"},
	{"0.9.4", "0.10.1", "0.26.7", "it does not reload nginx any more: challenges fail"},
	{"0.10.1", "0.20.0", "0.32.0", "get_available_port is gone: orders and renewals fail"},
}

func pluginTrouble(plugin app.LetsencryptPlugin, dokku string) []Finding {
	for _, m := range misfits {
		if plugin.Is(m.from) && plugin.IsBefore(m.before) && !app.Before(dokku, m.dokku) {
			return []Finding{{
				What:        fmt.Sprintf("letsencrypt %s does not work with Dokku %s: %s", plugin, dokku, m.why),
				Consequence: "No certificate is renewed.",
				Command:     updateLetsencrypt,
			}}
		}
	}
	if plugin.Is("0.20.0") && app.Before(dokku, "0.20.0") {
		return []Finding{{
			What:        fmt.Sprintf("letsencrypt %s does not work with Dokku %s: it keeps its settings where that Dokku has no place for them", plugin, dokku),
			Consequence: "No certificate is renewed.",
			Command:     "apt-get install dokku",
		}}
	}
	return nil
}
