package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// scaleUnknownType is about the check that comes with the import of 0.25 to 0.29: a
// process type of DOKKU_SCALE that the copy of the app's Procfile does not name ends
// the whole installation ("... is not a valid process name to scale up").
var scaleUnknownType = Hazard{
	Name:    "scale-unknown-type",
	About:   AboutScale,
	Threads: "dokku/dokku#4769",
	Guide:   "https://dokku.com/docs/appendices/0.25.0-migration-guide/",
	Reads:   []app.Part{app.PartScale},

	Foresee: func(s Subject) []Finding {
		procfile, ok := s.Files.Text("lib/data/ps/" + s.Now.Name + "/Procfile")
		if !app.ScaleInFile(s.From) || !s.Crosses("0.25.0") || !app.Before(s.To, "0.30.0") || !ok || s.Now.Scale.File == nil {
			return nil
		}
		unknown := notIn(s.Now.Scale.File, procfile)
		if len(unknown) == 0 {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("DOKKU_SCALE has processes that the app's Procfile does not name, and the installation of %s stops at them: %s", s.To, strings.Join(unknown, " ")),
			Consequence: "The installation would end there and leave dokku half-configured.",
			Halts:       true,
			Command:     say.Command("dokku ps:scale", s.Now.Name) + " " + strings.Join(unknown, "=0 ") + "=0",
		}}
	},
}

// notIn are the process types with containers that a Procfile does not name.
func notIn(scale *app.Scale, procfile string) []string {
	named := map[string]bool{}
	for _, l := range strings.Split(procfile, "\n") {
		if name, _, ok := strings.Cut(l, ":"); ok {
			named[strings.TrimSpace(name)] = true
		}
	}
	var unknown []string
	if scale == nil {
		return nil
	}
	for _, p := range scale.Processes {
		if p.Quantity > 0 && !named[p.Type] {
			unknown = append(unknown, p.Type)
		}
	}
	return unknown
}
