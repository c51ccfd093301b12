package guard

import (
	"slices"
	"strconv"

	"upgrade-guard/src/host"
)

// property is one of the guard's own: what it is where it is not set, whether an app may
// have a value of its own, and what a value must be.
type property struct {
	name, def string
	ofApps    bool
	valid     func(string) bool
	hint      string
}

var properties = []property{
	{"auto-apply", "true", false, trueOrFalse, "It is true or false: whether losses are put back as soon as an upgrade is through."},
	{"auto-rename", "true", true, trueOrFalse, "It is true or false: whether apps whose names the installed Dokku would not create are renamed."},
	{"keep-old-domains", "true", true, trueOrFalse, "It is true or false: whether a renamed app goes on answering to its old default domain."},
	{"probe", "true", true, trueOrFalse, "It is true or false: whether apps are asked, on this machine, if they answer."},
	{"retain", "10", false, func(v string) bool {
		n, err := strconv.Atoi(v)
		return err == nil && n >= 1 && n <= 1000 && strconv.Itoa(n) == v
	}, "It is a number from 1 to 1000: how many automatic snapshots are kept."},
}

func trueOrFalse(v string) bool { return v == "true" || v == "false" }

// PropertyNames are the guard's properties.
func PropertyNames() []string {
	var names []string
	for _, p := range properties {
		names = append(names, p.name)
	}
	return names
}

func propertyOf(name string) (property, bool) {
	if i := slices.IndexFunc(properties, func(p property) bool { return p.name == name }); i >= 0 {
		return properties[i], true
	}
	return property{}, false
}

// Setting is how one of the guard's properties stands, as Dokku's own reports tell it:
// what is set for the app, what is set for the host, and what comes of both.
type Setting struct {
	App      string `json:"app,omitempty"`
	Global   string `json:"global,omitempty"`
	Computed string `json:"computed"`
}

// setting is a property of an app, or of the host.
func (g *Guard) setting(scope, name string) Setting {
	p, _ := propertyOf(name)
	s := Setting{Global: g.Host.Property(host.GlobalScope, name)}
	if scope != host.GlobalScope && p.ofApps {
		s.App = g.Host.Property(scope, name)
	}
	for _, v := range []string{s.App, s.Global, p.def} {
		if s.Computed == "" {
			s.Computed = v
		}
	}
	return s
}

// Settings are all properties of an app, or of the host, by their names.
func (g *Guard) Settings(scope string) map[string]Setting {
	all := map[string]Setting{}
	for _, p := range properties {
		all[p.name] = g.setting(scope, p.name)
	}
	return all
}

// autoApply tells that what can be prevented and repaired is, without being asked.
func (g *Guard) autoApply() bool { return g.setting(host.GlobalScope, "auto-apply").Computed == "true" }

// is tells whether a property of an app that is true or false is true.
func (g *Guard) is(property, name string) bool { return g.setting(name, property).Computed == "true" }
