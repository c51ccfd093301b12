package hazard

import (
	"fmt"
	"slices"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// pluginsSince is about the plugins that were updated or installed since an upgrade that a way
// back undoes. The way back is Dokku's alone: a plugin stays as it is, and its newer version may
// call what the older Dokku does not have, which no table knows. plugn checks out any commit
// that plugin:update is given, and pins the plugin to it.
var pluginsSince = Hazard{
	Name:  "plugins-since",
	Guide: "https://dokku.com/docs/advanced-usage/plugin-management/",

	ForeseeHost: changedSince,
	DetectHost:  changedSince,
}

func changedSince(s HostSubject) []Finding {
	if len(s.Hops) == 0 {
		return nil
	}
	before, known := s.Hops[len(s.Hops)-1].Before.Installed()
	now, knownNow := s.Files.Installed()
	if !known || !knownNow {
		return nil
	}
	var found []Finding
	for _, p := range now {
		i := slices.IndexFunc(before, func(b app.Installed) bool { return b.Name == p.Name })
		f := Finding{Kind: Notice}
		switch {
		case i < 0:
			f.What = fmt.Sprintf("the plugin %s was installed since the upgrade from %s", p.Name, s.To)
			f.Consequence = fmt.Sprintf("It may need what %s does not have. Where it does, the command leaves it out.", s.To)
			f.Command = say.Command("dokku plugin:disable", p.Name)
		case before[i].Commit != p.Commit && before[i].Commit != "":
			f.What = fmt.Sprintf("the plugin %s was updated since the upgrade from %s: %s then, %s now", p.Name, s.To, shownPlugin(before[i]), shownPlugin(p))
			f.Consequence = fmt.Sprintf("It may need what %s does not have. The command takes it back, and pins it there.", s.To)
			f.Command = say.Command("dokku plugin:update", p.Name, shortCommit(before[i].Commit))
		case before[i].Commit == "" && before[i].Version != p.Version:
			f.What = fmt.Sprintf("the plugin %s was updated since the upgrade from %s: %s then, %s now", p.Name, s.To, shownPlugin(before[i]), shownPlugin(p))
			f.Consequence = fmt.Sprintf("It may need what %s does not have. It was of no repository then: to take it back, install it anew.", s.To)
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}

// shownPlugin is what a plugin is at, in words.
func shownPlugin(p app.Installed) string {
	switch {
	case p.Commit == "" && p.Version == "":
		return "no version"
	case p.Commit == "":
		return p.Version
	case p.Version == "":
		return shortCommit(p.Commit)
	}
	return p.Version + " (" + shortCommit(p.Commit) + ")"
}

func shortCommit(commit string) string { return commit[:min(len(commit), 12)] }
