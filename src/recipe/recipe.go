// Package recipe is what an app is, and the host that it is on, as a list of settings with
// the commands that make them; and that list as a recipe: for docket, for Ansible, or for a
// shell. It reads what was captured, and writes nothing but text.
//
// The commands are those of the newest Dokku that this release knows, whichever version the
// settings were captured on: a recipe is for a host that is to be.
package recipe

import (
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// Target is the Dokku whose commands are in a recipe.
const Target = app.NewestKnown

// Kind is what sort of thing an item is.
type Kind string

// The kinds.
const (
	App           Kind = "app"
	Network       Kind = "network"
	Entry         Kind = "storage entry"
	Variable      Kind = "variable"
	Property      Kind = "property"
	Buildpacks    Kind = "buildpacks"
	DockerOption  Kind = "docker option"
	Mounted       Kind = "mount"
	Limits        Kind = "resource limits"
	Reservations  Kind = "resource reservations"
	ChecksOff     Kind = "checks disabled"
	ChecksSkipped Kind = "checks skipped"
	Scale         Kind = "scale"
	ProxyOff      Kind = "proxy disabled"
	Domains       Kind = "domains"
	DomainsNone   Kind = "no domains"
	DomainsOff    Kind = "domains disabled"
	Ports         Kind = "ports"
	Certificate   Kind = "certificate"
	Stopped       Kind = "stopped"
	File          Kind = "file"
	Note          Kind = "note" // for a person: nothing makes it
)

// Text is a word of a command, or a value: what is plain, and behind it a secret by the
// name under which the variables have it.
type Text struct{ Plain, Secret string }

// Item is one thing that an app is made of, or the host.
type Item struct {
	Scope string // the app, or host.GlobalScope
	Kind  Kind
	// Name says which of its kind it is: a variable, a property, a network, the phase of a
	// docker option, a file's path. Of is what that is of: a property's namespace, the
	// process type of a docker option or a limit.
	Name, Of string
	Values   []Text
	Mount    Mount
	// For are the apps that something of the host's is for; none where it is for itself.
	For []string
	// Commands make it, words behind dokku; none where no command does. Input is what the
	// first of them reads from its standard input: a certificate and its key.
	Commands [][]Text
	Input    []Text
	// Unless is a command that succeeds where it is there, of what cannot be made twice. With
	// a Line it has to print that, too.
	Unless []Text
	Line   string
	// Shows is a command that prints the value that a property has.
	Shows []Text
	// Why is a sentence for a person.
	Why string
}

// Recipe is all that is known of a host, in the order in which it is made: what belongs to
// no app first.
type Recipe struct {
	Items []Item
	// Secrets are the values that stand in no recipe, by the names that stand there.
	Secrets map[string]string
}

// Of makes the list from what was captured. The names of the secrets go by all of the apps
// in it, so that they are the same whichever of them are wanted.
func Of(f *app.Files) Recipe {
	now := app.Read(f)
	l := &list{files: f, now: now, names: map[string]bool{}, Recipe: Recipe{Secrets: map[string]string{}}, propertyFiles: map[string][]app.File{}}
	for _, file := range f.Under("lib/config/") { // of each scope, which asks all namespaces, it would be the square
		if parts := strings.Split(file.Path, "/"); len(parts) == 5 && parts[4] != "" {
			l.propertyFiles[parts[3]] = append(l.propertyFiles[parts[3]], file)
		}
	}
	l.host()
	for _, name := range f.Apps {
		l.app(now.Apps[name])
	}
	l.shared()
	return l.Recipe
}

// Only is a recipe of some apps, with what they need of the host; of the host itself too
// where its scope is among them. Of no names it is all.
func (r Recipe) Only(names []string) Recipe {
	if len(names) == 0 {
		return r
	}
	only := Recipe{Secrets: map[string]string{}}
	for _, i := range r.Items {
		if !slices.Contains(names, i.Scope) && !slices.ContainsFunc(i.For, func(a string) bool { return slices.Contains(names, a) }) {
			continue
		}
		only.Items = append(only.Items, i)
		for _, name := range i.secrets() {
			only.Secrets[name] = r.Secrets[name]
		}
	}
	return only
}

// secrets are the names of those in an item.
func (i Item) secrets() (names []string) {
	all := slices.Concat(i.Values, i.Input, slices.Concat(i.Commands...))
	for _, t := range all {
		if t.Secret != "" && !slices.Contains(names, t.Secret) {
			names = append(names, t.Secret)
		}
	}
	return names
}

// parts are the items of each scope, which stand together.
func (r Recipe) parts() (parts [][]Item) {
	for from, to := 0, 0; from < len(r.Items); from = to {
		for to = from; to < len(r.Items) && r.Items[to].Scope == r.Items[from].Scope; to++ {
		}
		parts = append(parts, r.Items[from:to])
	}
	return parts
}

// called is a scope in words.
func called(scope string) string {
	if scope == host.GlobalScope {
		return "the host"
	}
	return scope
}

// words are plain texts.
func words(list ...string) []Text {
	var out []Text
	for _, w := range list {
		out = append(out, Text{Plain: w})
	}
	return out
}

// plainOf are texts without a secret in them.
func plainOf(list []Text) (out []string) {
	for _, t := range list {
		out = append(out, t.Plain)
	}
	return out
}

// ValidNames are the files with apps under the nearest names that Dokku takes, where theirs
// are none and those are free; and how they are called now, by their names before.
func ValidNames(f *app.Files) (*app.Files, map[string]string) {
	names := map[string]string{}
	taken := slices.Clone(f.Apps)
	for _, name := range slices.Clone(f.Apps) {
		near := app.NearestName(name)
		if app.CreatesName(Target, name) || near == "" || slices.Contains(taken, near) {
			continue
		}
		names[name], taken = near, append(taken, near)
		partial := f.Partial
		f = f.Renamed(name, near)
		f.Partial = partial
	}
	slices.Sort(f.Apps)
	return f, names
}
