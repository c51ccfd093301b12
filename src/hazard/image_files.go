package hazard

import (
	"fmt"
	"path/filepath"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plan"
)

// imageFiles is about files of an app that old versions fetch from its image each
// time they need them, and new ones expect where the last build from source has put
// them (docs/dokku-versions.md#files-from-the-image). Between the upgrade and the next
// such build they are not there: without its Procfile an app is restarted with the
// image's own command, for every process type; without nginx.conf.sigil its nginx
// configuration is built from Dokku's own template. Core's move of the latter, in 0.29
// and later, writes into a directory that it does not make, and is never tried again.
//
// So they are fetched from the running container before the upgrade, and written
// where the new version reads them and the old one does not.
var imageFiles = Hazard{
	Name:    "image-files",
	Threads: "dokku/dokku#7253, #5453",
	Guide:   "https://dokku.com/docs/appendices/0.29.0-migration-guide/",
	Reads:   []app.Part{app.PartEnv},

	Foresee: func(s Subject) []Finding {
		var found []Finding
		for _, f := range filesOfImage {
			if !s.Crosses(f.readFrom) {
				continue
			}
			if finding, step := f.missing(s, s.Files); finding != nil {
				if f.name == "Procfile" && app.Before(s.To, "0.30.0") && len(notIn(s.Now.Scale.File, string(step.Data))) > 0 {
					continue // it would make scaleUnknownType out of an app that has none
				}
				finding.What = fmt.Sprintf("%s does not take %s from the app's image any more, and has no copy of it", s.To, f.name)
				if f.seeded {
					step.Text, step.Seed = fmt.Sprintf("%s, written where %s reads it", f.name, s.To), f.readFrom
					finding.Step = step
				} else {
					finding.Afterwards = f.name + " of its image"
				}
				found = append(found, *finding)
			}
		}
		return found
	},

	Detect: func(s Subject) []Finding {
		if s.Before == nil {
			return nil
		}
		var found []Finding
		for _, f := range filesOfImage {
			// What was deployed since has brought its own files, or has none.
			if !s.Crosses(f.readFrom) || s.Now.Git.Revision != s.Before.Git.Revision || s.Old() == nil {
				continue
			}
			if finding, step := f.missing(s, s.Old()); finding != nil {
				finding.What = fmt.Sprintf("the app's %s, which is in its image, is not where %s reads it", f.name, s.To)
				step.Text = f.name + " of its image"
				finding.Step = step
				found = append(found, *finding)
			}
		}
		return found
	},
}

type fileOfImage struct {
	name, consequence string
	readFrom          string // the first version that reads the copy
	dir               string // below data
	// seeded tells that it can be written before the upgrade: the directory for
	// templates belongs to root until the new version's installation has run.
	seeded      bool
	directoryOf func(app string) string
}

var filesOfImage = []fileOfImage{
	{"Procfile", "Until the next build from source, ps:restart starts all its processes with the image's own command.", "0.22.0", "ps", true, func(app string) string { return app }},
	{"nginx.conf.sigil", "Until the next build from source, its nginx configuration is made from Dokku's own template.", "0.29.0", "nginx-vhosts", false, func(app string) string { return "app-" + app }},
}

// missing tells whether the image had the file, by what the files say of it, and the
// copy is not there.
func (f fileOfImage) missing(s Subject, images *app.Files) (*Finding, *plan.Step) {
	file, ok := images.Get(app.ImageFacts + s.Now.Name + "/" + f.name)
	path := filepath.Join(s.Paths.LibRoot, "data", f.dir, f.directoryOf(s.Now.Name), f.name)
	if !ok || file.SHA256 == "" || s.Digest(path) != "" {
		return nil, nil
	}
	return &Finding{Consequence: f.consequence}, &plan.Step{Mark: plan.Add, Path: path, Mode: 0o644, Data: file.Data}
}
