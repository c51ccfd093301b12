// Package hook holds the small files by which dokku, apt and dpkg call
// upgrade-guard, as they are put in place: see README beside them.
package hook

import (
	_ "embed"
	"path/filepath"
	"strings"

	"upgrade-guard/src/host"
)

//go:embed dokkurc
var dokkurc string

// Dokkurc is the file that every dokku command reads, and its content for this host.
func Dokkurc(p host.Paths) (path, content string) {
	return filepath.Join(p.DokkuRoot, ".dokkurc", host.Plugin), strings.NewReplacer("@ROOT@", p.DokkuRoot, "@LIB@", p.LibRoot, "@EVENTS@", p.Events,
		"@BIN@", filepath.Join(p.PluginPath, "enabled", host.Plugin, "bin", host.Plugin)).Replace(dokkurc)
}
