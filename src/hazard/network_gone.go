package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// networkGone is about docker networks that an app's settings name and docker does not
// have: on a new machine, or after docker was installed anew, the property is there and
// the network is not, and no deploy comes to its end
// (docs/dokku-versions.md#what-a-container-is-started-with).
var networkGone = Hazard{
	Name:    "network-gone",
	Threads: "dokku/dokku#4633",
	Guide:   "https://dokku.com/docs/networks/network/",
	Reads:   []app.Part{app.PartProxy},

	Detect: func(s Subject) []Finding {
		var found []Finding
		for _, n := range s.lacking(app.NeedNetwork) {
			found = append(found, Finding{
				What:        fmt.Sprintf("the network %s does not exist (%s)", n.name, named(n.by)),
				Consequence: "What runs goes on. " + n.fails("deploy, ps:rebuild or ps:restart") + " ends with an error of docker's or Dokku's that this network does not exist.",
				Kind:        n.kind(),
				Command:     say.Command("dokku network:create", n.name),
			})
		}
		return found
	},
}
