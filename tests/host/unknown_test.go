package host_test

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/plugins"
)

// A snapshot that did not hold an environment (it was a FIFO, too large, not to be
// read) had restore take nine variables away: what was not captured was taken for
// empty. Here each file of the recorded hosts in turn is not captured, before or after
// the upgrade: no hazard may find more to do than with all of them known.
func TestNotCapturedIsNotEmpty(t *testing.T) {
	asked := 0
	for _, jump := range [][2]string{
		{"issue7253-0.20.4-before", "issue7253-0.38.27-after"},
		{"issue7253-0.35.5-after", "issue7253-0.38.27-after"},
	} {
		before, after := read(enriched(t, jump[0])), read(enriched(t, jump[1]))
		whole := stepsOf(t, before, after, after.files.Apps)
		if len(whole) == 0 {
			t.Errorf("%v: with all files known there is nothing to do, so the test tells nothing", jump)
		}
		for _, file := range before.files.All() {
			for kind, files := range notCaptured(before.files, file) {
				asked++
				for _, s := range more(stepsOf(t, read(files), after, touched(before.files, file)), whole) {
					t.Errorf("%v: %s of the record (%s) makes a step: %s", jump, file.Path, kind, s)
				}
			}
		}
		for _, file := range after.files.All() {
			for kind, files := range notCaptured(after.files, file) {
				asked++
				for _, s := range more(stepsOf(t, before, read(files), touched(after.files, file)), whole) {
					t.Errorf("%v: %s at present (%s) makes a step: %s", jump, file.Path, kind, s)
				}
			}
		}
		// And before the upgrade, when it is foretold and prevented.
		foreseen := foreseenSteps(before, after.files.Dokku, before.files.Apps)
		for _, file := range before.files.All() {
			for kind, files := range notCaptured(before.files, file) {
				asked++
				for _, s := range more(foreseenSteps(read(files), after.files.Dokku, touched(before.files, file)), foreseen) {
					t.Errorf("%v: %s before the upgrade (%s) makes a step: %s", jump, file.Path, kind, s)
				}
			}
		}
	}
	t.Logf("%d times a file was not captured", asked)
}

// enriched is a recorded host with what its apps do not have by themselves: settings
// in every place that a hazard looks into.
func enriched(t *testing.T, recording string) *app.Files {
	t.Helper()
	_, h := newHost(t, recording)
	files, err := app.Capture(context.Background(), h, app.What{})
	if err != nil {
		t.Fatal(err)
	}
	list := slices.Clone(files.All())
	add := func(path, text string) {
		if !slices.ContainsFunc(list, func(f app.File) bool { return f.Path == path }) {
			list = append(list, app.File{Path: path, Mode: 0o644, Data: []byte(text), Size: len(text), SHA256: app.Digest([]byte(text))})
		}
	}
	for _, name := range files.Apps {
		for _, phase := range []string{"deploy", "run"} {
			add(app.DockerOptionsPath(files.Dokku, name, phase), "--memory=1g\n-v /srv/"+name+":/data\n")
		}
		add("lib/config/nginx/"+name+"/hsts", "false")
		add("lib/config/network/"+name+"/bind-all-interfaces", "true")
		add("lib/config/checks/"+name+"/wait-to-retire", "30")
	}
	return app.NewFiles(files.Dokku, files.Apps, files.Strays, list)
}

// notCaptured are the files without one of them, by the way in which it was not
// captured.
func notCaptured(files *app.Files, file app.File) map[string]*app.Files {
	if strings.HasPrefix(file.Path, "facts/") || file.Mode.IsDir() {
		return nil // docker's silence is told in another way
	}
	without := slices.DeleteFunc(slices.Clone(files.All()), func(f app.File) bool { return f.Path == file.Path })
	with := func(list []app.File, f ...app.File) *app.Files {
		return app.NewFiles(files.Dokku, files.Apps, files.Strays, append(slices.Clone(list), f...))
	}
	dir := path.Dir(file.Path) + "/"
	below := slices.DeleteFunc(slices.Clone(files.All()), func(f app.File) bool { return strings.HasPrefix(f.Path, dir) })
	kinds := map[string]*app.Files{
		"unreadable":  with(without, app.File{Path: file.Path, Mode: file.Mode, Error: "permission denied"}),
		"too large":   with(without, app.File{Path: file.Path, Mode: file.Mode, Error: "left out: larger than 1 MiB"}),
		"a directory": with(without, app.File{Path: file.Path + "/", Error: "left out: not a directory of Dokku's"}),
		"a link":      with(without, app.File{Path: file.Path, Mode: fs.ModeSymlink, Link: "/elsewhere"}),
	}
	if dir != "root/" && dir != "lib/" {
		kinds["its directory"] = with(below, app.File{Path: dir, Error: "permission denied"})
	}
	return kinds
}

// side is a host at one moment.
type side struct {
	files *app.Files
	state app.Host
}

func read(files *app.Files) side { return side{files, app.Read(files)} }

// stepsOf are the steps, in words, that the hazards have for the way from one host to
// another.
func stepsOf(t *testing.T, before, after side, apps []string) []string {
	was, now := before.state, after.state
	jump := hazard.Context{From: was.Dokku, To: now.Dokku, Baseline: "the record", JustInstalled: true, Files: after.files, Old: func() *app.Files { return before.files }, Plugins: noPlugins}
	var steps []string
	take := func(found []hazard.Finding) {
		for _, f := range found {
			if f.Kind == hazard.Repair {
				steps = append(steps, f.App+": "+f.Step.Text)
			}
			if strings.Contains(f.What, "check failed") {
				t.Error(f.What)
			}
		}
	}
	take(hazard.DetectHost(hazard.HostSubject{Context: jump, Now: now, Before: &was.Global}))
	for _, name := range apps {
		s := hazard.Subject{Context: jump, Now: now.Apps[name]}
		if b, ok := was.Apps[name]; ok && !b.Scale.Unreadable {
			b.Unknown = nil // as in a record from before there was such
			s.Before = &b
		}
		if !s.Now.Scale.Unreadable { // as the guard asks them
			take(hazard.Detect(s))
		}
	}
	return steps
}

func foreseenSteps(before side, to string, apps []string) []string {
	now := before.state
	jump := hazard.Context{From: now.Dokku, To: to, Files: before.files, Old: func() *app.Files { return nil }, Plugins: noPlugins, Seeded: func(string, string) bool { return false }}
	var steps []string
	for _, name := range apps {
		for _, f := range hazard.Foresee(hazard.Subject{Context: jump, Now: now.Apps[name]}) {
			if f.Step != nil {
				steps = append(steps, fmt.Sprintf("%s: %s", f.App, f.Step.Text))
			}
		}
	}
	return steps
}

// touched are the apps that a file belongs to: one, or all.
func touched(files *app.Files, file app.File) []string {
	for _, name := range files.Apps {
		if strings.Contains(file.Path, "/"+name+"/") {
			return []string{name}
		}
	}
	return files.Apps
}

func more(steps, than []string) []string {
	return slices.DeleteFunc(steps, func(s string) bool { return slices.Contains(than, s) })
}

var noPlugins = plugins.Facts{
	Installed: func() []plugins.Plugin { return nil },
	Taken:     func() []string { return nil }, Stray: func() []string { return nil }, Dangling: func() ([]string, bool) { return nil, true },
}
