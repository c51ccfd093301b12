package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// storageEntries is about mounts whose entry is gone
// (docs/dokku-versions.md#docker-options-and-storage): from 0.38 on a mount names an entry
// in another directory, which a copy of the properties does not bring along. Without it
// every deploy of the app ends in an error. The data that is mounted is never touched.
var storageEntries = Hazard{
	Name:    "storage-entries",
	Threads: "dokku/docket#249, dokku/dokku#8538",
	Guide:   guideDockerOptions,

	Detect: func(s Subject) []Finding {
		if app.Before(s.To, "0.38.0") {
			return nil
		}
		var found []Finding
		mounts, _ := s.Files.Mounts(s.Now.Name)
		asked := map[string]bool{}
		for _, m := range mounts {
			path := app.EntryPath(m.Entry)
			if _, there := s.Files.Get(path); path == "" || there || asked[path] {
				continue
			}
			asked[path] = true
			f := Finding{
				What:        fmt.Sprintf("the storage entry %s, which its mount at %s names, is gone", m.Entry, m.At),
				Consequence: "Each deploy of the app fails until it is there again. Another snapshot may hold it.",
				Command:     say.Command("dokku upgrade-guard:restore", s.Now.Name, "--only", "files", "--snapshot") + " <id>",
			}
			if old := s.Old(); old != nil {
				if file, ok := old.Entry(m.Entry); ok {
					f.Command, f.Step = "", &plan.Step{Mark: plan.Add, Text: "storage entry " + m.Entry, Path: app.RealPath(s.Paths, path), Mode: 0o600, Data: file.Data}
				}
			}
			found = append(found, f)
		}
		return found
	},
}
