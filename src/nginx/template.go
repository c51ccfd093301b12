package nginx

import "regexp"

// Template reads an app's own template (nginx.conf.sigil) as the configuration that comes
// of it when all of its conditions hold. What stands for one of Dokku's variables,
// {{ $.NAME }}, is the word $.NAME; sigil's other actions are taken out.
func Template(text string) ([]Directive, error) {
	text = templateVariable.ReplaceAllString(text, "$$.$1")
	return Parse(templateAction.ReplaceAllString(text, " "))
}

var (
	templateVariable = regexp.MustCompile(`\{\{-?\s*\$?\.([A-Za-z0-9_]+)\s*-?\}\}`)
	templateAction   = regexp.MustCompile(`\{\{[^}]*\}\}`)
)
