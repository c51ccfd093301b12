package hazard

import (
	"fmt"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plan"
)

// reopened is about apps that were closed, and are not any more: their proxy was
// disabled, or their domains. Dokku keeps the first in the environment up to 0.37 and
// in a property from 0.38 on, the second in the environment, whose place has changed
// too; on the way back below 0.38 neither is carried over, and on the way up again
// not what was set in between. The next deploy, or build of nginx's configuration,
// makes such an app public. Where Dokku has lost it by that, it is closed again; else a
// person may have opened it since.
var reopened = Hazard{
	Undone: true,
	Name:   "reopened",
	Guide:  "https://dokku.com/docs/networking/proxy-management/",
	Reads:  []app.Part{app.PartProxy, app.PartEnv},

	Foresee: func(s Subject) []Finding {
		if !s.closesAgain() || !s.Back("0.38.0") && !app.EnvMoved(s.Files, s.Now.Name) {
			return nil // on the way up 0.38 moves what it has not marked as moved
		}
		var found []Finding
		forgets := func(what, again string) {
			found = append(found, Finding{
				What:        fmt.Sprintf("%s does not find that its %s disabled", s.To, what),
				Consequence: "At its next deploy, or build of nginx's configuration, the app would become public.",
				Afterwards:  again,
			})
		}
		disabled, _ := s.Files.Text("lib/config/proxy/" + s.Now.Name + "/disabled")
		if s.Now.Proxy.Disabled && !(s.Back("0.38.0") && variableLeft(s.Context, s.Now.Name, "DOKKU_DISABLE_PROXY") != "") && (s.Back("0.38.0") || disabled != "true") {
			forgets("proxy is", "proxy disabled")
		}
		if s.Now.Domains.Disabled && !(s.Back("0.38.0") && variableLeft(s.Context, s.Now.Name, "NO_VHOST") == "1") {
			forgets("domains are", "domains disabled")
		}
		return found
	},
	Detect: func(s Subject) []Finding {
		if s.Before == nil {
			return nil
		}
		var found []Finding
		if s.Before.Proxy.Disabled && !s.Now.Proxy.Disabled {
			step := &plan.Step{Mark: plan.Add, Text: "proxy disabled"}
			if app.Before(s.To, "0.38.0") {
				step.Do = config("config:set", "--no-restart", s.Now.Name, "DOKKU_DISABLE_PROXY=1")
			} else {
				step.Path, step.Mode, step.Data = s.Paths.Property("proxy", s.Now.Name, "disabled"), 0o600, []byte("true")
				step.Was = s.Digest(step.Path)
			}
			found = append(found, s.closeAgain("proxy was", step, "dokku proxy:disable "+s.Now.Name))
		}
		if s.Before.Domains.Disabled && !s.Now.Domains.Disabled {
			found = append(found, s.closeAgain("domains were", &plan.Step{
				Mark: plan.Add, Text: "domains disabled", Do: config("config:set", "--no-restart", s.Now.Name, "NO_VHOST=1"),
			}, "dokku domains:disable "+s.Now.Name))
		}
		return found
	},
}

func (s Subject) closeAgain(what string, step *plan.Step, command string) Finding {
	f := Finding{
		What:        fmt.Sprintf("its %s disabled, recorded in %s, and it is not so any more", what, s.Baseline),
		Consequence: "At its next deploy, or build of nginx's configuration, the app becomes public.",
		Step:        step,
	}
	if !s.closesAgain() {
		f.Step, f.Kind, f.Command = nil, Notice, command
	}
	return f
}

// closesAgain tells whether reopened closes an app by itself: the jump passes the
// version at which Dokku has moved these settings.
func (j Context) closesAgain() bool {
	return j.From != "" && app.Before(j.From, "0.38.0") != app.Before(j.To, "0.38.0")
}
