package hazard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// envRewound is about 0.38.26 alone (docs/dokku-versions.md#environment). 0.38.0 to
// 0.38.25 copy an app's ENV to its new place and leave the old file lying; 0.38.26
// reads it once more and puts its old values over the present ones: what was set since
// is gone, what was unset is back. Later versions keep their hands off it.
var envRewound = Hazard{
	Name:    "env-rewound",
	Threads: "dokku/dokku#8929, #8875",
	Guide:   "https://dokku.com/docs/appendices/0.38.0-migration-guide/",
	Reads:   []app.Part{app.PartEnv},

	Foresee: func(s Subject) []Finding {
		stale := "root/" + s.Now.Name + "/ENV"
		file, ok := s.Files.Get(stale)
		if s.To != "0.38.26" || !app.EnvMoved(s.Files, s.Now.Name) || !ok || file.SHA256 == "" {
			return nil
		}
		path := s.Paths.App(s.Now.Name) + "/ENV"
		return []Finding{{
			What:        fmt.Sprintf("%s is left from before 0.38, and 0.38.26 puts its values over the present ones", path),
			Consequence: "Settings that were changed since would be rewound.",
			Step: &plan.Step{
				Mark: plan.Change, Text: "the leftover ENV, moved out of its way",
				Do: func(_ context.Context, h host.Host) error {
					// No version reads it under this name. 0.38.27 would call it
					// ENV.migrated; then it is not there any more.
					err := h.Rename(path, path+".before-0.38")
					if errors.Is(err, fs.ErrNotExist) {
						return nil
					}
					return err
				},
			},
		}}
	},

	Detect: func(s Subject) []Finding {
		if s.Before == nil || s.To != "0.38.26" || s.Old() == nil || !app.EnvMoved(s.Old(), s.Now.Name) || maps.Equal(s.Before.Env, s.Now.Env) {
			return nil
		}
		return []Finding{{
			What:        "the installation of 0.38.26 has changed the app's environment back to older values",
			Consequence: "The app gets them at its next restart.",
			Command:     say.Command("dokku upgrade-guard:restore", s.Now.Name, "--only", "env"),
		}}
	},
}
