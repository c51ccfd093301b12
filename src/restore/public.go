package restore

import (
	"fmt"
	"slices"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// A restore makes reachable what was so in the snapshot, and nothing else: a port map
// from an app whose proxy was disabled there is not put where it is enabled now. The
// rule stands in hazard/public.go.

// after is the app as it will be when these parts are restored, as far as that decides
// whether nginx serves it.
func (r Restoration) after(parts []string) app.State {
	s := r.Now
	disabled, held := r.old.Text("lib/config/proxy/" + s.Name + "/disabled")
	switch {
	case !app.Before(r.To, "0.38.0") && held && slices.Contains(parts, "properties"):
		s.Proxy.Disabled = disabled == "true"
	case app.Before(r.To, "0.38.0") && r.was.Dokku == r.To && r.notKnown(app.PartEnv) == "" && slices.Contains(parts, "env"):
		s.Proxy.Disabled = r.was.Proxy.Disabled
	}
	if slices.Contains(parts, "domains") && r.notKnown(app.PartDomains) == "" {
		if len(r.was.Domains.Names) > 0 {
			s.Domains.Names, s.Domains.File = r.was.Domains.Names, true
		}
		if r.notKnown(app.PartEnv) == "" {
			s.Domains.Disabled = r.was.Domains.Disabled
		}
	}
	if slices.Contains(parts, "ports") && len(r.was.Ports.Map) > 0 && r.notKnown(app.PartPorts) == "" {
		s.Ports.Map = r.was.Ports.Map
	}
	return s
}

// unlessOpens is a step that puts back names or ports of the snapshot; nil where that
// would make something reachable, and then it is said.
func (r Restoration) unlessOpens(parts []string, what string, step *plan.Step, names, ports []string) (*plan.Step, []string) {
	if step == nil {
		return nil, nil
	}
	s := r.subject()
	s.Now, s.Baseline = r.after(parts), "in the snapshot"
	if why := s.Opens(names, ports); why != "" {
		return nil, []string{fmt.Sprintf("The %s are not put back, so that nothing becomes reachable that was not in the snapshot: %s.", what, why)}
	}
	return step, nil
}

// built is the step that has Dokku build nginx's configuration of what is restored, or
// why it is not to, a sentence.
func (r Restoration) built(parts []string) (*plan.Step, string) {
	after := r.after(parts)
	if yes, _ := after.Proxy.ByNginx(); !yes && after.Proxy.Unknown == "" {
		return buildConfig(r.Now.Name), "" // another proxy's; or there is to be none, and Dokku deletes it
	}
	v := hazard.Serving(hazard.Side{State: after, Files: r.Files}, &hazard.Side{State: r.was, Files: r.old, Of: "in the snapshot"})
	if why := v.Closed + v.Unknown + v.NoBuild; why != "" {
		return nil, fmt.Sprintf("nginx's configuration is not built, so that nothing becomes reachable that was not: %s. To build it all the same: %s", why, say.Command("dokku proxy:build-config", r.Now.Name))
	}
	drop := hazard.Drops(hazard.Side{State: after, Files: r.Files}, &hazard.Side{State: r.was, Files: r.old, Of: "in the snapshot", ID: r.id}, nil, r.Time)
	if drop.Part != "" && !slices.Contains(parts, string(drop.Part)) {
		return buildConfig(r.Now.Name), fmt.Sprintf("nginx's configuration is built of what there is: %s. To put it back too: %s", drop.Gone, drop.Command)
	}
	return buildConfig(r.Now.Name), ""
}
