package recipe

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// About is where a recipe comes from, for its first lines.
type About struct {
	Guard string // the version of upgrade-guard
	From  string // the snapshot's id, or now
	Dokku string // the version that wrote it
	Again string // the command that has written it, without --vars
	// Was are the names that apps have there, by those that they have in the recipe.
	Was map[string]string
}

// Formats are what a recipe can be written for.
var Formats = []string{"shell", "docket", "ansible"}

// Write is the recipe in a format, or with vars the secrets in it.
func (r Recipe) Write(format string, vars bool, about About) (string, error) {
	if !slices.Contains(Formats, format) {
		return "", fmt.Errorf("there is no format %q", format)
	}
	if vars {
		return r.vars(format, about), nil
	}
	switch format {
	case "docket":
		return r.Docket(about), nil
	case "ansible":
		return r.Ansible(about), nil
	}
	return r.Shell(about), nil
}

// header are the lines at a recipe's top.
func (a About) header(r Recipe, format string, use ...string) []string {
	lines := []string{
		fmt.Sprintf("%s as %s (Dokku %s) has them, for Dokku %s.", a.what(r), a.From, a.Dokku, Target),
		"Written by upgrade-guard " + a.Guard + ": " + a.Again,
	}
	if len(r.Secrets) > 0 {
		lines = append(lines, "What may be a secret is in the variables: "+a.Again+" --vars > VARS. Keep that file closed.")
	}
	lines = append(lines, "Not in here: code, images, services and data, plugins, ssh keys. What "+format+" cannot make is a comment.")
	for _, name := range slices.Sorted(maps.Keys(a.Was)) {
		if slices.ContainsFunc(r.Items, func(i Item) bool { return i.Scope == name }) {
			lines = append(lines, name+" is "+a.Was[name]+" there.")
		}
	}
	return append(lines, use...)
}

// there is a file's path in the snapshot.
func (a About) there(path, scope string) string {
	if was := a.Was[scope]; was != "" {
		return strings.Replace(path, "/"+scope+"/", "/"+was+"/", 1)
	}
	return path
}

func (a About) what(r Recipe) string {
	apps := 0
	global := false
	for _, items := range r.parts() {
		if items[0].Scope == host.GlobalScope {
			global = true
		} else {
			apps++
		}
	}
	switch {
	case apps == 0 && global:
		return "The host's own settings"
	case global:
		return say.Plural(apps, "app") + " and what of the host is theirs,"
	}
	return say.Plural(apps, "app")
}

// vars are the secrets as each format reads them.
func (r Recipe) vars(format string, about About) string {
	p := &page{}
	p.comment("", "Secrets, for what this has written: "+about.Again)
	if format == "ansible" {
		p.comment("", "To encrypt it: ansible-vault encrypt FILE. To use it: ansible-playbook -e @FILE")
	}
	switch format {
	case "docket":
		r.docketVars(p)
	case "ansible":
		r.ansibleVars(p)
	default:
		r.shellVars(p)
	}
	if text := p.String(); strings.Contains(text, "\n"+"app_") || strings.Contains(text, "\nhost_") || format == "shell" {
		return text
	}
	return p.String() + "{}\n"
}
