package restore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// What an app adds to its nginx configuration: the snippets of nginx.conf.d, and the copy
// of its own template. nginx reads the snippets with its next reload, whoever causes it, and
// what it refuses of one app keeps every app's changes from taking effect. So one of which
// that is known is not put back, and after all of them nginx is asked.

// nginxFiles are the steps for them.
func (r Restoration) nginxFiles() (steps []*plan.Step, notes []string) {
	template := "lib/data/nginx-vhosts/app-" + r.Now.Name + "/nginx.conf.sigil"
	if was, ok := r.old.Get(template); ok { // the others there are marks of builds
		steps = append(steps, r.copy(was, "nginx: "+filepath.Base(was.Path)))
	}
	twice := hazard.TwiceIn(r.Context, r.asPutBack(), r.Now, r.was)
	var put []*plan.Step
	set := map[string]bool{}
	for _, was := range r.old.Under(r.snippets()) {
		text := "nginx: " + filepath.Base(was.Path)
		i := slices.IndexFunc(twice, func(t hazard.Twice) bool { return t.Path == was.Path })
		if now, _ := r.Files.Get(was.Path); i < 0 || now.SHA256 == was.SHA256 {
			put = append(put, r.copy(was, text))
			continue
		}
		switch t := twice[i]; {
		case !r.made || t.Without == nil:
			notes = append(notes, fmt.Sprintf("nginx.conf.d/%s is not put back, because nginx would refuse it: %s. To see it: %s", filepath.Base(was.Path), t.Why,
				say.Command("dokku upgrade-guard:show", r.id, strings.Replace(was.Path, "/"+r.Now.Name+"/", "/"+r.Called+"/", 1), "--raw")))
		default:
			for _, name := range slices.Sorted(maps.Keys(t.Properties)) {
				if set[name] {
					continue // by another file, and nginx takes it once
				}
				value := t.Properties[name]
				set[name] = true
				steps = append(steps, r.file("property nginx/"+r.Now.Name+"/"+name+", which was in "+filepath.Base(was.Path), "lib/config/nginx/"+r.Now.Name+"/"+name, 0o600, []byte(value)))
			}
			if len(strings.TrimSpace(string(t.Without))) > 0 {
				put = append(put, r.file(text+", without what this Dokku's template sets", was.Path, 0o644, t.Without))
			}
		}
	}
	put = slices.DeleteFunc(put, func(s *plan.Step) bool { return s == nil })
	if steps = append(steps, put...); len(put) > 0 {
		steps = append(steps, r.askNginx(put))
	}
	return steps, notes
}

func (r Restoration) snippets() string { return "root/" + r.Now.Name + "/nginx.conf.d/" }

// asPutBack are the files by which the app's configuration will be built.
func (r Restoration) asPutBack() *app.Files {
	var were []app.File
	for _, prefix := range []string{r.snippets(), "lib/data/nginx-vhosts/app-" + r.Now.Name + "/", "lib/config/nginx/" + r.Now.Name + "/"} {
		were = append(were, r.old.Under(prefix)...)
	}
	again := map[string]bool{}
	for _, was := range were {
		again[was.Path] = true
	}
	list := slices.DeleteFunc(slices.Clone(r.Files.All()), func(f app.File) bool { return again[f.Path] })
	return app.NewFiles(r.Files.Dokku, r.Files.Apps, nil, append(list, were...))
}

// askNginx is the step that has nginx say whether it takes what was put back. It names one
// file at a time: each that it refuses goes back to what was there, until it names none.
func (r Restoration) askNginx(put []*plan.Step) *plan.Step {
	return &plan.Step{
		Mark: plan.Change, Text: "nginx asked whether it takes them", Stage: plan.Start,
		Do: func(ctx context.Context, h host.Host) error {
			var failed error
			for range put {
				complaint, err := host.TestNginx(ctx, h)
				switch {
				case err != nil && failed != nil:
					return errors.Join(failed, err)
				case err != nil: // no nginx, where another proxy serves
					return plan.NotKnown{What: fmt.Sprintf("whether nginx takes what was put back is not known: %s", err)}
				}
				i := slices.IndexFunc(put, func(s *plan.Step) bool { return strings.Contains(complaint, s.Path) })
				if i < 0 {
					return failed // it refuses none of these
				}
				if err := r.takeBack(h, put[i]); err != nil {
					return errors.Join(failed, fmt.Errorf("nginx refuses what was put back: %s", complaint), err) // and would name it again
				}
				failed = errors.Join(failed, fmt.Errorf("nginx refuses what was put back, so that file is as it was: %s", complaint))
			}
			return failed
		},
	}
}

// takeBack has a snippet hold what it held before, if nobody has changed it since.
func (r Restoration) takeBack(h host.Host, s *plan.Step) error {
	now, there := r.Files.Get(r.snippets() + filepath.Base(s.Path))
	switch {
	case there && now.SHA256 == "": // its content is not known, and nothing is no content
		return fmt.Errorf("what %s held before was not read, so it stays as it was put back", s.Path)
	case there:
		return plan.Put(h, s.Path, now.Mode.Perm(), now.Data, app.Digest(s.Data))
	}
	if err := plan.Unchanged(h, s.Path, app.Digest(s.Data)); err != nil {
		return err
	}
	return h.Remove(s.Path)
}
