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

// envFlags is about settings that are variables of the environment in one version
// and not read any more in a later one
// (docs/dokku-versions.md#variables-that-stop-counting). Core moves
// most of them into properties itself. It does not for some; it looked into the
// wrong scope for the host's scheduler from 0.26 to 0.32; and from 0.38.0 to 0.38.25
// three plugins look for theirs before the environment is where they look.
//
// Where a property takes a variable's place, the guard writes it as core would,
// reads it back, and only then has Dokku unset the variable.
var envFlags = Hazard{
	Undone:  true,
	Name:    "environment-flags",
	Threads: "dokku/dokku#8875, #8907, #3150",
	Guide:   "https://dokku.com/docs/appendices/0.38.0-migration-guide/",
	Reads:   []app.Part{app.PartEnv},

	Foresee: func(s Subject) []Finding { return foreseeFlags(s.Context, s.Now.Name, s.Now.Env) },
	Detect: func(s Subject) []Finding {
		if s.Before == nil {
			return nil
		}
		return detectFlags(s.Context, s.Now.Name, s.Before.Env, s.Now.Env)
	},
	ForeseeHost: func(s HostSubject) []Finding {
		return foreseeFlags(s.Context, host.GlobalScope, s.Now.Global.Env)
	},
	DetectHost: func(s HostSubject) []Finding {
		if s.Before == nil {
			return nil
		}
		return detectFlags(s.Context, host.GlobalScope, s.Before.Env, s.Now.Global.Env)
	},
}

// flag is one variable that core has stopped reading.
type flag struct {
	variable string
	gone     string // the first version that does not read it
	// migrated are the versions whose installation moves it: from the first,
	// and not in a gap. "" for never.
	migrated string
	gap      [2]string // first version without, first version with it again
	// namespace and property take its place; "" for none.
	namespace, property string
	value               func(string) string // nil: as it is
	// when is the one value that ever meant anything; "" where all do.
	when string
	// onlyGlobal and onlyApp say in which scope alone it ever counted, or is
	// moved by core as it should be.
	onlyGlobal, onlyApp bool
	// instead is what a person does, where no property takes its place.
	instead string
}

// The gap in which apps, builder and checks migrated nothing.
var before03826 = [2]string{"0.38.0", "0.38.26"}

var flags = []flag{
	{variable: "DOKKU_SCHEDULER", gone: "0.26.0", migrated: "0.33.0", namespace: "scheduler", property: "selected", onlyGlobal: true},
	{variable: "DOKKU_DISABLE_APP_AUTOCREATION", gone: "0.38.0", migrated: "0.38.0", gap: before03826, namespace: "apps", property: "disable-autocreation", onlyGlobal: true},
	{variable: "DOKKU_SKIP_CLEANUP", gone: "0.38.0", migrated: "0.38.0", gap: before03826, namespace: "builder", property: "skip-cleanup"},
	{variable: "DOKKU_CHECKS_DISABLED", gone: "0.38.0", migrated: "0.38.0", gap: before03826, namespace: "checks", property: "disabled", onlyApp: true},
	{variable: "DOKKU_CHECKS_SKIPPED", gone: "0.38.0", migrated: "0.38.0", gap: before03826, namespace: "checks", property: "skipped", onlyApp: true},
	{variable: "DOKKU_CHECKS_WAIT", gone: "0.38.0", migrated: "0.38.0", gap: before03826, namespace: "checks", property: "wait"},
	{variable: "DOKKU_CHECKS_TIMEOUT", gone: "0.38.0", migrated: "0.38.0", gap: before03826, namespace: "checks", property: "timeout"},
	{variable: "DOKKU_CHECKS_ATTEMPTS", gone: "0.38.0", migrated: "0.38.0", gap: before03826, namespace: "checks", property: "attempts"},
	{variable: "DOKKU_DEFAULT_CHECKS_WAIT", gone: "0.38.0", migrated: "0.38.0", gap: before03826, namespace: "checks", property: "default-wait"},
	{variable: "DOKKU_CNB_EXPERIMENTAL", gone: "0.37.0", namespace: "builder", property: "selected", onlyApp: true, when: "1",
		value: func(string) string { return "pack" }},
	{variable: "DOKKU_DOCKER_BUILD_OPTS", gone: "0.37.0", onlyApp: true,
		instead: "dokku docker-options:add APP build \"...\" && dokku config:unset --no-restart APP DOKKU_DOCKER_BUILD_OPTS"},
	{variable: "DOKKU_DOCKERFILE_CACHE_BUILD", gone: "0.37.0", onlyApp: true, when: "false",
		instead: "dokku docker-options:add APP build --no-cache && dokku config:unset --no-restart APP DOKKU_DOCKERFILE_CACHE_BUILD"},
}

