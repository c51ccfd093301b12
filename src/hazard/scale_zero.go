package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
)

// scaleZero is what scaleLost ends in when a deploy comes before the repair:
// Dokku writes 0 for every process type of the Procfile and stops the
// containers (docs/dokku-versions.md#what-is-left-of-a-lost-scale; recorded on 0.38.27:
// ps:rebuild --all took every site down). The zeros are a value that is set now, which
// the guard does not touch (law 2): a person says so with one command.
var scaleZero = Hazard{
	Name:    "scale-zero",
	Threads: "dokku/dokku#7253, #6066",
	Guide:   guide030,
	Reads:   []app.Part{app.PartScale},

	Detect: func(s Subject) []Finding {
		if s.Before == nil || s.NoDocker || app.ScaleInFile(s.To) || !app.ScaleInFile(s.Before.Dokku) {
			return nil
		}
		before, now := s.Before.EffectiveScale(), s.Now.Scale.Property
		if before.Total() == 0 || now.Empty() || now.Total() > 0 || len(now.MalformedLines()) > 0 || s.Now.Running() > 0 {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("the scale is %s, and was %s before the upgrade", now, before),
			Consequence: "The app is stopped: a deploy came after its scale was lost.",
			Command:     scaleCommand(s.Now.Name, before),
		}}
	},
}
