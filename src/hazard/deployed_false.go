package hazard

import (
	"upgrade-guard/src/plan"
)

// deployedFalse is about a cached answer that is wrong
// (docs/dokku-versions.md#deployed-or-not). From 0.23.4 on core's installation asks
// once whether an app is deployed and keeps the answer; where docker was down just
// then, or an app stopped, it is false for good, and nginx configuration, ps:restart
// and ps:restore pass the app over. Without the property Dokku asks again.
var deployedFalse = Hazard{
	Name:  "deployed-false",
	Guide: "https://dokku.com/docs/appendices/0.23.0-migration-guide/",

	Detect: func(s Subject) []Finding {
		path := s.Paths.Property("common", s.Now.Name, "deployed")
		file, ok := s.Files.At(s.Paths, path)
		if !ok || string(file.Data) != "false" || s.Now.Running() == 0 {
			return nil
		}
		return []Finding{{
			What:        "Dokku has cached deployed=false for a running app",
			Consequence: "Its nginx configuration is not built, and ps:restart and a reboot pass it over.",
			Step: &plan.Step{
				Mark: plan.Remove, Text: "the property deployed=false, so that Dokku looks again",
				Do: removeUnchanged(path, file.SHA256),
			},
		}}
	},
}
