package guard

import (
	"slices"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// findings are the troubles as check and report show them: of one kind and app
// together, the first with what the guard does about it.
func (r routes) findings() []hazard.Finding {
	var found []hazard.Finding
	if r.foreign != "" {
		found = append(found, hazard.Finding{
			App: host.GlobalScope, Hazard: hazard.Nginx, What: "nginx refuses its configuration: " + r.foreign,
			Consequence: "The file is no app's. Until it is mended no change of any app takes effect, and nginx would not start again.",
		})
	}
	left := map[int]string{} // what is not done for a finding, and why
	for _, t := range r.troubles {
		if i := slices.IndexFunc(found, func(f hazard.Finding) bool { return f.App == t.App && f.Consequence == consequences[t.Kind] }); i >= 0 {
			found[i].What += "; " + t.What
			continue
		}
		f := hazard.Finding{App: t.App, Hazard: hazard.Nginx, What: t.What, Consequence: consequences[t.Kind]}
		if !slices.ContainsFunc(found, func(f hazard.Finding) bool { return f.App == t.App && f.Step != nil }) {
			if why := r.remedy(&f, t); why != "" {
				left[len(found)] = why
			}
		}
		found = append(found, f)
	}
	for i, why := range left {
		found[i].What += "; " + why
	}
	return found
}

// remedy gives a finding what is done about it, or what a person types, and says what is
// not done and why.
func (r *routes) remedy(f *hazard.Finding, t nginx.Trouble) (left string) {
	does := func(text string, guess bool) {
		f.Step = &plan.Step{App: t.App, Hazard: hazard.Nginx, Mark: plan.Change, Text: text, Guess: guess}
	}
	build := say.Command("dokku proxy:build-config", t.App)
	switch t.Kind {
	case nginx.Aside:
		f.Command = say.Command("dokku nginx:validate-config", t.App) + "; when it is mended: dokku upgrade-guard:apply"
		return ""
	case nginx.Large:
		f.Note = true
		return ""
	case nginx.Ours, nginx.Open:
		f.Command = build // of an app whose proxy is disabled Dokku deletes it
		return ""
	case nginx.Silent:
		does("nginx, reloaded", false)
		return ""
	case nginx.Stopped:
		v := r.mayStart(t.App)
		if v.Closed != "" {
			f.Command = say.Command("dokku ps:start", t.App)
			return "it is not started, because " + v.Closed
		}
		if does(textStart, v.Unknown != ""); v.Unknown != "" {
			return "it is not started, because " + v.Unknown
		}
		return ""
	}
	v := r.public(t.App)
	switch {
	case v.Closed != "":
		f.Command = build
		return "Dokku is not asked to build it, because " + v.Closed
	case v.Unknown != "":
		does(textBuild, true)
		return "Dokku is not asked to build it, because " + v.Unknown
	case r.unbuildable(t.App), v.NoBuild != "":
		// Its scale waits for a person, there is nothing to route to, or a build would
		// open what was not.
		if _, has := r.files.Text(nginx.ConfPath(t.App)); has && r.alive(t.App) && t.Kind != nginx.Names {
			does(textStopGap, false)
		}
		if v.NoBuild != "" {
			f.Command = build
			return "Dokku is not asked to build it, because " + v.NoBuild
		}
		return ""
	}
	does(textBuild, false)
	return ""
}
