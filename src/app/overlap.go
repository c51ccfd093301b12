package app

import (
	"fmt"
	"regexp"
	"strings"

	"upgrade-guard/src/host"
)

// exclusive are options of docker run that only one container at a time can
// have, in the spellings docker takes.
var exclusive = regexp.MustCompile(`(?:^|\s)(-p|-P|--publish|--publish-all|--name|--ip|--ip6|--mac-address|--cidfile|--net(?:work)?[= ](?:"|')?(?:host|container:\S*))(?:[= ]|\d|$)`)

// NoOverlap says why two of this app must not run at once, one reason a
// sentence; nothing where a deploy of Dokku's overlaps them too.
func (f *Files) NoOverlap(s State) []string {
	var why []string
	e := readEnv(f, s.Name)
	// What checks:disable means to Dokku is that the old container is stopped
	// before the new one is started.
	disabled := e.values["DOKKU_CHECKS_DISABLED"]
	if !Before(f.Dokku, "0.38.0") {
		disabled, _ = property(f, "checks", s.Name, "disabled")
	}
	if disabled != "" && disabled != "none" {
		what := strings.ReplaceAll(disabled, ",", " and ")
		if disabled == "_all_" {
			what = "all its processes"
		}
		why = append(why, fmt.Sprintf("its checks are disabled for %s, so Dokku stops the old before it starts the new", what))
	}
	for _, file := range append(f.Under("root/"+s.Name+"/DOCKER_OPTIONS_DEPLOY"), f.Under("lib/config/docker-options/"+s.Name+"/")...) {
		if file.Path[:4] == "lib/" && !strings.Contains(file.Path, "deploy") {
			continue
		}
		for _, l := range strings.Split(string(file.Data), "\n") {
			if m := exclusive.FindStringSubmatch(l); m != nil {
				why = append(why, fmt.Sprintf("its docker-options have %s, which only one container at a time can have", strings.TrimSpace(m[1])))
			}
		}
	}
	if s.Proxy.Disabled {
		why = append(why, "its proxy is disabled, so its containers are asked directly")
	}
	return why
}

// Elsewhere says why an app is not served by the containers and the nginx of this
// host, one reason a sentence.
func (f *Files) Elsewhere(s State) []string {
	var why []string
	value := func(scope, variable, namespace, name string) string {
		v, _ := property(f, namespace, scope, name)
		if v == "" {
			v = readEnv(f, scope).values[variable]
		}
		return v
	}
	first := func(variable, namespace, name string) string {
		if v := value(s.Name, variable, namespace, name); v != "" {
			return v
		}
		return value(host.GlobalScope, variable, namespace, name)
	}
	if v := first("DOKKU_SCHEDULER", "scheduler", "selected"); v != "" && v != "docker-local" {
		why = append(why, "its scheduler is "+v)
	}
	proxy := s.Proxy.Type
	if proxy == "" {
		proxy = value(host.GlobalScope, "DOKKU_PROXY_TYPE", "proxy", "type")
	}
	if proxy != "" && proxy != "nginx" {
		why = append(why, "its proxy is "+proxy)
	}
	if v := first("", "registry", "push-on-release"); v == "true" {
		why = append(why, "its image is kept in a registry")
	}
	if v, _ := property(f, "registry", s.Name, "image-repo"); v != "" {
		why = append(why, "its image has a name of its own, "+v)
	}
	if v := first("DOKKU_SKIP_DEPLOY", "ps", "skip-deploy"); v == "true" {
		why = append(why, "deploys of it are switched off (skip-deploy)")
	}
	return why
}

// creatable are the names of new apps that a version takes (ATLAS 4.1).
func creatable(dokku string) *regexp.Regexp {
	switch {
	case Before(dokku, "0.22.0"):
		return regexp.MustCompile(`^[a-z0-9][^/:A-Z]*$`)
	case Before(dokku, "0.38.2"):
		return regexp.MustCompile(`^[a-z0-9][^/:_A-Z]*$`)
	}
	return nameOfAllVersions
}

var nameOfAllVersions = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)

// CreatesName tells whether this Dokku would create an app of this name.
func CreatesName(dokku, name string) bool { return creatable(dokku).MatchString(name) }

// ReachesName tells whether this Dokku's commands work on an app of this name.
// 0.22.2 refuses underscores, and 0.38.2 and later what is no letter, digit, dot,
// dash or underscore.
func ReachesName(dokku, name string) bool {
	switch {
	case !Before(dokku, "0.22.0") && Before(dokku, "0.22.3"):
		return CreatesName(dokku, name)
	case Before(dokku, "0.38.2"):
		return regexp.MustCompile(`^[a-z0-9][^/:A-Z]*$`).MatchString(name)
	}
	return regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`).MatchString(name)
}

// NearestName is the name, valid in every version, that is nearest to one that is
// not; "" where there is none.
func NearestName(name string) string {
	near := strings.TrimLeft(regexp.MustCompile(`[^a-z0-9.-]`).ReplaceAllString(strings.ToLower(name), "-"), "-.")
	if !nameOfAllVersions.MatchString(near) {
		return ""
	}
	return near
}
