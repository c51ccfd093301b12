package app

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
)

// pluginFact is where the version of the installed letsencrypt plugin is kept.
const pluginFact = "facts/letsencrypt-plugin"

// pluginMark is what tells releases of the letsencrypt plugin apart: a file that
// exists, and holds a text, from a release on. Its plugin.toml says 0.20.4 in
// every release from 0.20.4 to 0.25.0, and its git tags are there only where it
// was cloned whole (docs/letsencrypt.md#which-release-is-installed).
type pluginMark struct {
	from, to   string // the releases that have this mark and none further up
	file, text string
}

// pluginMarks begin with the newest. All tags of the repository, 0.9.0 to 0.25.1,
// were held to them.
var pluginMarks = []pluginMark{
	{"0.25.0", "", "internal-functions", "needs-issue"},
	{"0.24.0", "0.24.0", "internal-functions", "lego-docker-options"},
	{"0.23.1", "0.23.1", "internal-functions", "cert_timeout=30"},
	{"0.23.0", "0.23.0", "Dockerfile", "v4.29.0"},
	{"0.21.1", "0.22.0", "config", "_DIR="},
	{"0.21.0", "0.21.0", "Dockerfile", ""},
	{"0.20.4", "0.20.4", "cron-entries", "24 6 "},
	{"0.20.3", "0.20.3", "internal-functions", `-z "$acme_port" ]]; then`},
	{"0.20.2", "0.20.2", "internal-functions", "ports-get-available"},
	{"0.20.1", "0.20.1", "internal-functions", "fileSafeDomain"},
	{"0.20.0", "0.20.0", "subcommands/set", ""},
	{"0.19.0", "0.19.0", "functions", "http.webroot"},
	{"0.18.1", "0.18.1", "post-domains-update", "dokku_log_warn"},
	{"0.14.0", "0.18.0", "post-domains-update", ""},
	{"0.12.0", "0.13.0", "functions", "LETSENCRYPT_ARGS"},
	{"0.11.8", "0.11.9", "functions", "certificates/$domain.crt"},
	{"0.11.7", "0.11.7", "functions", "-f \"$DOKKU_ROOT/$app/tls/server.letsencrypt.crt"},
	{"0.11.6", "0.11.6", "functions", "server.letsencrypt.crt"},
	{"0.11.5", "0.11.5", "subcommands/enable", `tls/server.letsencrypt.crt" "$app_root/tls/server.crt`},
	{"0.11.0", "0.11.4", "post-app-rename-setup", ""},
	{"0.10.1", "0.10.1", "subcommands/auto-renew", "cmd-letsencrypt"},
	{"0.10.0", "0.10.0", "cron-entries", ""},
	{"0.9.4", "0.9.4", "functions", "domains/functions"},
	{"0.9.1", "0.9.3", "subcommands/default", "BASH_SOURCE[0]}\")/.."},
	{"0.1.0", "0.9.0", "commands", ""},
}

// LetsencryptPlugin is the installed letsencrypt plugin: the range of releases
// it is of. Its zero value stands for none, or for one that is disabled.
type LetsencryptPlugin struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"` // "" where newer ones may be no different
}

// Is tells whether there is one, and it is of this release or newer.
func (p LetsencryptPlugin) Is(release string) bool { return p.From != "" && !Before(p.From, release) }

// IsBefore tells whether there is one, and it is older than this release.
func (p LetsencryptPlugin) IsBefore(release string) bool {
	return p.From != "" && Before(p.From, release)
}

// String is its range in words.
func (p LetsencryptPlugin) String() string {
	switch {
	case p.From == "":
		return "none"
	case p.To == "":
		return p.From + " or later"
	case p.From == p.To:
		return p.From
	}
	return p.From + " to " + p.To
}

// letsencryptPlugin captures which release of the plugin is enabled.
func (c *capture) letsencryptPlugin() {
	dir := filepath.Join(c.p.LibRoot, "plugins/enabled/letsencrypt")
	if _, err := c.h.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return
	}
	content := map[string][]byte{} // nil for a file that is not there
	for _, m := range pluginMarks {
		if _, read := content[m.file]; read {
			continue
		}
		b, err := c.h.ReadFile(filepath.Join(dir, m.file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.add(File{Path: pluginFact, Error: leftOut + reason(err)})
			return
		}
		content[m.file] = b
	}
	for _, m := range pluginMarks {
		if b := content[m.file]; b != nil && bytes.Contains(b, []byte(m.text)) {
			c.fact(pluginFact, []byte(m.from), nil)
			return
		}
	}
}

// LetsencryptPlugin is the letsencrypt plugin that was enabled when the files were
// captured.
func (f *Files) LetsencryptPlugin() LetsencryptPlugin {
	from, _ := f.Text(pluginFact)
	for _, m := range pluginMarks {
		if m.from == from {
			return LetsencryptPlugin{m.from, m.to}
		}
	}
	return LetsencryptPlugin{}
}
