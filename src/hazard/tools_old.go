package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// toolsOld is about programs from packages of Dokku's own that a version of it runs with
// options which an older package does not know. From 0.31.5 on Dokku's package asks for no
// version of them, so apt-get install dokku leaves them as they are, and deploys fail
// (docs/dokku-versions.md#what-dokku-asks-of-docker). apt upgrade brings them along.
var toolsOld = Hazard{
	Name:  "tools-old",
	Guide: "https://dokku.com/docs/getting-started/upgrading/",

	ForeseeHost: func(s HostSubject) []Finding {
		return s.oldTools(Notice, func(t tool) bool { return s.Crosses(t.dokku) }, "If the upgrade does not bring a newer one along, ")
	},
	DetectHost: func(s HostSubject) []Finding {
		return s.oldTools(Manual, func(t tool) bool { return !app.Before(s.Now.Dokku, t.dokku) }, "Until then ")
	},
}

// tool is what Dokku from a version on needs of a tool.
type tool struct{ name, needs, dokku, why string }

var toolsNeeded = []tool{
	{"docker-container-healthchecker", "0.7.0", "0.32.0", "the check that a web process listens, in every deploy (add --listening-check)"},
	{"docker-image-labeler", "0.6.0", "0.31.2", "builds with pack (relabel)"},
}

func (s HostSubject) oldTools(kind Kind, match func(tool) bool, when string) []Finding {
	var found []Finding
	for _, t := range toolsNeeded {
		has := s.Now.Has.Tools[t.name]
		if has == "" || !app.Before(has, t.needs) || !match(t) {
			continue
		}
		found = append(found, Finding{
			Kind:        kind,
			What:        fmt.Sprintf("%s %s is too old for Dokku %s: %s needs %s", t.name, has, s.To, t.why, t.needs),
			Consequence: when + "what runs goes on, and what needs it fails.",
			Command:     say.Command("apt-get install", t.name),
		})
	}
	return found
}
