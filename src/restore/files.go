package restore

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// files are the steps for an app's own small files that no other part covers: what plugins
// and people keep in its directory, and below a plugin's data for it. What a build has
// taken out of the app's code is put back where it is missing and the code is the same: a
// Procfile of other code would start what its image does not have.
func (r Restoration) files() (steps []*plan.Step) {
	keepers := []app.Keeper{app.ByOthers}
	if rev := r.was.Git.Revision; rev != "" && rev == r.Now.Git.Revision {
		keepers = append(keepers, app.ByBuild)
	}
	for _, was := range r.old.Kept(r.Now.Name, keepers...) {
		if _, there := r.Files.Get(was.Path); there && app.KeptBy(was.Path, r.Now.Name) == app.ByBuild {
			continue
		}
		steps = append(steps, r.copy(was, "file "+strings.TrimPrefix(app.Shown(was.Path), r.Now.Name+"/")))
	}
	return steps
}

// mounts is the step for the mounts of an app, a line each. One that is in force now and
// is at a place that the snapshot has nothing for stays: without it the app would write
// into its container, and lose that with it.
func (r Restoration) mounts() *plan.Step {
	name := r.Now.Name
	was, wasKnown := r.old.Mounts(name)
	now, nowKnown := r.Files.Mounts(name)
	if !wasKnown || !nowKnown {
		return nil // storageEntries says so
	}
	var lines []string
	for _, m := range was {
		lines = append(lines, m.Line)
	}
	stay := 0
	for _, m := range now {
		if !slices.ContainsFunc(was, func(w app.Mount) bool { return w.Process == m.Process && path.Clean(w.At) == path.Clean(m.At) }) {
			lines = append(lines, m.Line)
			stay++
		}
	}
	text := fmt.Sprintf("property storage/%s/mounts, %d of them", name, len(was))
	if stay > 0 {
		text += fmt.Sprintf("; %d that the snapshot does not have stay", stay)
	}
	if len(was) == 0 || slices.Equal(lines, r.Files.Lines(app.MountsPath(name))) {
		return nil
	}
	return r.file(text, app.MountsPath(name), 0o600, []byte(strings.Join(lines, "\n")+"\n"))
}

// storageEntries are the steps for the storage entries that the app's mounts name, those
// of the snapshot too where they are put back. Apps share them, so one that is there stays
// as it is, and what is mounted is never touched.
func (r Restoration) storageEntries(restored bool) (steps []*plan.Step, notes []string) {
	if app.Before(r.To, "0.38.0") {
		return nil, nil
	}
	mounts, known := r.Files.Mounts(r.Now.Name)
	if !known {
		notes = append(notes, fmt.Sprintf("The mounts of %s cannot be read: left as they are.", r.Now.Name))
	}
	was, known := r.old.Mounts(r.Now.Name)
	if !known && restored {
		notes = append(notes, fmt.Sprintf("The mounts of %s in the snapshot cannot be read: left as they are.", r.Now.Name))
	}
	if restored {
		mounts = append(mounts, was...)
	}
	asked := map[string]bool{}
	for _, m := range mounts {
		at := app.EntryPath(m.Entry)
		now, there := r.Files.Get(at)
		entry, held := r.old.Entry(m.Entry)
		switch {
		case at == "" || asked[at]:
		case !there && held:
			steps = append(steps, r.copy(entry, "storage entry "+m.Entry))
		case !there:
			notes = append(notes, fmt.Sprintf("The snapshot does not hold the storage entry %s, which a mount of %s names, and it is not there: each deploy of the app fails until it is.", m.Entry, r.Now.Name))
		case held && now.SHA256 != "" && now.SHA256 != entry.SHA256:
			notes = append(notes, fmt.Sprintf("The storage entry %s is another than in the snapshot: left as it is, since other apps may go by it.", m.Entry))
		}
		asked[at] = true
	}
	return steps, notes
}

// copy is the step that puts back one file of the snapshot as it is; nil where it is
// so, and for what is no regular file. Whatever mode the snapshot says it had, it is no
// program, it can be written by nobody but Dokku, and a property is read by nobody else.
func (r Restoration) copy(was app.File, text string) *plan.Step {
	if was.SHA256 == "" {
		return nil
	}
	most := fs.FileMode(0o644)
	if strings.HasPrefix(was.Path, "lib/config/") || strings.HasPrefix(was.Path, "lib/data/storage-registry/") {
		most = 0o600
	}
	data, err := was.Content()
	if err != nil {
		return &plan.Step{Mark: plan.Change, Text: text, Do: func(context.Context, host.Host) error { return err }}
	}
	return r.file(text, was.Path, was.Mode.Perm()&most|0o600, data)
}

// file is the step for one file, by its path among the captured ones; nil where it
// holds that already, and where it, or a directory that it stands in, is no such thing at
// present: whatever a link leads to is none of what a restore may write. A file that is
// there keeps its mode.
func (r Restoration) file(text, path string, mode fs.FileMode, data []byte) *plan.Step {
	now, there := r.Files.Get(path)
	if now.SHA256 == app.Digest(data) || now.Error != "" || r.Files.ThroughLink(path) {
		return nil
	}
	step := &plan.Step{Mark: plan.Add, Text: text, Path: app.RealPath(r.paths, path), Mode: mode, Data: data, Was: now.SHA256}
	if there {
		step.Mark, step.Mode = plan.Change, now.Mode.Perm()
	}
	return step
}
