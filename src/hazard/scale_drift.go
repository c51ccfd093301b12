package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
)

// scaleDrift is about an app that has come over 0.25 with a scale other than the
// recorded one: somebody has set it since, or a property from long ago lay where
// the old version did not read it and the new one does. Which of them it was
// cannot be told, so it is only said (law 2).
var scaleDrift = Hazard{
	Name:  "scale-drift",
	About: AboutScale,
	Guide: guide030,
	Reads: []app.Part{app.PartScale},

	Detect: func(s Subject) []Finding {
		if s.Before == nil || !s.Crosses("0.25.0") || s.webZero() != nil {
			return nil
		}
		before, now := s.Before.EffectiveScale(), s.Now.Scale.Property
		if before.Empty() || now.Empty() || now.Equal(before) || now.Total() == 0 && s.Now.Running() == 0 || len(now.MalformedLines()) > 0 {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("the scale is %s, and was %s in %s", now, before, s.Baseline),
			Consequence: "If nobody has changed it since, set it back.",
			Command:     scaleCommand(s.Now.Name, before),
			Kind:        Notice,
		}}
	},
}
