package guard

import (
	"context"
	"path/filepath"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/plugins"
)

// Other plugins that have a trigger for an upgrade.

// fire lets every other plugin do its part, one after the other as plugn would;
// but where plugn stops at the first that fails, the others still get theirs.
func (g *Guard) fire(ctx context.Context, trigger, from, to string) {
	defer host.Setenv(inOurRun, "yes")()
	files, err := plugins.Hooks(g.Host, trigger)
	if err != nil {
		return // no plugins, no part
	}
	for _, file := range files {
		plugin := filepath.Base(filepath.Dir(file))
		out, err := g.Host.Run(ctx, file, from, to)
		for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if l != "" {
				g.Out.Detail("%s: %s", plugin, l)
			}
		}
		if err != nil {
			g.Out.Trouble("The plugin %s failed: %s", plugin, err)
		}
	}
}
