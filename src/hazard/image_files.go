package hazard

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plan"
)

// imageFiles is about files of an app that old versions fetch from its image each
// time they need them, and new ones expect where the last build from source has put
// them (docs/dokku-versions.md#files-from-the-image). Between the upgrade and the next
// such build they are not there: without its Procfile an app is restarted with the
// image's own command, for every process type; without nginx.conf.sigil its nginx
// configuration is built from Dokku's own template; without CHECKS new containers are
// switched to unasked. Core's move of the template, in 0.29 and later, writes into a
// directory that it does not make, and is never tried again.
//
// So they are fetched from the app's container before the upgrade, from where the old
// version looks for them in an image of that kind, and written where the new version reads
// them and the old one does not. What is not there although the app has processes that
// only a Procfile names is told.
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
			if finding := f.notFound(s, s.Files); finding != nil {
				found = append(found, *finding)
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
		return append(found, notAsked(s, s.Files)...)
	},

	Detect: func(s Subject) []Finding {
		if s.Before == nil {
			return nil
		}
		if s.Old() == nil || s.Now.Git.Revision != s.Before.Git.Revision {
			return nil
		}
		found := notAsked(s, s.Old())
		for _, f := range filesOfImage {
			// What was deployed since has brought its own files, or has none.
			if !s.Crosses(f.readFrom) {
				continue
			}
			if finding := f.notFound(s, s.Old()); finding != nil {
				found = append(found, *finding)
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
	{"CHECKS", "Until the next build from source, ps:restart switches to containers that were not asked what it asks.", "0.31.0", "scheduler-docker-local", true, func(app string) string { return app }},
}

// missing tells whether the image had the file, by what the files say of it, and the
// copy is not there.
func (f fileOfImage) missing(s Subject, images *app.Files) (*Finding, *plan.Step) {
	file, ok := images.Get(app.ImageFacts + s.Now.Name + "/" + f.name)
	path := filepath.Join(s.Paths.LibRoot, "data", f.dir, f.directoryOf(s.Now.Name), f.name)
	if !ok || file.SHA256 == "" || len(file.Data) == 0 || s.Digest(path) != "" {
		return nil, nil // Dokku takes an empty one for none
	}
	if f.name == "CHECKS" && bytes.Contains(file.Data, []byte("{{")) {
		return nil, nil // a build puts the environment into it, secrets too: notFound tells it
	}
	return &Finding{Consequence: f.consequence}, &plan.Step{Mark: plan.Add, Path: path, Mode: 0o644, Data: asCopied(file.Data)}
}

// asCopied is a file as Dokku's own copy of it is: with the line ends of Unix, at the end
// too.
func asCopied(data []byte) []byte {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	if !bytes.HasSuffix(data, []byte("\n")) {
		data = append(bytes.Clone(data), '\n')
	}
	return data
}

// notFound tells of a file that must be somewhere and cannot be kept. The next build from
// source ends it; to have one now is no advice for an app whose scale may be lost. After
// the upgrade only what is sure is told once more.
func (f fileOfImage) notFound(s Subject, images *app.Files) *Finding {
	dir, looked := images.Text(app.ImageFacts + s.Now.Name + "/" + app.ImageDirectory)
	file, there := images.Get(app.ImageFacts + s.Now.Name + "/" + f.name)
	path := filepath.Join(s.Paths.LibRoot, "data", f.dir, f.directoryOf(s.Now.Name), f.name)
	if s.Digest(path) != "" {
		return nil
	}
	found := &Finding{Kind: Notice, Consequence: f.consequence}
	processes := notIn(s.Now.EffectiveScale(), "web:")
	switch {
	case f.name == "CHECKS" && there && bytes.Contains(file.Data, []byte("{{")):
		found.What = fmt.Sprintf("the app's CHECKS, which is in its image, is a template, and %s has no copy of what comes of it", s.To)
	case f.name == "Procfile" && looked && !there && len(processes) > 0 && s.Before == nil:
		found.What = fmt.Sprintf("the app has the processes %s, and no Procfile is in its image where %s looks for it (%s)", strings.Join(processes, " "), s.From, dir)
		found.Consequence = "If they have commands of their own: " + strings.ToLower(f.consequence[:1]) + f.consequence[1:]
	default:
		return nil
	}
	return found
}

// notAsked tells of the files of which nobody knows whether the image has them, once for
// all of an app.
func notAsked(s Subject, images *app.Files) []Finding {
	var names []string
	var why, consequence string
	for _, f := range filesOfImage {
		file, there := images.Get(app.ImageFacts + s.Now.Name + "/" + f.name)
		path := filepath.Join(s.Paths.LibRoot, "data", f.dir, f.directoryOf(s.Now.Name), f.name)
		if s.Crosses(f.readFrom) && there && file.Error != "" && s.Digest(path) == "" {
			if names = append(names, f.name); why == "" {
				why, consequence = file.Reason(), f.consequence
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []Finding{{
		Kind: Notice, Consequence: consequence,
		What: fmt.Sprintf("whether the app's image has %s is not known (%s), and %s has no copy", strings.Join(names, ", "), why, s.To),
	}}
}
