package hazard

import (
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// Moved is a variable of an environment that 0.38 keeps as a property, with what it is
// there; or one that nothing reads any more, without a property.
type Moved struct {
	Variable, Namespace, Property, Value string
}

// MovedVariables are those of an environment that is an older version's, by name: as core
// moves them, or as it ought to (docs/dokku-versions.md#variables-that-stop-counting).
func MovedVariables(scope string, values map[string]string) []Moved {
	global := scope == host.GlobalScope
	var moved []Moved
	add := func(m Moved) {
		if m.Value = strings.TrimSpace(values[m.Variable]); m.Value != "" && !slices.ContainsFunc(moved, func(o Moved) bool { return o.Variable == m.Variable }) {
			moved = append(moved, m)
		}
	}
	for _, v := range becameProperties {
		if global && !v.onlyApp || !global && !v.onlyGlobal {
			add(Moved{Variable: v.variable, Namespace: v.namespace, Property: v.property})
		}
	}
	for _, f := range flags {
		if f.in(scope) && (f.when == "" || values[f.variable] == f.when) {
			add(Moved{Variable: f.variable, Namespace: f.namespace, Property: f.property})
		}
	}
	add(Moved{Variable: "DOKKU_WAIT_TO_RETIRE", Namespace: "checks", Property: "wait-to-retire"})
	if !global {
		add(Moved{Variable: "DOKKU_SCHEDULER", Namespace: "scheduler", Property: "selected"})
	}
	for i, m := range moved {
		switch m.Variable {
		case "DOKKU_DISABLE_PROXY":
			moved[i].Value = "true" // any value at all, up to 0.37
		case "DOKKU_APP_RESTORE":
			moved[i].Value = map[bool]string{true: "false", false: "true"}[m.Value == "0"]
		case "DOKKU_CNB_EXPERIMENTAL":
			moved[i].Value = "pack"
		}
	}
	slices.SortFunc(moved, func(a, b Moved) int { return strings.Compare(a.Variable, b.Variable) })
	return moved
}

// OptionsOf are docker options from before 0.38 as it keeps them: what stays one, what is
// mounted, and the restart policy, "" where none is set.
func OptionsOf(options []string, phase string) (stay, mounts []string, policy string) {
	for _, option := range app.CanonicalOptions(options) {
		switch {
		case movesMount(option, phase):
			mounts = append(mounts, strings.TrimPrefix(option, "-v "))
		case policy == "" && movesPolicy(option, phase, app.NewestKnown):
			policy = strings.TrimPrefix(option, policyOption)
		default:
			stay = append(stay, option)
		}
	}
	return stay, mounts, policy
}
