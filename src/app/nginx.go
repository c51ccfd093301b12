package app

import (
	"regexp"
	"slices"
	"strings"
)

var (
	serverNames = regexp.MustCompile(`(?m)^\s*server_name\s+([^;]*);`)
	listens     = regexp.MustCompile(`(?m)^\s*listen\s+(?:[^;\s]*:)?([0-9]+)[\s;]`)
)

// Serves tells whether an app's nginx.conf, as Dokku wrote it last, answers to
// its domains and listens on the host ports of its port map. https ports count
// only with a certificate, as they do for Dokku.
func (f *Files) Serves(s State) bool {
	conf, ok := f.Text("root/" + s.Name + "/nginx.conf")
	if !ok {
		return false
	}
	var names, ports []string
	for _, m := range serverNames.FindAllStringSubmatch(conf, -1) {
		names = append(names, strings.Fields(m[1])...)
	}
	for _, m := range listens.FindAllStringSubmatch(conf, -1) {
		ports = append(ports, m[1])
	}
	for _, d := range s.Domains.Effective() {
		if !slices.Contains(names, d) {
			return false
		}
	}
	for _, p := range s.Ports.Map {
		parts := strings.Split(p, ":")
		if len(parts) == 3 && !slices.Contains(ports, parts[1]) && (parts[0] != "https" || s.Certificate != nil) {
			return false
		}
	}
	return true
}
