// Package pattern is regular expressions that are compiled when they are asked for first.
// There are some hundred and fifty of them, a call of ours asks for a few, and Dokku waits
// for several calls in each deploy and each config:set.
package pattern

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression that is compiled once.
type Pattern func() *regexp.Regexp

// all are those there are, for the test that compiles each.
var all []Pattern

// Of is regexp.MustCompile for one that a package declares, and panics at its first use.
func Of(text string) Pattern {
	p := Pattern(sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) }))
	all = append(all, p)
	return p
}

// Compile compiles all of them.
func Compile() {
	for _, p := range all {
		p()
	}
}
