package hazard

import (
	"fmt"
	"path/filepath"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// percent is about values with a % in them (docs/dokku-versions.md#properties). Up to
// 0.25.3 a property was written through a format, so that a value which an installation
// or a rename copied came out as "50%!d(MISSING)".
var percent = Hazard{
	Name:  "percent",
	Guide: "https://dokku.com/docs/appendices/0.25.0-migration-guide/",

	Detect: func(s Subject) []Finding {
		if s.Before == nil || !app.Before(s.From, "0.25.4") {
			return nil
		}
		return mangled(s.Context, s.Now.Name)
	},
	DetectHost: func(s HostSubject) []Finding {
		if s.Before == nil || !app.Before(s.From, "0.25.4") {
			return nil
		}
		return mangled(s.Context, host.GlobalScope)
	},
}

// mangled finds the properties of a scope that had a % and were mangled.
func mangled(j Context, scope string) []Finding {
	var found []Finding
	for _, file := range j.Files.Properties(scope) {
		if !strings.Contains(string(file.Data), "%!") || j.Old() == nil {
			continue
		}
		old, ok := j.Old().Get(file.Path)
		if !ok || old.SHA256 == "" || old.SHA256 == file.SHA256 || !strings.Contains(string(old.Data), "%") || strings.Contains(string(old.Data), "%!") {
			continue
		}
		name := strings.TrimPrefix(file.Path, "lib/config/")
		path := filepath.Join(j.Paths.LibRoot, "config", name)
		found = append(found, Finding{
			What: fmt.Sprintf("the property %s held a %% and was mangled", name),
			Step: &plan.Step{
				Mark: plan.Change, Text: "property " + name + ", as it was",
				Path: path, Mode: 0o600, Data: old.Data, Was: file.SHA256,
			},
		})
	}
	return found
}
