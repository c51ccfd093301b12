package hazard

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/plan"
)

// domainsGuessed is about an app without a domain, or with the default one alone,
// of which nothing is recorded: the guard was installed after the upgrade. nginx
// goes on answering by the configuration that was built before, and so do the other
// proxies by the labels of the containers; the next build or deploy ends that. What
// they say is a guess (law 8): a person may have taken the domains away since.
//
// From 0.25 on a missing VHOST file means no domain at all. Before, it meant the
// host's own (docs/dokku-versions.md#domains). From 0.27 on each run of core's
// installation, the one for plugin:install of the guard too, gives an app without the
// file its default one.
var domainsGuessed = Hazard{
	Name:    "domains-guessed",
	Threads: "dokku/dokku#7253",
	Guide:   "https://dokku.com/docs/configuration/domains/",
	Reads:   []app.Part{app.PartDomains, app.PartEnv, app.PartProxy, app.PartNginx},

	Detect: func(s Subject) []Finding {
		now := s.Now.Domains.Names
		if !s.NoBaseline || app.Before(s.To, "0.25.0") || s.Before != nil || s.Now.Proxy.Disabled || customTemplate(s) ||
			len(without(now, defaultDomains(s))) > 0 {
			return nil
		}
		names, source := domainsOfConfig(s), "its nginx.conf"
		if len(names) == 0 {
			names, source = domainsOfLabels(s.Now), "the labels of its containers"
		}
		if names = without(names, now); len(names) == 0 {
			return nil
		}
		has := "no domain"
		if len(now) > 0 {
			has = "its default domain alone"
		}
		f := Finding{
			What:        fmt.Sprintf("the app has %s, none was recorded, and it is still served under %s", has, strings.Join(names, " ")),
			Consequence: "At the next build of its nginx configuration, or its next deploy, that ends.",
		}
		if s.Now.Domains.Disabled {
			// Core's installation disables the domains of an app without a VHOST
			// file from 0.27 on, and up to 0.35.16 builds nothing. To enable them is
			// Dokku's own to write.
			f.What = fmt.Sprintf("the app's domains are disabled, none were recorded, and it is still served under %s", strings.Join(names, " "))
			f.Command = domainsCommand(s, names)
			return []Finding{f}
		}
		names = append(names, now...)
		path := s.Paths.App(s.Now.Name) + "/VHOST"
		f.Kind, f.Step = Guess, &plan.Step{
			Mark: plan.Add, Text: fmt.Sprintf("domains %s, guessed from %s", strings.Join(names, " "), source),
			Path: path, Mode: 0o644, Data: []byte(strings.Join(names, "\n") + "\n"), Was: s.Digest(path),
		}
		f.Step.From(strings.Join(now, " "), strings.Join(names, " "))
		return []Finding{f}
	},
}

// customTemplate tells whether an app brings its own nginx template, in which
// names and ports may stand that are none of Dokku's.
func customTemplate(s Subject) bool {
	_, ok := s.Files.Get("lib/data/nginx-vhosts/app-" + s.Now.Name + "/nginx.conf.sigil")
	return ok
}

// domainsOfConfig are the names that the app's nginx.conf answers to, in its
// order; those that can be no domain of Dokku's are left out.
func domainsOfConfig(s Subject) []string {
	var names []string
	seen := map[string]bool{}
	for _, server := range serversOf(s) {
		for _, name := range server.names {
			if !seen[name] && domain().MatchString(name) {
				names = append(names, name)
			}
			seen[name] = true
		}
	}
	return names
}

// domain is what Dokku takes for one: a name, or one below a wildcard, and no
// address.
var domain = pattern.Of(`^(\*\.)?[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*\.[a-zA-Z][a-zA-Z0-9_-]*$`)

// traefikHost is a name in a rule of traefik: Host(`a`,`b`) up to 0.30 or so,
// Host(`a`) || Host(`b`) later.
var traefikHost = pattern.Of("`([^`]+)`")

// domainsOfLabels are the names by which traefik, caddy and haproxy know an app,
// as Dokku writes them into the labels of its web containers from 0.28 on.
func domainsOfLabels(a app.State) []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] && domain().MatchString(name) {
			names = append(names, name)
		}
		seen[name] = true
	}
	for _, c := range a.Containers {
		if c.Type != "web" || !c.Running {
			continue
		}
		for _, label := range slices.Sorted(maps.Keys(c.Labels)) {
			value := c.Labels[label]
			router := "traefik.http.routers." + a.Name + "-web-http"
			switch label {
			case router + ".rule", router + "s.rule":
				for _, m := range traefikHost().FindAllStringSubmatch(value, -1) {
					add(m[1])
				}
			case "haproxy." + a.Name + "-web.host", "haproxy." + a.Name + "-web-https.host", "caddy":
				for _, name := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }) {
					add(strings.TrimSuffix(name, ":80"))
				}
			}
		}
	}
	return names
}