// movedByCore tells whether the installation of a version moves the variable.
func (f flag) movedByCore(dokku string) bool {
	inGap := f.gap[0] != "" && !app.Before(dokku, f.gap[0]) && app.Before(dokku, f.gap[1])
	return f.migrated != "" && !app.Before(dokku, f.migrated) && !inGap
}

// set tells whether an environment, names to fingerprints, has the variable with a
// value that counts.
func (f flag) set(env map[string]string) bool {
	return env[f.variable] != "" && (f.when == "" || env[f.variable] == app.Fingerprint(f.when))
}

func (f flag) in(scope string) bool {
	return scope == host.GlobalScope && !f.onlyApp || scope != host.GlobalScope && !f.onlyGlobal
}

func foreseeFlags(j Context, scope string, env map[string]string) []Finding {
	var found []Finding
	for _, f := range flags {
		if !f.set(env) || !f.in(scope) || !j.Crosses(f.gone) || f.movedByCore(j.To) {
			continue
		}
		finding := Finding{What: fmt.Sprintf("%s is set, and %s does not read it any more", f.variable, j.To)}
		switch {
		case f.property == "":
			finding.Consequence, finding.Command = "Its builds go without it.", f.by(scope)
		case j.Digest(j.Paths.Property(f.namespace, scope, f.property)) == "":
			finding.Consequence = "What it sets would not be in force any more."
			finding.Afterwards = fmt.Sprintf("property %s %s", f.namespace, f.property)
		default:
			continue
		}
		found = append(found, finding)
	}
	return found
}

func detectFlags(j Context, scope string, before, now map[string]string) []Finding {
	var found []Finding
	for _, f := range flags {
		// Where core moves it, a leftover is a person's: it was set since.
		if !f.set(now) || !f.set(before) || !f.in(scope) || app.Before(j.To, f.gone) || f.movedByCore(j.To) {
			continue
		}
		finding := Finding{What: fmt.Sprintf("%s is set, and %s does not read it any more", f.variable, j.To)}
		path := j.Paths.Property(f.namespace, scope, f.property)
		switch {
		case f.property == "":
			finding.Consequence, finding.Command = "Its builds go without it.", f.by(scope)
		case j.Digest(path) != "":
			continue
		default:
			finding.Consequence = fmt.Sprintf("What it set is not in force: %s has a property %s for it.", f.namespace, f.property)
			finding.Step = f.move(j, scope, path)
		}
		found = append(found, finding)
	}
	return found
}

func (f flag) by(scope string) string { return strings.ReplaceAll(f.instead, "APP", say.Word(scope)) }

// move is the step from variable to property.
func (f flag) move(j Context, scope, path string) *plan.Step {
	value, ok := j.Files.Variable(scope, f.variable)
	if !ok {
		return nil
	}
	if f.value != nil {
		value = f.value(value)
	}
	unset := []string{"config:unset", "--no-restart", scope, f.variable}
	if scope == host.GlobalScope {
		unset = slices.Delete(unset, 1, 2)
	}
	return &plan.Step{
		Mark: plan.Add, Text: fmt.Sprintf("property %s %s, from %s", f.namespace, f.property, f.variable),
		Path: path, Mode: 0o600, Data: []byte(value),
		Do: config(unset[0], unset[1:]...),
	}
}
