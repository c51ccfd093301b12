// Package plugins knows the plugins on a host that are not Dokku's own, and
// which of them need something that a version of Dokku has removed. It reads
// their files and runs nothing.
package plugins

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
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

	uses  []Use
	hooks []string // executable files at its top: triggers, mostly
}

// How much of the plugins is looked at: many times what the largest have, and no more
// than there is time for while apt waits. What is not looked at is said.
const (
	// Scripts are small. What is larger is a program, or data.
	maxScript = 256 << 10
	// A plugin with more files than this carries somebody's data along.
	maxFiles   = 2000
	maxDepth   = 20
	maxScripts = 2 << 20 // bytes in all scripts of a plugin
	readTime   = 5 * time.Second
)

// reading is a plugin that is being read.
type reading struct {
	Plugin
	scripts map[string]*script // by path below the plugin's directory
	others  map[string]bool    // files that are a script only where a script sources them
	files   int
	bytes   int
	until   time.Time
	left    string // why not all was looked at
}

// late tells that there is no time left.
func (p *reading) late() bool {
	if time.Now().After(p.until) {
		p.left = fmt.Sprintf("it took more than %s", readTime)
		return true
	}
	return false
}

// Read reads the enabled plugins. One that cannot be read, or not whole, is in the
// error, and does not keep the others from being read.
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
	until := time.Now().Add(readTime)
	for _, e := range entries {
		name := e.Name()
		if name == host.Plugin || isCore(h, name) {
			continue
		}
		if st, err := h.Stat(filepath.Join(enabled, name)); err != nil || !st.IsDir() {
			continue // plugn runs nothing of it either
		}
		p, err := read(h, name, filepath.Join(enabled, name), until)
		if err != nil {
			errs = multierror.Append(errs, err)
			continue
		}
		if p.left != "" {
			errs = multierror.Append(errs, fmt.Errorf("what the plugin %s uses of Dokku was not looked at whole: %s", name, p.left))
		}
		found = append(found, p.Plugin)
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

// read reads one plugin's scripts, and what they use.
func read(h host.Host, name, dir string, until time.Time) (*reading, error) {
	p := &reading{Plugin: Plugin{Name: name}, scripts: map[string]*script{}, others: map[string]bool{}, until: until}
	if b, err := h.ReadFile(filepath.Join(dir, "plugin.toml")); err == nil {
		if m := tomlVersion().FindSubmatch(b); m != nil && len(m[1]) <= 100 {
			p.Version = string(m[1])
		}
	}
	if head, err := h.ReadFile(filepath.Join(dir, ".git", "HEAD")); err == nil {
		p.Git = true
		if !bytes.HasPrefix(head, []byte("ref: ")) { // what plugn calls pinned
			p.Pinned = "a commit"
			if b, err := h.ReadFile(filepath.Join(dir, ".plugin_committish")); err == nil {
				p.Pinned, _, _ = strings.Cut(strings.TrimSpace(string(b[:min(len(b), 200)])), "\n")
			}
		}
	}
	if err := p.walk(h, dir, "", 0); err != nil {
		return p, err
	}
	// What has no interpreter named is a script where a script sources it.
	for todo := slices.Collect(maps.Keys(p.scripts)); len(todo) > 0; todo = todo[1:] {
		for _, to := range p.scripts[todo[0]].own {
			if !p.others[to] || p.scripts[to] != nil || p.late() {
				continue
			}
			if err := p.script(h, dir, to); err != nil {
				return p, err
			}
			if p.scripts[to] != nil {
				todo = append(todo, to)
			}
		}
	}
	p.findUses()
	return p, nil
}

var tomlVersion = pattern.Of(`(?m)^\s*version\s*=\s*["']([^"']+)["']`)

// walk looks for scripts below a directory; the other files are kept for what may
// source them. Links are not followed, except at the top, where they are triggers.
func (p *reading) walk(h host.Host, dir, below string, depth int) error {
	entries, err := h.ReadDir(filepath.Join(dir, below))
	if err != nil {
		return err
	}
	if depth > maxDepth {
		p.left = fmt.Sprintf("its directories stand more than %d deep in one another", maxDepth)
		return nil
	}
	for _, e := range entries {
		path := filepath.Join(below, e.Name())
		full := filepath.Join(dir, path)
		if p.files++; p.files > maxFiles {
			p.left = fmt.Sprintf("it has more than %d files", maxFiles)
			return nil
		}
		switch {
		case e.IsDir():
			if e.Name() == ".git" || e.Name() == "node_modules" || e.Name() == "vendor" || e.Name() == "tests" {
				continue
			}
			if err := p.walk(h, dir, path, depth+1); err != nil {
				return err
			}
			continue
		case below == "":
			if st, err := h.Stat(full); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				p.hooks = append(p.hooks, e.Name())
			}
		}
		st, err := h.Lstat(full)
		if err != nil || !st.Mode().IsRegular() || st.Size() > maxScript {
			continue
		}
		if p.late() {
			return nil
		}
		begins, err := beginning(h, full)
		switch {
		case err != nil:
			return err
		case !shebang().Match(begins):
			p.others[path] = true
		default:
			if err := p.script(h, dir, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// beginning is where a script says by what it is to be run.
func beginning(h host.Host, name string) ([]byte, error) {
	f, err := h.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, 200)
	n, err := io.ReadFull(f, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return b[:n], err
}

// script reads one script, unless it is none.
func (p *reading) script(h host.Host, dir, path string) error {
	b, err := h.ReadFile(filepath.Join(dir, path))
	switch {
	case err != nil:
		return err
	case bytes.IndexByte(b, 0) >= 0 || len(b) > maxScript:
		return nil
	}
	if p.bytes += len(b); p.bytes > maxScripts {
		p.left = fmt.Sprintf("its scripts are larger than %d MiB together", maxScripts>>20)
		return nil
	}
	s := parse(string(b))
	s.own = s.sourcesOwn(p.Name, path)
	p.scripts[path] = s
	return nil
}

var shebang = pattern.Of(`^#!.*\b(ba|da|k|z)?sh\b`)

// Hook tells whether the plugin has a trigger of this name.
func (p Plugin) Hook(name string) bool { return slices.Contains(p.hooks, name) }

// Title is what the plugin is called before a person.
func (p Plugin) Title() string {
	if p.Version == "" {
		return p.Name
	}
	return p.Name + " " + p.Version
}
