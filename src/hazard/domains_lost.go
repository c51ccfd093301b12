package hazard

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// domainsLost is about an app whose VHOST file an upgrade has emptied or taken
// away (docs/dokku-versions.md#domains). The file has been the place of an app's
// domains in every version, so what is missing is put back as it was. Domains that
// differ were set since, by a person or by Dokku, and stay.
var domainsLost = Hazard{
	Name:    DomainsLost,
	InNginx: true,
	Threads: "dokku/dokku#7253, #2146, #7967",
	Guide:   "https://dokku.com/docs/configuration/domains/",
	Reads:   []app.Part{app.PartDomains, app.PartEnv},

	Detect: func(s Subject) []Finding {
		if s.Before == nil || len(s.Before.Domains.Names) == 0 || len(s.Now.Domains.Names) > 0 {
			return nil
		}
		names := strings.Join(s.Before.Domains.Names, " ")
		f := &Finding{
			What:        fmt.Sprintf("the domains %s, recorded in %s, are gone", names, s.Baseline),
			Consequence: "At the next build of its nginx configuration the app stops answering to them.",
		}
		if why := s.Opens(s.Before.Domains.Names, nil); why != "" {
			return f.leftAlone(why, domainsCommand(s, s.Before.Domains.Names))
		}
		if s.Now.Domains.Disabled && !s.Before.Domains.Disabled {
			f.What = fmt.Sprintf("the domains %s, recorded in %s, are gone and disabled", names, s.Baseline)
			f.Command = domainsCommand(s, s.Before.Domains.Names)
			return []Finding{*f}
		}
		path := s.Paths.App(s.Now.Name) + "/VHOST"
		f.Step = &plan.Step{
			Mark: plan.Add, Text: "domains " + names,
			Path: path, Mode: 0o644, Data: []byte(strings.Join(s.Before.Domains.Names, "\n") + "\n"), Was: s.Digest(path),
		}
		return []Finding{*f}
	},
}

// domainsCommand is how a person sets domains.
func domainsCommand(s Subject, domains []string) string {
	name := s.Now.Name
	if takesDomains(s.To, domains) {
		return say.Command("dokku domains:set", append([]string{name}, domains...)...)
	}
	command := intoVHOST(domains, s.Paths.App(name)+"/VHOST") + " && " + say.Command("dokku proxy:build-config", name)
	if s.Now.Domains.Disabled {
		command = say.Command("dokku config:unset --no-restart", name, "NO_VHOST") + " && " + command
	}
	return command
}

// GlobalDomainsCommand is how a person sets the host's.
func GlobalDomainsCommand(paths host.Paths, to string, domains []string) string {
	if takesDomains(to, domains) {
		return say.Command("dokku domains:set-global", domains...)
	}
	return intoVHOST(domains, paths.DokkuRoot+"/VHOST")
}

func takesDomains(dokku string, domains []string) bool {
	return !slices.ContainsFunc(domains, func(d string) bool { return !app.TakesDomain(dokku, d) })
}

// intoVHOST writes names that Dokku's commands refuse and Dokku itself has given: that of
// my_app, below a domain of the host's.
func intoVHOST(domains []string, path string) string {
	return say.Command("printf '%s\\n'", domains...) + " | " + say.Command("sudo -u dokku tee", path) + " >/dev/null"
}
