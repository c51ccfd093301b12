// Package plugin is what the repository as a whole has to say: its version.
package plugin

import (
	_ "embed"
	"regexp"
)

//go:embed plugin.toml
var toml []byte

var versionLine = regexp.MustCompile(`(?m)^version = "([^"]+)"`)

// Version is the plugin's version, from plugin.toml, which Dokku reads too.
func Version() string {
	if m := versionLine.FindSubmatch(toml); m != nil {
		return string(m[1])
	}
	return "unknown"
}
