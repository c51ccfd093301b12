package hazard

import (
	"fmt"
	"slices"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// mountGone is about what an app mounts and is not there: a directory of the machine, a
// volume. docker makes an empty one in silence, of -v and of volumes, so that the next
// deploy comes up without its data: most often a disk is not mounted. Of --mount
// type=bind it refuses to (docs/dokku-versions.md#what-a-container-is-started-with).
var mountGone = Hazard{
	Name:  "mount-gone",
	Guide: "https://dokku.com/docs/advanced-usage/persistent-storage/",
	Reads: []app.Part{app.PartProxy, app.PartDockerOptions},

	Detect: func(s Subject) []Finding {
		var found []Finding
		for _, kind := range []app.NeedKind{app.NeedDirectory, app.NeedVolume} {
			var empty, names []string
			for _, n := range s.lacking(kind) {
				if n.needs[0].Made || n.kind() == Notice {
					empty, names = append(empty, n.name), append(names, n.by...)
					continue
				}
				found = append(found, Finding{
					What:        fmt.Sprintf("what it mounts is not there: %s (%s)", n.name, named(n.by)),
					Consequence: "What runs goes on. " + n.fails("deploy, ps:rebuild or ps:restart") + ` ends with docker's error "bind source path does not exist". Is a disk not mounted? The command is for where it is to be empty.`,
					Command:     say.Command("mkdir -p", n.name),
				})
			}
			if len(empty) > 0 {
				what := map[app.NeedKind]string{app.NeedDirectory: "what it mounts is not there", app.NeedVolume: "volumes that it mounts do not exist"}[kind]
				slices.Sort(names)
				found = append(found, Finding{
					What:        fmt.Sprintf("%s: %s (%s)", what, listed(empty), named(slices.Compact(names))),
					Consequence: "At its next deploy or restart docker makes them, empty, in silence, and the app starts with that. Is a disk not mounted?",
					Kind:        Notice,
				})
			}
		}
		return found
	},
}
