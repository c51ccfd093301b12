package sandbox

import (
	"os"
	"os/exec"
	"strings"
)

// truthful is the host as truth asks it.
type truthful struct{ Host }

func (h truthful) Data() string { return h.path("var/lib/dokku/data/upgrade-guard") }
func (h truthful) Root() string { return h.path("home/dokku") }

func (h truthful) Served(domain, _ string) (string, error) { return h.Answers(domain) }

// Ask runs a command of the plugin beside the story: what it prints is nobody's.
func (h truthful) Ask(args ...string) string {
	cmd := exec.Command(h.path("var/lib/dokku/plugins/enabled/upgrade-guard/bin/upgrade-guard"), append([]string{"command", strings.TrimPrefix(args[0], "upgrade-guard:")}, args...)...)
	cmd.Env = os.Environ()
	out, _ := cmd.CombinedOutput()
	return string(out)
}
