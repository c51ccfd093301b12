package hazard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// domainsRewritten is about deployed apps without a VHOST file, whose meaning has
// changed under them (docs/dokku-versions.md#domains). Up to 0.21 such an app
// answers to the host's own domains, up to 0.24 to its HOSTNAME, later to no name
// at all. And from 0.27 on each run of core's installation gives it the default
// domain, or where the host has none disables its domains.
//
// What core's installation has put there is taken back; what a person has set
// stays.
var domainsRewritten = Hazard{
	Name:    DomainsRewritten,
	InNginx: true,
	Threads: "dokku/dokku#7253, #2146, #2927",
	Guide:   "https://dokku.com/docs/configuration/domains/",
	Reads:   []app.Part{app.PartDomains, app.PartEnv},

	Foresee: func(s Subject) []Finding {
		names := strings.Join(s.Now.Domains.Inherited, " ")
		if names == "" || !withoutVHOST(s.Now) || inherits(s.To) {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("the app has no domains of its own and answers to the host's (%s), which %s ends", names, s.To),
			Consequence: "At the next build of its nginx configuration the app would stop answering to them.",
			// Beforehand, which is no other thing to the older one: 0.35.17 and later build the
			// configuration in the middle of their installation, and answer nobody until it ends.
			Step: &plan.Step{
				Mark: plan.Add, Text: "domains " + names + ", written as its own",
				Path: s.Paths.App(s.Now.Name) + "/VHOST", Mode: 0o644, Data: []byte(strings.Join(s.Now.Domains.Inherited, "\n") + "\n"),
			},
		}}
	},

	Detect: func(s Subject) []Finding {
		if s.Before == nil || !withoutVHOST(*s.Before) {
			return nil
		}
		now, inherited := s.Now.Domains, s.Before.Domains.Inherited
		switch missing := without(inherited, now.Effective()); {
		case len(missing) > 0:
			names := append(slices.Clone(inherited), without(now.Names, inherited)...)
			path := s.Paths.App(s.Now.Name) + "/VHOST"
			step := &plan.Step{
				Mark: plan.Change, Text: "domains " + strings.Join(names, " "),
				Path: path, Mode: 0o644, Data: []byte(strings.Join(names, "\n") + "\n"), Was: s.Digest(path),
			}
			step.From(strings.Join(now.Names, " "), strings.Join(names, " "))
			if now.Disabled {
				step.Do = config("config:set", "--no-restart", s.Now.Name, "NO_VHOST=0")
			}
			f, command := Finding{
				What:        fmt.Sprintf("the app answered to the host's domains (%s), and %s does not", strings.Join(missing, " "), s.To),
				Consequence: "At the next build of its nginx configuration the app stops answering to them.",
				Step:        step,
			}, domainsCommand(s, names)
			if why := s.Opens(missing, nil); why != "" {
				return f.leftAlone(why, command)
			}
			return s.ofInstallation(f, command)
		case len(inherited) > 0:
			return nil
		case now.Disabled && s.Now.Proxy.Disabled && !s.Before.Proxy.Disabled:
			return nil // proxy:disable does both
		case now.Disabled:
			f, command := Finding{
				What:        fmt.Sprintf("the installation of %s has disabled the app's domains", s.To),
				Consequence: "At the next build of its nginx configuration the app moves to another port.",
				Step: &plan.Step{
					Mark: plan.Remove, Text: "NO_VHOST, set by Dokku's installation",
					Do: config("config:unset", "--no-restart", s.Now.Name, "NO_VHOST"),
				},
			}, say.Command("dokku config:unset --no-restart", s.Now.Name, "NO_VHOST")
			if why := s.Opens(nil, nil); why != "" {
				return f.leftAlone(why, command)
			}
			return s.ofInstallation(f, command)
		case len(now.Names) > 0 && slices.Equal(now.Names, defaultDomains(s)):
			path := s.Paths.App(s.Now.Name) + "/VHOST"
			return s.ofInstallation(Finding{
				What: fmt.Sprintf("the app had no domains, and the installation of %s has given it %s", s.To, strings.Join(now.Names, " ")),
				Step: &plan.Step{
					Mark: plan.Remove, Text: "domains " + strings.Join(now.Names, " ") + ", set by Dokku's installation",
					Do: removeUnchanged(path, s.Digest(path)),
				},
			}, say.Command("dokku domains:clear", s.Now.Name))
		}
		return nil
	},
}

// withoutVHOST is the state that has changed its meaning. Apps without a web process
// are not meant: up to 0.24 it is the first deploy of one that gives an app domains.
func withoutVHOST(s app.State) bool {
	return s.Serves() && !s.Domains.File && !s.Domains.Disabled
}

// inherits tells whether an app without a VHOST file answers to the host's names.
func inherits(dokku string) bool { return app.Before(dokku, "0.25.0") }

// defaultDomains are what Dokku gives an app that has no domains.
func defaultDomains(s Subject) []string {
	return defaultDomainsOf(Side{State: s.Now, Files: s.Files})
}

// without are the elements of a list that are not in the other. There may be tens of
// thousands in both.
func without(list, other []string) []string {
	in := make(map[string]bool, len(other))
	for _, e := range other {
		in[e] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(e string) bool { return in[e] })
}

// removeUnchanged removes a file that is still as the plan has seen it.
func removeUnchanged(path, digest string) func(context.Context, host.Host) error {
	return func(_ context.Context, h host.Host) error {
		now, err := h.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case app.Digest(now) != digest:
			return plan.ErrChanged
		}
		return h.Remove(path)
	}
}
