package hazard

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// globalLost is about what belongs to no app and is gone, or was overwritten by Dokku's
// package: the domains below which apps get their names (VHOST), the name that apps
// without domains answer to up to 0.24 (HOSTNAME), the environment of all apps (ENV).
// A purge of the package takes the last two, and leaves the apps
// (docs/dokku-versions.md#packaging). Nothing of an app has changed then, so nobody
// notices until the next one is made (docs/dokku-versions.md#domains).
//
// dokku domains:clear-global leaves an empty VHOST, and config:unset an ENV with what is
// left: a file that is not there is nobody's wish. One that is empty may be a person's,
// once the installation is some time ago. What only differs is drift.
var globalLost = Hazard{
	Name:    "global-lost",
	Threads: "dokku/dokku#2146, #4180",
	Guide:   "https://dokku.com/docs/configuration/domains/",

	DetectHost: func(s HostSubject) (found []Finding) {
		if s.Before == nil || s.Old() == nil {
			return nil
		}
		if s.knows(app.PartDomains) && globalDomainsGone(s) {
			was := s.Before.Domains
			names := strings.Join(was, " ")
			path := s.Paths.DokkuRoot + "/VHOST"
			found = append(found, Finding{
				What:        fmt.Sprintf("the global domain %s, recorded in %s, is gone", names, s.Baseline),
				Consequence: "New apps get no domain; from 0.27 on the next plugin:install disables the domains of apps that have none of their own.",
				Step: &plan.Step{
					Mark: plan.Add, Text: "global domain " + names,
					Path: path, Mode: 0o644, Data: []byte(strings.Join(was, "\n") + "\n"), Was: s.Digest(path),
				},
			})
		}
		if s.knows(app.PartDomains) {
			found = append(found, hostnameWritten(s)...)
		}
		if s.knows(app.PartEnv) && environmentGone(s) {
			found = append(found, environmentLost(s))
		}
		return found
	},
}

// isNobodys tells whether what is gone was taken away by nobody: the file is not there,
// or the installation has run just now.
func (s HostSubject) isNobodys(there bool) bool { return !there || s.JustInstalled }

// globalDomainsGone tells whether the host had domains, and has none for no wish of
// anybody's.
func globalDomainsGone(s HostSubject) bool {
	return len(s.Before.Domains) > 0 && len(s.Now.Global.Domains) == 0 && s.isNobodys(s.Now.Global.DomainsFile)
}

// hostnameWritten is about HOSTNAME, where apps are served by it. To 0.24 each run of the
// package's postinst writes debconf's answer there, whatever a person has put into the
// file since it was given.
func hostnameWritten(s HostSubject) []Finding {
	was, now := s.Before.Hostname, s.Now.Global.Hostname
	if !inherits(s.To) || was == "" || was == now || !s.isNobodys(now != "") {
		return nil
	}
	path := s.Paths.DokkuRoot + "/HOSTNAME"
	f := Finding{
		What:        fmt.Sprintf("the file HOSTNAME was %s, and %s", was, isNow(strings.Fields(now))),
		Consequence: fmt.Sprintf("Under %s apps without a domain of their own answer to what stands there.", s.To),
		Step: &plan.Step{
			Mark: plan.Add, Text: "HOSTNAME " + was,
			Path: path, Mode: 0o644, Data: []byte(was + "\n"), Was: s.Digest(path),
		},
	}
	f.Step.From(strings.Join(strings.Fields(now), " "), was)
	return []Finding{f}
}

// environmentGone tells whether the host's environment, or all of it that Dokku does not
// move elsewhere, is gone. On the way back below 0.38 it is there, and not read (wayBack).
func environmentGone(s HostSubject) bool {
	was := slices.DeleteFunc(slices.Collect(maps.Keys(s.Before.Env)), app.OwnVariable)
	gone := slices.DeleteFunc(was, func(name string) bool { _, set := s.Now.Global.Env[name]; return set })
	_, there := s.Files.Get(s.Files.EnvPath(host.GlobalScope))
	return len(was) > 0 && len(gone) == len(was) && s.isNobodys(there) && !s.Back("0.38.0")
}

// environmentLost is put back so that this version reads what the other one did. Where
// Dokku's own variables are in it, of which this version may have moved some, that takes a
// restore, which leaves them.
func environmentLost(s HostSubject) Finding {
	n := len(s.Before.Env)
	f := Finding{
		What:        fmt.Sprintf("the global environment, recorded in %s, is gone: %s", s.Baseline, say.Plural(n, "variable")),
		Consequence: "Each app gets it with its next start or build.",
		Command:     say.Command("dokku upgrade-guard:restore", host.GlobalScope, "--only", "env"),
	}
	own := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Before.Env)), func(name string) bool { return !app.OwnVariable(name) })
	if len(own) > 0 {
		f.Consequence += fmt.Sprintf(" The command does not put back those of Dokku's own, which %s may keep elsewhere: %s.", s.To, strings.Join(own, " "))
	}
	was, err := s.Old().Environment(host.GlobalScope)
	text, left := app.WriteEnv(was, s.To)
	if err != nil || len(left) > 0 || len(own) > 0 {
		return f
	}
	path := app.RealPath(s.Paths, s.Files.EnvPath(host.GlobalScope))
	title := "global environment: " + say.Plural(n, "variable")
	file := &plan.Step{Mark: plan.Add, Text: title, Path: path, Mode: 0o600, Data: []byte(text), Was: s.Digest(path)}
	if old, there := s.Old().Get(s.Old().EnvPath(host.GlobalScope)); there {
		file.Mode = old.Mode.Perm()&0o644 | 0o600
	}
	f.Command, f.Step = "", HoldRestored(Subject{Context: s.Context, Now: app.State{Name: host.GlobalScope, Dokku: s.To}}, title, file, was)
	return f
}
