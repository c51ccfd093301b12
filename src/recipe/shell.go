package recipe

import (
	"maps"
	"path"
	"slices"
	"strings"

	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// inShell is a word for a POSIX shell, and for every reader of it: what is not bare is in
// single quotes.
func inShell(word string) string {
	if bare().MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

var bare = pattern.Of(`^[A-Za-z0-9_./:@%+,-][A-Za-z0-9_./:=@%+,-]*$`)

// forShell is a word with a secret behind what is plain of it.
func forShell(t Text) string {
	if t.Secret == "" {
		return inShell(t.Plain)
	}
	return strings.TrimSuffix(inShell(t.Plain), "''") + `"${` + t.Secret + `?}"`
}

func line(words []Text) string {
	text := "dokku"
	for _, w := range words {
		text += " " + forShell(w)
	}
	return text
}

const certsAdd = `# certs_add gives an app a certificate and its key.
certs_add() {
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	(umask 077 && printf %s "$2" >"$dir/server.crt" && printf %s "$3" >"$dir/server.key")
	tar -C "$dir" -cf - server.crt server.key | dokku certs:add "$1"
	rm -rf "$dir"
}`

// Shell is the recipe as a script for a POSIX shell, which can be run again.
func (r Recipe) Shell(about About) string {
	p := &page{}
	p.line("#!/bin/sh")
	use := "Run it as root on the host: sh FILE"
	if len(r.Secrets) > 0 {
		use += " VARS"
	}
	for _, l := range about.header(r, "a command", use) {
		p.comment("", l)
	}
	p.line("# shellcheck disable=SC2016 # what stands in single quotes is meant so\nset -eu")
	if r.shellUses() {
		p.line("\n[ $# -eq 1 ] || { echo \"usage: sh $0 VARS\" >&2; exit 1; }")
		p.line("case $1 in */*) vars=$1 ;; *) vars=./$1 ;; esac")
		p.line("# shellcheck source=/dev/null\n. \"$vars\"")
	}
	if slices.ContainsFunc(r.Items, func(i Item) bool { return i.Kind == Certificate }) {
		p.line("\n%s", certsAdd)
	}
	for _, items := range r.parts() {
		p.line("")
		p.comment("", called(items[0].Scope))
		for _, group := range r.grouped(items) {
			p.shell(group, about)
		}
	}
	return p.String()
}

// shellUses tells whether any command of it has a secret in it.
func (r Recipe) shellUses() bool {
	return slices.ContainsFunc(r.Items, func(i Item) bool { return len(i.Commands) > 0 && len(i.secrets()) > 0 })
}

func (p *page) shell(group []Item, about About) {
	i := group[0]
	switch {
	case i.Kind == Note:
		p.comment("", i.Why)
	case i.Kind == File:
		at := about.From
		if at == "now" {
			at = "latest"
		}
		p.comment("", "its "+i.title()+": "+i.Why+". On the old host: "+say.Command("dokku upgrade-guard:show", at, about.there(i.Name, i.Scope), "--raw"))
	case i.Kind == Certificate:
		p.comment("", "its certificate, "+i.Why)
		p.line("certs_add %s %s %s", inShell(i.Scope), forShell(i.Input[0]), forShell(i.Input[1]))
	case i.Kind == Variable:
		words := slices.Clone(i.Commands[0])
		for _, more := range group[1:] {
			words = append(words, more.Commands[0][len(more.Commands[0])-1])
		}
		p.line("%s", line(words))
	default:
		if i.Why != "" {
			p.comment("", i.Why)
		}
		for n, c := range i.Commands {
			switch {
			case n > 0 || i.Unless == nil:
				p.line("%s", line(c))
			case i.Line != "":
				p.line("%s | grep -qxF -e %s || %s", line(i.Unless), inShell(i.Line), line(c))
			default:
				p.line("%s >/dev/null 2>&1 || %s", line(i.Unless), line(c))
			}
		}
	}
}

// shellVars are the secrets as a shell reads them.
func (r Recipe) shellVars(p *page) {
	for _, name := range slices.Sorted(maps.Keys(r.Secrets)) {
		p.line("%s='%s'", name, strings.ReplaceAll(r.Secrets[name], "'", `'\''`))
	}
}

// realPath is where a file is on a host as Dokku is installed by default.
func realPath(logical string) string {
	if rest, ok := strings.CutPrefix(logical, "root/"); ok {
		return path.Join("/home", "dokku", rest)
	}
	return path.Join("/var/lib", "dokku", strings.TrimPrefix(logical, "lib/"))
}
