package hazard

import (
	"fmt"

	"upgrade-guard/src/say"
)

// answersLost are addresses that answered before the last upgrade and do not now.
var answersLost = Hazard{
	Name:  "answers-lost",
	About: AboutNginx,

	Detect: func(s Subject) []Finding {
		if s.Routing == nil || len(s.Routing.Worse) == 0 {
			return nil
		}
		var found []Finding
		for _, what := range s.Routing.Worse {
			found = append(found, Finding{Kind: Notice, What: what, Consequence: seeLogs(s.Now.Name)})
		}
		return found
	},
}

// seeLogs says where to look for what went wrong.
func seeLogs(name string) string {
	return fmt.Sprintf("See %s and %s.", say.Command("dokku logs", name), say.Command("dokku nginx:error-logs", name))
}
