package hazard

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// scaleZero is what scaleLost ends in when a deploy comes before the repair:
// Dokku writes 0 for every process type of the Procfile and stops the
// containers (docs/dokku-versions.md#what-is-left-of-a-lost-scale; recorded on 0.38.27:
// ps:rebuild --all took every site down). The zeros are a value that is set now, which
// the guard does not touch (law 2): a person says so with one command. Without
// a baseline it may be what somebody wants, and who wants it says so with ps:stop.
var scaleZero = Hazard{
	Name:    ScaleZero,
	About:   AboutScale,
	Threads: "dokku/dokku#7253, #6066",
	Guide:   guide030,
	Reads:   []app.Part{app.PartScale},

	Detect: func(s Subject) []Finding {
		if f := s.webZero(); f != nil {
			return []Finding{*f}
		}
		now := s.Now.Scale.Property
		if s.Now.Proxy.Elsewhere() {
			return nil // what runs in a cluster is not known, and its autoscaling goes to zero
		}
		if s.NoDocker || app.ScaleInFile(s.To) || now.Empty() || now.Total() > 0 || len(now.MalformedLines()) > 0 || s.Now.Running() > 0 || s.Now.Stopped || !s.wasDeployed() {
			return nil
		}
		if s.Before != nil && app.ScaleInFile(s.Before.Dokku) && s.Before.EffectiveScale().Total() > 0 {
			before := s.Before.EffectiveScale()
			return []Finding{{
				What:        fmt.Sprintf("the scale is %s, and was %s before the upgrade", now, before),
				Consequence: "The app is stopped: a deploy came after its scale was lost.",
				Command:     scaleCommand(s.Now.Name, before),
			}}
		}
		return []Finding{{
			What:        "every process type is at 0 and nobody ran ps:stop: a lost scale ends like this",
			Consequence: fmt.Sprintf("The app is down. If that was meant: %s", say.Command("dokku ps:stop", s.Now.Name)),
			Command:     say.Command("dokku ps:scale", s.Now.Name, "web=1"),
		}}
	},
}

// webZero is the same where other process types have kept a number: an app that had web
// processes before the upgrade has none, and its domains are answered by nobody. Whether
// that was meant only its person knows.
func (s Subject) webZero() *Finding {
	now := s.Now.EffectiveScale()
	if s.Before == nil || s.NoDocker || s.Now.Stopped || s.Before.Stopped || now.Of("web") > 0 || now.Total() == 0 || len(now.MalformedLines()) > 0 || !s.wasDeployed() {
		return nil
	}
	before := s.Before.EffectiveScale()
	if before.Of("web") == 0 || s.Before.Running() == 0 || slices.ContainsFunc(s.Now.Web(), func(c app.Container) bool { return c.Running }) {
		return nil
	}
	return &Finding{
		What:        fmt.Sprintf("the scale is %s, and was %s before the upgrade: no web process runs", now, before),
		Consequence: "Its domains are answered by nobody, or by another app.",
		Command:     scaleCommand(s.Now.Name, before),
	}
}

// wasDeployed tells whether the app has ever been deployed: also where no container of
// it is left.
func (s Subject) wasDeployed() bool {
	deployed, _ := s.Files.Text("lib/config/common/" + s.Now.Name + "/deployed")
	return s.Now.Deployed() || strings.TrimSpace(deployed) == "true" || s.Now.Git.Revision != ""
}
