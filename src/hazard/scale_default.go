package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
)

// scaleDefault is about apps that were created before 0.25 and never deployed:
// they have no DOKKU_SCALE yet, because up to 0.24 the first deploy made it,
// with web=1. From 0.25 on it is apps:create that writes web=1, and a first
// deploy without any scale starts nothing (seen on 0.35.5: web=0).
var scaleDefault = Hazard{
	Name:    "scale-never-set",
	About:   AboutScale,
	Threads: "dokku/dokku#7253, #5931",
	Guide:   guide030,
	Reads:   []app.Part{app.PartScale},

	Foresee: func(s Subject) []Finding {
		if !app.ScaleInFile(s.From) || !s.Crosses("0.25.0") || s.Now.Deployed() || s.Now.Scale.File != nil ||
			!s.Now.Scale.Property.Empty() {
			return nil
		}
		f := &Finding{
			What:        fmt.Sprintf("the app was never deployed and has no scale yet, which %s expects", s.To),
			Consequence: "Its first deploy would start no web process.",
		}
		seedScale(s, f, defaultScale)
		return []Finding{*f}
	},

	Detect: func(s Subject) []Finding {
		if app.ScaleInFile(s.To) || s.Now.Deployed() || !s.Now.Scale.Property.Empty() || s.Now.Scale.File != nil ||
			len(s.Now.Scale.Property.MalformedLines()) > 0 {
			return nil
		}
		if s.Before != nil && !s.Before.EffectiveScale().Empty() {
			return nil // scaleLost
		}
		return []Finding{{
			What:        "the app was never deployed and has no scale",
			Consequence: "Its first deploy would start no web process.",
			Step:        putScale(s, defaultScale),
		}}
	},
}

// defaultScale is what Dokku gives a new app.
var defaultScale = &app.Scale{Processes: []app.Process{{Type: "web", Quantity: 1}}}
