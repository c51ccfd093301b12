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

//go:embed packages
var packages string

//go:embed after
var after string

//go:embed apt.conf
var aptConf string

//go:embed dpkg.cfg
var dpkgCfg string

// Root are the files that belong to root, by where they belong, with their
// content for this host.
func Root(p host.Paths) map[string]string {
	return map[string]string{
		"/usr/local/lib/upgrade-guard/packages": fill(packages, p),
		"/usr/local/lib/upgrade-guard/after":    fill(after, p),
		"/etc/apt/apt.conf.d/80upgrade-guard":   aptConf,
		"/etc/dpkg/dpkg.cfg.d/upgrade-guard":    dpkgCfg,
	}
}

// Dokkurc is the file that every dokku command reads, and its content.
func Dokkurc(p host.Paths) (path, content string) {
	return filepath.Join(p.DokkuRoot, ".dokkurc", host.Plugin), fill(dokkurc, p)
}

func fill(text string, p host.Paths) string {
	return strings.NewReplacer("@ROOT@", p.DokkuRoot, "@LIB@", p.LibRoot, "@USER@", p.User,
		"@BIN@", filepath.Join(p.PluginPath, "enabled", host.Plugin, "bin", host.Plugin)).Replace(text)
}
