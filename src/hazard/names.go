package hazard

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// names is about names that one Dokku takes and another does not
// (docs/dokku-versions.md#names-of-apps). 0.20 to 0.22.1 delete the directory of an app
// whose name they find invalid; 0.38.2 does not reach apps with other characters than
// it allows; and from 0.38.0 on, destroying or renaming an app that is called like one
// of Dokku's own plugins takes that plugin's settings of all apps along.
var names = Hazard{
	Name:    Names,
	Threads: "dokku/dokku#4267, #4308, #4129, #2915",
	Guide:   "https://dokku.com/docs/appendices/0.22.0-migration-guide/",

	Foresee: func(s Subject) []Finding {
		name := s.Now.Name
		switch {
		case (s.To == "0.22.0" || s.To == "0.22.1") && strings.Contains(name, "_"):
			return []Finding{{
				What:        fmt.Sprintf("%s deletes the app, with its code, because of the _ in its name", s.To),
				Consequence: "No snapshot holds the code. Any other version keeps it: apt-get install dokku=0.22.9, or a later one.",
				Kind:        Refuse,
			}}
		case strings.Contains(name, "_") && !app.Before(s.To, "0.22.2") && !app.ReachesName(s.To, name):
			return []Finding{{
				What:        fmt.Sprintf("%s refuses commands for an app with a _ in its name", s.To),
				Consequence: "Upgrade to 0.22.9, or to a later one.",
			}}
		case s.Crosses("0.38.2") && !reachable().MatchString(name):
			return []Finding{{
				What:        fmt.Sprintf("%s no longer accepts this app name", s.To),
				Consequence: "It goes on serving, but no command works for it.",
				Command:     say.Command("dokku upgrade-guard:rename", name, unreachable().ReplaceAllString(strings.ToLower(name), "-")),
			}}
		case s.Crosses("0.38.0") && slices.Contains(app.Namespaces, name):
			f := namespaceFinding(s)
			f.Command = say.Command("dokku upgrade-guard:rename", name, name+"-app")
			return []Finding{f}
		}
		return nil
	},

	Detect: func(s Subject) []Finding {
		if app.Before(s.To, "0.38.0") || !slices.Contains(app.Namespaces, s.Now.Name) {
			return nil
		}
		f := namespaceFinding(s)
		f.Kind = Notice
		return []Finding{f}
	},

	ForeseeHost: strayNames,
}

func namespaceFinding(s Subject) Finding {
	return Finding{
		What:        fmt.Sprintf("the app is called like a part of Dokku that keeps its settings under %s/config/%s", s.Paths.LibRoot, s.Now.Name),
		Consequence: "On 0.38.0 and later apps:destroy and apps:rename of it delete those settings of all apps.",
	}
}

var (
	// What 0.38.2 and later reach; and what any version from 0.22.3 on takes for
	// the name of an app that exists.
	reachable = pattern.Of(`^[a-z0-9][a-z0-9._-]*$`)
	appName   = pattern.Of(`^[a-z0-9][^/:A-Z]*$`)

	unreachable = pattern.Of(`[^a-z0-9.]+`)
)

// strayNames is about directories beside the apps that are none, a Maildir or a
// backup (docs/dokku-versions.md#stray-directories). 0.23.4 to 0.36.6 take them for
// apps and stop the whole installation at the first name that is invalid, which leaves
// dokku half-configured. They only do so where no answer to "is it deployed?" is kept
// for it; so that answer is written before. 0.20 to 0.22.1 delete such a directory.
func strayNames(s HostSubject) []Finding {
	var found []Finding
	for _, name := range s.Now.Strays {
		if appName().MatchString(name) {
			continue
		}
		dir := s.Paths.App(name)
		path := s.Paths.Property("common", name, "deployed")
		switch {
		case app.Before(s.To, "0.22.2"):
			found = append(found, Finding{
				What:        fmt.Sprintf("%s may delete the directory %s, taking it for an app with an invalid name", s.To, dir),
				Consequence: "No snapshot holds it.",
				Command:     say.Command("mv", dir, "/root/"),
			})
		case !app.Before(s.To, "0.23.4") && app.Before(s.To, "0.36.7") && s.Digest(path) == "":
			found = append(found, Finding{
				What:        fmt.Sprintf("the installation of %s stops at the directory %s, taking it for an app with an invalid name", s.To, dir),
				Consequence: "The rest of Dokku would not be installed, and dpkg would leave it half-configured.",
				Halts:       true,
				Step: &plan.Step{
					Mark: plan.Add, Text: fmt.Sprintf("the answer that keeps %s from it", s.To),
					Path: path, Mode: 0o600, Data: []byte("false"), Seed: "0.23.4",
				},
			})
		}
	}
	return found
}
