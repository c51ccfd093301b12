package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
)

// scaleFromRepository is about apps whose DOKKU_SCALE comes with their code: up
// to 0.24 it is taken from the image at every deploy, 0.25 to 0.29 translate it
// with a warning, and 0.30 ignores it
// (docs/dokku-versions.md#a-scale-that-comes-with-the-code). The scale itself is kept
// by scaleLost; what only the app's author can do is to write the formation.
var scaleFromRepository = Hazard{
	Name:    "scale-from-repository",
	About:   AboutScale,
	Threads: "dokku/dokku#5692",
	Guide:   guide030,
	Reads:   []app.Part{app.PartScale},

	Foresee: func(s Subject) []Finding {
		if !s.Now.Scale.FromRepository || !app.Before(s.From, "0.30.0") || !s.Crosses("0.30.0") {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("the app's repository brings a DOKKU_SCALE, which %s ignores", s.To),
			Consequence: "The present scale is kept, but later changes in that file have no effect: write a formation key in app.json.",
			Kind:        Notice,
		}}
	},
}
