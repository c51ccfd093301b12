package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/packages"
)

// Ground is what Dokku stands on, and what apt would make of it.
type Ground struct {
	packages.Ahead
	// Docker and Nginx are the versions that there are now, "" where they are not known.
	Docker, Nginx string
	// Client is the version of the program docker. Where it is newer than the daemon, that
	// goes on as it was before an upgrade: Debian's package does not start it anew.
	Client string
	// Driver is docker's storage driver, "" where it is not known.
	Driver string
	// HasClient tells that the package docker-cli is installed.
	HasClient bool
	// CgroupV1 is the word of the kernel's command line that asks for cgroup v1.
	CgroupV1 string
	// Confs are nginx's configuration, the apps' and the host's own, by path; NginxConf is
	// where that begins.
	Confs     map[string]string
	NginxConf string
}

// What is docker, and what nginx, among the packages: one of each is installed.
var (
	dockerPackages = []string{"docker-ce", "docker.io", "moby-engine"}
	nginxPackages  = []string{"nginx", "openresty"}
)

// AskGround asks every hazard what stands in the way of what apt would do.
func AskGround(g Ground) []Finding {
	return ask(host.GlobalScope, func(h Hazard) []Finding {
		if h.Ground == nil {
			return nil
		}
		return safely(h, func(h Hazard) []Finding { return h.Ground(g) })
	})
}

// docker is the one that the next start of docker brings, and the package by which apt
// would; that is "" where it is installed already, and both where it is the one that runs.
func (g Ground) docker() (version, name string) {
	for _, name := range dockerPackages {
		if to := g.To(name); to != "" && !app.Before(to, g.Client) {
			return to, name
		}
	}
	if g.Docker != "" && app.Before(g.Docker, g.Client) {
		return g.Client, ""
	}
	return "", ""
}

// comes says how it comes.
func comes(name string) string {
	if name == "" {
		return "which is installed and runs from docker's next start on"
	}
	return "which apt would install"
}

// Moves are the upgrades of docker and nginx that are ahead, in words: "docker 20.10.24 to
// 26.1.5".
func (g Ground) Moves() string {
	docker, _ := g.docker()
	var list []string
	for _, of := range []struct{ name, from, to string }{{"docker", g.Docker, docker}, {"nginx", g.Nginx, g.To(nginxPackages...)}} {
		if of.to != "" && of.from != "" && of.to != of.from {
			list = append(list, fmt.Sprintf("%s %s to %s", of.name, of.from, of.to))
		}
	}
	return strings.Join(list, ", ")
}

// groundMoves is about what nobody knows beforehand of another docker or nginx, and the
// package manager does not say (docs/dokku-versions.md#what-dokku-asks-of-docker).
var groundMoves = Hazard{
	Name: "ground-moves",

	Ground: func(g Ground) []Finding {
		var found []Finding
		if to, by := g.docker(); to != "" && g.Docker != "" && app.Major(to) != app.Major(g.Docker) {
			found = append(found, Finding{
				Kind: Notice,
				What: fmt.Sprintf("docker %s runs, and docker %s, %s, takes its place", g.Docker, to, comes(by)),
				Consequence: "That is when docker's package or the next boot starts it anew. Whether it starts then, and every container with it, is not known beforehand. " +
					"nginx's upstreams are looked after then, and the report says what runs.",
			})
		}
		if to := g.To(nginxPackages...); to != "" && g.Nginx != "" && minor(to) != minor(g.Nginx) {
			found = append(found, Finding{
				Kind:        Notice,
				What:        fmt.Sprintf("apt would bring nginx %s in place of %s", to, g.Nginx),
				Consequence: "Whether it takes every file of nginx's configuration is not known beforehand. A file of an app's that it does not take is looked after then, and the report says which.",
			})
		}
		return found
	},
}

// minor is a version without its last number.
func minor(version string) string {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	return first + "." + second
}
