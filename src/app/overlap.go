package app

import (
	"fmt"
	"path/filepath"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// exclusive are options of docker run that only one container at a time can
// have, in the spellings docker takes.
var exclusive = pattern.Of(`(?:^|\s)(-p|-P|--publish|--publish-all|--name|--ip|--ip6|--mac-address|--cidfile|--net(?:work)?[= ](?:"|')?(?:host|container:\S*))(?:[= ]|\d|$)`)

// DeployLock is the file by which Dokku keeps deploys of an app out; while it is
// there, one is under way, or a person has locked the app
// (docs/dokku-versions.md#data-directories-and-the-deploy-lock).
func DeployLock(p host.Paths, dokku, name string) string {
	if Before(dokku, "0.34.0") {
		return filepath.Join(p.App(name), ".deploy.lock")
	}
	return filepath.Join(p.LibRoot, "data", "apps", name, ".deploy.lock")
}

// NoOverlap says why two of this app must not run at once, one reason a
// sentence; nothing where a deploy of Dokku's overlaps them too.
func (f *Files) NoOverlap(s State) []string {
	var why []string
	for _, p := range []Part{PartEnv, PartDockerOptions, PartProxy} {
		if unknown := s.Unknown[p]; unknown != "" {
			return []string{fmt.Sprintf("whether it may run twice cannot be told, without its %s (%s)", p, unknown)}
		}
	}
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
			if m := exclusive().FindStringSubmatch(l); m != nil {
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
	p := s.Proxy
	p.Disabled = false // that is another matter: see NoOverlap
	if yes, by := p.ByNginx(); !yes {
		why = append(why, "it is served by "+by)
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
