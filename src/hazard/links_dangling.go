package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// linksDangling is about links anywhere below DOKKU_LIB_ROOT that point nowhere at
// the moment of the upgrade: to a disk that is not mounted, or to a place that only
// a container has. Up to 0.32.3 the package's postinst deletes them all; later ones
// look into the plugins' directories only (docs/dokku-versions.md#packaging).
var linksDangling = Hazard{
	Name: "links-dangling",

	ForeseeHost: func(s HostSubject) []Finding {
		if !app.Before(s.To, "0.32.4") {
			return nil
		}
		links, all := s.Plugins.Dangling()
		if len(links) == 0 && all {
			return nil
		}
		f := Finding{
			What:        fmt.Sprintf("the installation of %s deletes links that point nowhere at present: %s", s.To, listed(links)),
			Consequence: "No snapshot holds them. Mount what they point to before the upgrade, or write them down.",
			Command:     say.Command("find", s.Paths.LibRoot) + ` -xtype l -printf '%p -> %l\n'`,
		}
		if len(links) == 0 {
			f.What = fmt.Sprintf("the installation of %s deletes links that point nowhere at present; there are more files than were looked at", s.To)
			f.Kind = Notice
		}
		return []Finding{f}
	},
}
