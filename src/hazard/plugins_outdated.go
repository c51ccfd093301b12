package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/plugins"
	"upgrade-guard/src/say"
)

// pluginsOutdated is about plugins that are not Dokku's and use what a version of
// it has removed: functions and files that they source, triggers, commands
// (docs/dokku-versions.md#plugins-and-triggers). A hook that sources a file which is
// not there any more fails, and with it every deploy of every app.
//
// What they use is read out of their own files; src/plugins has the table of what
// went when.
var pluginsOutdated = Hazard{
	Name: "plugins-outdated",
	Threads: "dokku/dokku#5685, #3997, #4075, dokku/dokku-letsencrypt#204, #207, #214, #305, #324, dokku/dokku-redirect#32, #34, " +
		"dokku/dokku-clickhouse#1",
	Guide: "https://dokku.com/docs/advanced-usage/plugin-management/",

	ForeseeHost: func(s HostSubject) []Finding {
		return outdated(s, func(u plugins.Use) bool { return u.GoneIn(s.To) && !u.GoneIn(s.From) },
			"Update the plugin after Dokku and before any deploy: its newest version may need the new Dokku.")
	},
	DetectHost: func(s HostSubject) []Finding {
		found := outdated(s, func(u plugins.Use) bool { return u.GoneIn(s.To) && !u.Minor }, "Update the plugin before any deploy.")
		return append(found, withoutDocker(s)...)
	},
}

// withoutDocker are the plugins that use what docker has removed. docker is upgraded by
// itself, and nobody looks at plugins then: so what ends deploys is a person's from the
// beginning. The rest is told once docker is there: dokku-postgres 1.48.0 asks for such a
// field in a command of its own, and a host with it is well.
func withoutDocker(s HostSubject) []Finding {
	var found []Finding
	for _, p := range s.Plugins.Installed() {
		var uses []string
		f := Finding{Kind: Notice}
		first := 0
		for _, u := range p.Uses() {
			if u.Docker == 0 {
				continue
			}
			uses = append(uses, u.What)
			if first == 0 {
				first = u.Docker
			}
			if u.Hook != "" && f.Kind == Notice {
				f.Kind, f.Command = Manual, say.Command("dokku plugin:update", p.Name)
				f.Consequence = fmt.Sprintf("A deploy that comes to it in the hook %s fails with docker %d. ", u.Hook, u.Docker)
			}
		}
		server := s.Now.Has.Server
		if len(uses) == 0 || f.Kind == Notice && app.Major(server) < first {
			continue
		}
		title := p.Title()
		if f.Kind == Manual {
			f.Command, title = updateOf(p, f.Command)
		}
		if app.Major(server) >= first {
			f.Consequence += fmt.Sprintf("This host has docker %s.", server)
		} else {
			f.Consequence += fmt.Sprintf("Update the plugin before docker is %d.", first)
		}
		f.What = fmt.Sprintf("the plugin %s uses what docker has taken away: %s", title, strings.Join(uses, "; "))
		found = append(found, f)
	}
	return found
}

// outdated are the plugins with uses that match, a finding each. What is the matter
// with the letsencrypt plugin, letsencryptPlugin knows better.
func outdated(s HostSubject, match func(plugins.Use) bool, advice string) []Finding {
	var found []Finding
	for _, p := range s.Plugins.Installed() {
		if p.Name == "letsencrypt" && len(pluginTrouble(s.Now.Global.Letsencrypt.Plugin, s.To)) > 0 {
			continue
		}
		var uses []string
		deploys, minor := "", true
		for _, u := range p.Uses() {
			if !match(u) {
				continue
			}
			uses = append(uses, u.What)
			switch {
			case u.Hook != "" && u.Always:
				deploys = fmt.Sprintf(". Its hook %s fails, and with it every deploy", u.Hook)
			case u.Hook != "" && deploys == "":
				deploys = fmt.Sprintf(". A deploy that comes to it in the hook %s fails", u.Hook)
			}
			minor = minor && u.Minor
		}
		if len(uses) == 0 {
			continue
		}
		f := Finding{Command: say.Command("dokku plugin:update", p.Name), Consequence: advice}
		title := p.Title()
		if minor {
			f.Command, f.Consequence, f.Kind = "", "", Notice
		} else {
			f.Command, title = updateOf(p, f.Command)
		}
		f.What = fmt.Sprintf("the plugin %s uses what %s does not have: %s%s", title, s.To, strings.Join(uses, "; "), deploys)
		found = append(found, f)
	}
	return found
}

// updateOf is the command that updates a plugin, "" where there is none, and its title.
func updateOf(p plugins.Plugin, command string) (update, title string) {
	switch title = p.Title(); {
	case p.Pinned != "":
		// plugin:update alone says that it is pinned, and exits 0
		// (dokku-letsencrypt#288).
		return command + " <tag>", title + fmt.Sprintf(" (pinned to %s)", p.Pinned)
	case !p.Git: // plugin:update says that it is not managed by git, and exits 0
		return "", title + " (not from a repository)"
	}
	return command, title
}
