package hazard

import (
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// k3sIngress is about how 0.34 routes to apps of the k3s scheduler
// (docs/dokku-versions.md#the-k3s-scheduler). A cluster that was made before 0.33.4 has
// traefik and no property that says so; from 0.34.0 on the default is nginx, and with its
// next deploy an app asks for an ingress that the cluster does not have. So the property is
// written, which means to older versions what they do anyhow.
//
// And 0.34.0 takes no ports but http:80 and https:443 there.
var k3sIngress = Hazard{
	Name:    "k3s-ingress",
	Threads: "dokku/dokku#8223",
	Guide:   "https://dokku.com/docs/appendices/0.34.0-migration-guide/",

	ForeseeHost: func(s HostSubject) []Finding {
		if !s.Crosses("0.34.0") || !s.onK3s() {
			return nil
		}
		return s.withoutIngress(fmt.Sprintf("no ingress class is set for k3s, and for %s that is nginx instead of traefik", s.To), "0.34.0")
	},
	DetectHost: func(s HostSubject) []Finding {
		if s.Before == nil || !s.Crosses("0.34.0") || !s.onK3s() || s.Old() == nil {
			return nil
		}
		if _, had := s.Old().Get(ingressClass); had {
			return nil // drift tells what has become of it
		}
		return s.withoutIngress("no ingress class is set for k3s; it was traefik by default, and is nginx", "")
	},

	Foresee: func(s Subject) []Finding {
		if !s.Crosses("0.34.0") || s.Now.Proxy.Scheduler != "k3s" {
			return nil
		}
		others := slices.DeleteFunc(slices.Clone(s.Now.Ports.Map), func(p string) bool {
			return strings.HasPrefix(p, "http:80:") || strings.HasPrefix(p, "https:443:")
		})
		if len(others) == 0 {
			return nil
		}
		return []Finding{{
			What:        fmt.Sprintf("%s takes no ports of an app of k3s but http:80 and https:443, and its port map has %s", s.To, strings.Join(others, " ")),
			Consequence: "From its next deploy on these are not served.",
			Kind:        Notice,
		}}
	},
}

const ingressClass = "lib/config/scheduler-k3s/" + host.GlobalScope + "/ingress-class"

// onK3s tells whether an app of the host runs in a cluster.
func (s HostSubject) onK3s() bool {
	for _, a := range s.Now.Apps {
		if a.Proxy.Scheduler == "k3s" {
			return true
		}
	}
	return false
}

func (s HostSubject) withoutIngress(what, seed string) []Finding {
	if _, set := s.Files.Get(ingressClass); set {
		return nil
	}
	return []Finding{{
		What:        what,
		Consequence: "With its next deploy an app would not be routed to any more.",
		Step: &plan.Step{
			Mark: plan.Add, Text: "property scheduler-k3s ingress-class traefik, as it was by default",
			Path: app.RealPath(s.Paths, ingressClass), Mode: 0o600, Data: []byte("traefik"), Seed: seed,
		},
	}}
}
