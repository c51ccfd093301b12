// Package plugins knows the plugins on a host that are not Dokku's own, and
// which of them need something that a version of Dokku has removed. It reads
// their files and runs nothing.
package plugins

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"upgrade-guard/src/host"
)

// Plugin is an enabled plugin that is not a part of Dokku, nor this one.
type Plugin struct {
	Name string
	// Version is what its plugin.toml says, "" for nothing. Some plugins forget
	// to change it.
	Version string
	// Git tells that plugin:update can update it, Pinned that it will not, and
	// what to.
	Git    bool
	Pinned string

	scripts map[string]*script // by path below the plugin's directory
	hooks   []string           // executable files at its top: triggers, mostly
}

const (
	// Scripts are small. What is larger is a program, or data.
	maxScript = 256 << 10
	// A plugin with more files than this carries somebody's data along.
	maxFiles = 2000
)

// Read reads the enabled plugins. One that cannot be read is in the error, and
// does not keep the others from being read.
func Read(h host.Host) ([]Plugin, error) {
	enabled := filepath.Join(h.Paths().PluginPath, "enabled")
	entries, err := h.ReadDir(enabled)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []Plugin
	var errs *multierror.Error
	for _, e := range entries {
		name := e.Name()
		if name == host.Plugin || isCore(h, name) {
			continue
		}
		if st, err := h.Stat(filepath.Join(enabled, name)); err != nil || !st.IsDir() {
			continue // plugn runs nothing of it either
		}
		p, err := read(h, name, filepath.Join(enabled, name))
		if err != nil {
			errs = multierror.Append(errs, err)
			continue
		}
		found = append(found, p)
	}
	return found, errs.ErrorOrNil()
}

// Hooks are the files that answer a trigger in the enabled plugins that are neither
// Dokku's own nor ours, in the order in which plugn calls them.
func Hooks(h host.Host, trigger string) ([]string, error) {
	enabled := filepath.Join(h.Paths().PluginPath, "enabled")
	entries, err := h.ReadDir(enabled)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		name := filepath.Join(enabled, e.Name(), trigger)
		if e.Name() == host.Plugin || isCore(h, e.Name()) {
			continue
		}
		if st, err := h.Stat(name); err == nil && st.Mode()&0o111 != 0 {
			found = append(found, name)
		}
	}
	return found, nil
}

// isCore tells whether a plugin is a part of Dokku: plugins/available has a link
// to core-plugins/available for it. Where a plugin of somebody else has taken the
// name, it has a directory.
func isCore(h host.Host, name string) bool {
	core := filepath.Join(h.Paths().LibRoot, "core-plugins", "available")
	for _, dir := range []string{"enabled", "available"} {
		to, err := h.Readlink(filepath.Join(h.Paths().PluginPath, dir, name))
		if err == nil && filepath.Dir(filepath.Clean(to)) == core {
			return true
		}
	}
	return false
}

// read reads one plugin's scripts.
func read(h host.Host, name, dir string) (Plugin, error) {
	p := Plugin{Name: name, scripts: map[string]*script{}}
	if b, err := h.ReadFile(filepath.Join(dir, "plugin.toml")); err == nil {
		if m := tomlVersion.FindSubmatch(b); m != nil {
			p.Version = string(m[1])
		}
	}
	if head, err := h.ReadFile(filepath.Join(dir, ".git", "HEAD")); err == nil {
		p.Git = true
		if !bytes.HasPrefix(head, []byte("ref: ")) { // what plugn calls pinned
			p.Pinned = "a commit"
			if b, err := h.ReadFile(filepath.Join(dir, ".plugin_committish")); err == nil {
				p.Pinned = strings.TrimSpace(string(b))
			}
		}
	}
	sources := map[string]string{}
	if err := p.walk(h, dir, "", sources); err != nil {
		return p, err
	}
	// What has no interpreter named is a script where a script sources it.
	for again := true; again; {
		again = false
		for path, s := range p.scripts {
			for _, to := range s.own(p.Name, path) {
				if text, ok := sources[to]; ok && p.scripts[to] == nil {
					p.scripts[to], again = parse(text), true
				}
			}
		}
	}
	return p, nil
}

var tomlVersion = regexp.MustCompile(`(?m)^\s*version\s*=\s*["']([^"']+)["']`)

// walk reads the text files below a directory: scripts are parsed, the others
// kept for what may source them. Links are not followed, except at the top, where
// they are triggers.
func (p *Plugin) walk(h host.Host, dir, below string, others map[string]string) error {
	entries, err := h.ReadDir(filepath.Join(dir, below))
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(below, e.Name())
		full := filepath.Join(dir, path)
		switch {
		case e.IsDir():
			if e.Name() == ".git" || e.Name() == "node_modules" || e.Name() == "vendor" || e.Name() == "tests" {
				continue
			}
			if err := p.walk(h, dir, path, others); err != nil {
				return err
			}
			continue
		case below == "":
			if st, err := h.Stat(full); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				p.hooks = append(p.hooks, e.Name())
			}
		}
		st, err := h.Lstat(full)
		if err != nil || !st.Mode().IsRegular() || st.Size() > maxScript || len(p.scripts)+len(others) >= maxFiles {
			continue
		}
		b, err := h.ReadFile(full)
		if err != nil {
			return err
		}
		switch text := string(b); {
		case strings.ContainsRune(text, 0):
		case shebang.MatchString(text):
			p.scripts[path] = parse(text)
		default:
			others[path] = text
		}
	}
	return nil
}

var shebang = regexp.MustCompile(`^#!.*\b(ba|da|k|z)?sh\b`)

// Hook tells whether the plugin has a trigger of this name.
func (p Plugin) Hook(name string) bool { return slices.Contains(p.hooks, name) }

// Title is what the plugin is called before a person.
func (p Plugin) Title() string {
	if p.Version == "" {
		return p.Name
	}
	return p.Name + " " + p.Version
}
