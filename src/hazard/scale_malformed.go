package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// scaleMalformed is about a scale property with a line that is none. Every
// reader stops at it, and from 0.36.0 on ps-set-scale too, so that ps:scale
// cannot mend it (docs/dokku-versions.md#a-malformed-property).
var scaleMalformed = Hazard{
	Name:    "scale-malformed",
	About:   AboutScale,
	Threads: "dokku/dokku#5931",
	Guide:   guide030,
	Reads:   []app.Part{app.PartScale},

	Foresee: func(s Subject) []Finding {
		lines := s.Now.Scale.File.MalformedLines()
		if app.ScaleInFile(s.From) && s.Crosses("0.30.0") && len(lines) > 0 {
			// scaleDirty tells it of the versions that import the file.
			return []Finding{{
				What:        fmt.Sprintf("DOKKU_SCALE has lines that are none, and %s deletes them: %s", s.To, listed(lines)),
				Consequence: "What they meant only you know; Dokku itself has written such lines. Set the scale before the upgrade.",
				Command:     say.Command("dokku ps:scale", s.Now.Name, "web=1"),
			}}
		}
		if app.ScaleInFile(s.From) || !s.Crosses("0.36.0") {
			return nil
		}
		return malformedScale(s)
	},

	Detect: func(s Subject) []Finding {
		if app.ScaleInFile(s.To) {
			return nil
		}
		found := malformedScale(s)
		if len(found) == 0 || s.Before == nil {
			return found
		}
		before, now := s.Before.EffectiveScale(), s.Now.Scale.Property
		if before.Empty() || len(before.Malformed) > 0 || !contains(before, now) {
			// What can still be read is not what was recorded.
			if !before.Empty() {
				found[0].What += fmt.Sprintf("; it was %s in %s", before, s.Baseline)
			}
			return found
		}
		found[0].Command, found[0].Step = "", putScale(s, before)
		return found
	},
}

func malformedScale(s Subject) []Finding {
	scale := s.Now.Scale.Property
	if len(scale.MalformedLines()) == 0 {
		return nil
	}
	path := s.Paths.Property("ps", s.Now.Name, "scale")
	wanted := scale.String()
	if wanted == "" {
		wanted = "web=1"
	}
	return []Finding{{
		What:        fmt.Sprintf("the scale property holds what is none: %s", listed(scale.MalformedLines())),
		Consequence: "Deploys, ps:scale and proxy:build-config of the app fail.",
		Command:     say.Command("rm", path) + " && " + say.Command("dokku ps:scale", s.Now.Name) + " " + wanted,
	}}
}

// contains tells whether every process of part is in whole, with its quantity.
func contains(whole, part *app.Scale) bool {
	for _, p := range part.Processes {
		found := false
		for _, q := range whole.Processes {
			found = found || p == q
		}
		if !found {
			return false
		}
	}
	return true
}
