package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
)

// psDirectory is about 0.29.0 to 0.29.3: each build there writes beside
// data/ps/APP/Procfile, and that directory is made for new apps alone, not by the
// installation for those there are, as 0.29.4 and later do
// (docs/dokku-versions.md#data-directories-and-the-deploy-lock). An app from before
// 0.22, of an image without a Procfile, cannot be built.
var psDirectory = Hazard{
	Name:    "ps-directory",
	Threads: "dokku/dokku#5568",
	Guide:   "https://dokku.com/docs/appendices/0.29.0-migration-guide/",

	Foresee: func(s Subject) []Finding {
		missing := s.missingDirs("ps")
		if !wantsPsDirectory(s.To) || wantsPsDirectory(s.From) || len(missing) == 0 {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("%s needs a directory that its installation does not make: %s", s.To, missing[0]),
			Consequence: "If the app's image has no Procfile, it cannot be deployed without.",
			Afterwards:  textDirs(len(missing)),
		}}
	},
	Detect: func(s Subject) []Finding {
		missing := s.missingDirs("ps")
		if !wantsPsDirectory(s.To) || len(missing) == 0 {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("a data directory is missing that %s needs and does not make: %s", s.To, missing[0]),
			Consequence: "If the app's image has no Procfile, it cannot be deployed.",
			Step:        makeDirs(missing),
		}}
	},
}

func wantsPsDirectory(dokku string) bool {
	return dokku != "" && !app.Before(dokku, "0.29.0") && app.Before(dokku, "0.29.4")
}
