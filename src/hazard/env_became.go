package hazard

import (
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// becameProperty is a variable of the environment that Dokku's installation moves into a
// property, from a version on
// (docs/dokku-versions.md#variables-that-stop-counting).
type becameProperty struct {
	variable, namespace, property string
	since                         string
	onlyGlobal, onlyApp           bool
	// there and back say what a value is on the other side, "" for nothing that is to be
	// set; nil: as it is.
	there, back func(string) string
}

func (v becameProperty) path(scope string) string {
	return "lib/config/" + v.namespace + "/" + scope + "/" + v.property
}

func (v becameProperty) in(scope string) bool {
	return scope == host.GlobalScope && !v.onlyApp || scope != host.GlobalScope && !v.onlyGlobal
}

func (v becameProperty) asVariable(text string) string {
	if text = strings.TrimSpace(text); v.back != nil {
		return v.back(text)
	}
	return text
}

func (v becameProperty) asProperty(value string) string {
	if value = strings.TrimSpace(value); value != "" && v.there != nil {
		return v.there(value)
	}
	return value
}

func exactly(want, value string) func(string) string {
	return func(given string) string {
		if given == want {
			return value
		}
		return ""
	}
}

// A disabled proxy stays so by whatever the variable says.
func disabled(string) string { return "true" }

// As the installations of 0.26.0, 0.29.0 and 0.38.27 move them.
var becameProperties = []becameProperty{
	{variable: "DOKKU_SCHEDULER", namespace: "scheduler", property: "selected", since: "0.26.0", onlyApp: true},
	{variable: "DOKKU_WAIT_TO_RETIRE", namespace: "checks", property: "wait-to-retire", since: "0.29.0"},
	{variable: "DOKKU_APP_PROXY_TYPE", namespace: "proxy", property: "type", since: "0.38.0", onlyApp: true},
	{variable: "DOKKU_PROXY_TYPE", namespace: "proxy", property: "type", since: "0.38.0", onlyGlobal: true},
	{variable: "DOKKU_DISABLE_PROXY", namespace: "proxy", property: "disabled", since: "0.38.0", onlyApp: true, there: disabled, back: exactly("true", "1")},
	{variable: "DOKKU_PROXY_PORT", namespace: "proxy", property: "proxy-port", since: "0.38.0"},
	{variable: "DOKKU_PROXY_SSL_PORT", namespace: "proxy", property: "proxy-ssl-port", since: "0.38.0"},
	{variable: "DOKKU_APP_RESTORE", namespace: "ps", property: "restore", since: "0.38.0", onlyApp: true, there: exactly("0", "false"), back: exactly("false", "0")},
	{variable: "DOKKU_SKIP_DEPLOY", namespace: "ps", property: "skip-deploy", since: "0.38.0"},
	{variable: "DOKKU_START_CMD", namespace: "ps", property: "start-cmd", since: "0.38.0", onlyApp: true},
	{variable: "DOKKU_DOCKERFILE_START_CMD", namespace: "ps", property: "dockerfile-start-cmd", since: "0.38.0", onlyApp: true},
	{variable: "DOKKU_DOCKER_STOP_TIMEOUT", namespace: "ps", property: "stop-timeout-seconds", since: "0.38.0", onlyApp: true},
	{variable: "DOKKU_APP_TYPE", namespace: "builder", property: "detected", since: "0.38.0", onlyApp: true},
	{variable: "DOKKU_SKIP_CLEANUP", namespace: "builder", property: "skip-cleanup", since: "0.38.0"},
	{variable: "DOKKU_APP_SHELL", namespace: "scheduler", property: "shell", since: "0.38.0"},
	{variable: "DOKKU_DISABLE_APP_AUTOCREATION", namespace: "apps", property: "disable-autocreation", since: "0.38.0", onlyGlobal: true},
	{variable: "DOKKU_CHECKS_DISABLED", namespace: "checks", property: "disabled", since: "0.38.0", onlyApp: true},
	{variable: "DOKKU_CHECKS_SKIPPED", namespace: "checks", property: "skipped", since: "0.38.0", onlyApp: true},
	{variable: "DOKKU_CHECKS_WAIT", namespace: "checks", property: "wait", since: "0.38.0"},
	{variable: "DOKKU_CHECKS_TIMEOUT", namespace: "checks", property: "timeout", since: "0.38.0"},
	{variable: "DOKKU_CHECKS_ATTEMPTS", namespace: "checks", property: "attempts", since: "0.38.0"},
	{variable: "DOKKU_DEFAULT_CHECKS_WAIT", namespace: "checks", property: "default-wait", since: "0.38.0"},
}

// Counterpart is a setting that one version has as a variable of an app's environment, and
// another as a property.
type Counterpart struct {
	Variable string
	// Path is the property's, among the captured ones; "" where none takes the variable's
	// place, and Instead says what does.
	Path    string
	Value   string // on the other side; "" for nothing that is to be set
	Instead string
}

// CounterpartOf is what another version has in the place of a variable of an app's, or of the
// host's; false where it reads the variable, or nobody knows better.
func CounterpartOf(name, variable, value, dokku string) (Counterpart, bool) {
	for _, v := range becameProperties {
		if v.variable == variable && v.in(name) && !app.Before(dokku, v.since) {
			return Counterpart{Variable: variable, Path: v.path(name), Value: v.asProperty(value)}, true
		}
	}
	for _, f := range flags {
		if f.variable != variable || !f.in(name) || app.Before(dokku, f.gone) || f.when != "" && value != f.when {
			continue
		}
		s := Counterpart{Variable: variable}
		if f.property == "" {
			s.Instead = f.by(name)
		} else if s.Path, s.Value = "lib/config/"+f.namespace+"/"+name+"/"+f.property, value; f.value != nil {
			s.Value = f.value(value)
		}
		return s, true
	}
	return Counterpart{}, false
}

// CounterpartsOf are the properties of an app that an older version has as variables.
func CounterpartsOf(f *app.Files, name, dokku string) (list []Counterpart) {
	for _, v := range becameProperties {
		text, set := f.Text(v.path(name))
		if set && v.in(name) && !app.Before(f.Dokku, v.since) && app.Before(dokku, v.since) {
			list = append(list, Counterpart{Variable: v.variable, Path: v.path(name), Value: v.asVariable(text)})
		}
	}
	return list
}

// KnowsProperty tells whether a version is known to have an app's property: one that it has
// in a variable's place.
func KnowsProperty(path, name, dokku string) bool {
	return slices.ContainsFunc(becameProperties, func(v becameProperty) bool {
		return v.in(name) && v.path(name) == path && !app.Before(dokku, v.since)
	})
}
