package hazard

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// dockerVersion is about what a version of Dokku asks of docker and docker's version does
// not have, and about what docker has taken away and an app's settings use. The package
// of Dokku asks for no more than docker 19.03, and Debian 12 has 20.10, so nothing else
// says it before a deploy fails (docs/dokku-versions.md#what-dokku-asks-of-docker).
var dockerVersion = Hazard{
	Name:    "docker-version",
	Threads: "dokku/dokku#4633, traefik/traefik#12253",
	Guide:   "https://dokku.com/docs/networks/network/",
	Reads:   []app.Part{app.PartProxy, app.PartDockerOptions},

	Foresee: func(s Subject) []Finding {
		if !s.Crosses(networkJSON) {
			return nil // it is so at present, or never
		}
		return s.attachedByJSON()
	},
	Detect: func(s Subject) []Finding {
		found := s.nonRecursive()
		if !app.Before(s.Now.Dokku, networkJSON) {
			found = append(found, s.attachedByJSON()...)
		}
		return found
	},
	DetectHost: func(s HostSubject) []Finding { return append(s.oldTraefik(), s.noCompose()...) },
}

// networkJSON is the first version of Dokku that asks docker network ls --format json,
// before it attaches an app to a network; docker knows that format from 23 on, and up to
// then prints the word json for each network.
const networkJSON, jsonFormat = "0.35.3", 23

func (s Subject) attachedByJSON() []Finding {
	client := s.Has.Client
	if app.Major(client) == 0 || app.Major(client) >= jsonFormat || !s.startsHere() {
		return nil
	}
	var by, names []string
	global := false
	for _, n := range s.Files.Needs(s.Now.Name) {
		if n.Kind == app.NeedNetwork && n.Phase == "" && !strings.HasSuffix(n.By, "initial-network") {
			by = append(by, n.By)
			names = append(names, n.Name)
			global = global || strings.HasPrefix(n.By, "global")
		}
	}
	if len(by) == 0 {
		return nil
	}
	f := Finding{
		What: fmt.Sprintf("docker %s is too old for Dokku %s to attach the app to the network %s (%s)", client, s.To, strings.Join(slices.Compact(slices.Clone(names)), ", "), listed(by)),
		Consequence: fmt.Sprintf("What runs goes on. With Dokku %s and later its deploys, ps:rebuild and ps:restart fail, because docker answers docker network ls --format json with no JSON before docker 23. "+
			"Debian 12 has no newer one; Debian 13 and docker's own packages do.", networkJSON),
		Command: "install docker 23 or later: https://docs.docker.com/engine/install/",
	}
	// One that it is made in already is not to be given up for this.
	first := slices.ContainsFunc(s.Files.Needs(s.Now.Name), func(n app.Need) bool {
		return n.Flag == "--link" || n.Flag == "--network" || n.Flag == "--net" || strings.HasSuffix(n.By, "initial-network")
	})
	if !first && len(names) == 1 {
		scope, property := s.Now.Name, strings.TrimPrefix(strings.TrimPrefix(by[0], "global "), "network property ")
		if global {
			scope = host.GlobalScope
		}
		// A container is made in its initial network, and docker is not asked for others.
		f.Command = say.Command("dokku network:set", scope, "initial-network", names[0]) + " && " + say.Command("dokku network:set", scope, property)
		f.Consequence += " Or, with the command, it is in that network alone from the beginning, and nobody asks."
	}
	return []Finding{f}
}

// nonRecursive is about an option of --mount that docker 29 refuses.
func (s Subject) nonRecursive() []Finding {
	if !s.startsHere() {
		return nil
	}
	for _, phase := range []string{"deploy", "run"} {
		for _, line := range s.Files.DockerOptions(s.Now.Name, phase) {
			words, ok := app.OptionWords(line)
			if ok && slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, ",bind-nonrecursive") }) {
				return []Finding{{
					Kind:        from29(s.Has),
					What:        "a docker option for " + phase + " mounts with bind-nonrecursive, which docker 29 refuses",
					Consequence: "With docker 29 the next deploy, ps:rebuild or ps:restart fails. It is bind-recursive=disabled since docker 25.",
					Command:     say.Command("dokku docker-options:report", s.Now.Name) + ", then docker-options:remove and docker-options:add",
				}}
			}
		}
	}
	return nil
}

// from29 is the kind of a finding about what docker 29 breaks: to be known, until it is
// installed.
func from29(has app.DockerHas) Kind {
	if app.Major(has.Server) < 29 {
		return Notice
	}
	return Manual
}

// oldTraefik is about the traefik that Dokku up to 0.36 starts where nobody has set
// another: it asks docker by version 1.24 of its API, which docker 29 does not answer, and
// so knows of no app.
func (s HostSubject) oldTraefik() []Finding {
	served := s.servedBy("traefik")
	image, _ := s.Files.Text("lib/config/traefik/" + host.GlobalScope + "/image")
	if len(served) == 0 || !app.Before(s.Now.Dokku, "0.37.0") || strings.TrimSpace(image) != "" {
		return nil
	}
	better := "traefik:v3.6.14"
	if app.Before(s.Now.Dokku, "0.35.0") {
		better = "traefik:v2.11.31"
	}
	return []Finding{{
		Kind:        from29(s.Now.Has),
		What:        fmt.Sprintf("the traefik of Dokku %s cannot talk to docker 29: %s by it", s.Now.Dokku, say.Plural(len(served), "app")+" served"),
		Consequence: "As soon as docker is 29, traefik answers 404 for all of them. Dokku 0.37.0 brings one that can.",
		Command:     say.Command("dokku traefik:set --global image", better) + " && dokku traefik:stop && dokku traefik:start",
	}}
}

// noCompose is about the proxies that Dokku starts with docker compose.
func (s HostSubject) noCompose() []Finding {
	if s.Now.Has.Plugins == nil || s.Now.Has.Plugins["compose"] {
		return nil
	}
	var found []Finding
	for _, kind := range app.ComposeProxies {
		if served := s.servedBy(kind); len(served) > 0 {
			found = append(found, Finding{
				Kind:        Notice,
				What:        fmt.Sprintf("%s serves %s, and docker has no plugin compose, with which Dokku starts it", kind, say.Plural(len(served), "app")),
				Consequence: fmt.Sprintf("What runs goes on. dokku %s:start fails.", kind),
				Command:     "apt-get install docker-compose-plugin",
			})
		}
	}
	return found
}

// servedBy are the deployed apps that a proxy serves.
func (s HostSubject) servedBy(kind string) []string {
	var names []string
	for name, a := range s.Now.Apps {
		if a.Proxy.Kind() == kind && !a.Proxy.Disabled && a.Deployed() && a.Proxy.Unknown == "" {
			names = append(names, name)
		}
	}
	return names
}
