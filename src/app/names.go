package app

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"upgrade-guard/src/pattern"
)

// Namespaces are the directories below config in which Dokku's plugins, and the
// letsencrypt plugin, keep their properties. From 0.38.0 on an app's environment
// lies at the same level, config/<app>/ENV, and goes with the whole directory when
// the app is destroyed or renamed (docs/dokku-versions.md#a-name-that-is-a-plugins).
// They are all there have been from 0.20.4 to 0.38.27; none was ever keyed by anything
// but the app, so a rename goes by this one list on every version.
var Namespaces = []string{
	"app-json", "apps", "builder", "builder-dockerfile", "builder-herokuish", "builder-lambda", "builder-nixpacks", "builder-pack",
	"builder-railpack", "buildpacks", "builds", "caddy", "checks", "common", "config", "cron", "docker-options", "domains", "git", "haproxy",
	"letsencrypt", "logs", "network", "nginx", "openresty", "ports", "proxy", "ps", "registry", "resource", "scheduler",
	"scheduler-docker-local", "scheduler-k3s", "storage", "traefik", "upgrade-guard",
}

// creatable are the names of new apps that a version takes
// (docs/dokku-versions.md#names-of-apps).
func creatable(dokku string) *regexp.Regexp {
	switch {
	case Before(dokku, "0.22.0"):
		return nameBefore022()
	case Before(dokku, "0.38.2"):
		return nameSince022()
	}
	return nameOfAllVersions()
}

var (
	nameBefore022     = pattern.Of(`^[a-z0-9][^/:A-Z]*$`)
	nameSince022      = pattern.Of(`^[a-z0-9][^/:_A-Z]*$`)
	nameOfAllVersions = pattern.Of(`^[a-z0-9][a-z0-9.-]*$`)
	nameReached       = pattern.Of(`^[a-z0-9][a-z0-9._-]*$`)
	inNoName          = pattern.Of(`[^a-z0-9.-]`)
)

// CreatesName tells whether this Dokku would create an app of this name.
func CreatesName(dokku, name string) bool { return creatable(dokku).MatchString(name) }

// WhyNoName says what in a name keeps which Dokku from creating an app of it, by the
// oldest that would not; "" for a name that every version takes.
func WhyNoName(name string) string {
	for _, rule := range []struct{ since, whose string }{
		{"0.20.0", "Dokku allows"}, {"0.22.0", "Dokku 0.22 and later allow"}, {"0.38.2", "Dokku 0.38.2 and later allow"},
	} {
		if CreatesName(rule.since, name) {
			continue
		}
		for rest := name; rest != ""; {
			r, n := utf8.DecodeRuneInString(rest)
			switch {
			case CreatesName(rule.since, "a"+rest[:n]):
			case 'A' <= r && r <= 'Z':
				return rule.whose + " no capital letters"
			default:
				return fmt.Sprintf("%s no %q", rule.whose, rest[:n])
			}
			rest = rest[n:]
		}
		return "it does not begin with a lower-case letter or a digit"
	}
	return ""
}

// ReachesName tells whether this Dokku's commands work on an app of this name.
// Up to 0.22.7 those of 0.22 that are shell end at an underscore (Dokku's
// verify_app_name), and 0.38.2 and later what is no letter, digit, dot,
// dash or underscore.
func ReachesName(dokku, name string) bool {
	switch {
	case !Before(dokku, "0.22.0") && Before(dokku, "0.22.9"):
		return CreatesName(dokku, name)
	case Before(dokku, "0.38.2"):
		return nameBefore022().MatchString(name)
	}
	return nameReached().MatchString(name)
}

// NearestName is the name, valid in every version, that is nearest to one that is
// not; "" where there is none.
func NearestName(name string) string {
	near := strings.TrimLeft(inNoName().ReplaceAllString(strings.ToLower(name), "-"), "-.")
	if !nameOfAllVersions().MatchString(near) {
		return ""
	}
	return near
}

// NoApp is the error of an app that does not exist, in Dokku's own words; commands end
// with its exit code then.
type NoApp struct{ Name string }

// NoAppExit is that code.
const NoAppExit = 20

func (e NoApp) Error() string { return "App " + e.Name + " does not exist" }
