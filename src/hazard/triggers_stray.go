package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/say"
)

// triggersStray is about trigger files that are left in core-plugins from an older
// version or an installation from source. dpkg does not remove what it does not
// know, plugn runs every file of the trigger's name, and one of core's own binaries
// that is called by a name it has forgotten ends the deploy, the restart and even
// the destruction of an app with "Invalid plugin trigger call".
var triggersStray = Hazard{
	Name:    "triggers-stray",
	Threads: "dokku/dokku#7373",
	Guide:   "https://dokku.com/docs/development/plugin-triggers/",

	DetectHost: func(s HostSubject) []Finding {
		stray := s.Plugins.Stray()
		if len(stray) == 0 {
			return nil
		}
		return []Finding{{
			What:        "triggers lie among Dokku's own that its package does not know: " + listed(stray),
			Consequence: "Dokku runs them all the same; left over from another version, they can fail every deploy. Move them away, if you have not put them there.",
			Command:     say.Command("rm", stray...),
		}}
	},
}

// listed names the first few of many.
func listed(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
