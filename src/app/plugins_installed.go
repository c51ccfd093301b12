package app

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// installedFacts is which plugins of others were enabled when the files were captured.
const installedFacts = "facts/plugins"

// Installed is an enabled plugin that is not a part of Dokku, nor this one.
type Installed struct {
	Name string `json:"name"`
	// Commit is what git has checked out of it, "" where it is of no repository.
	Commit string `json:"commit,omitempty"`
	// Version is what its plugin.toml says, "" for nothing.
	Version string `json:"version,omitempty"`
}

// installed captures them. It reads git's own files: git itself refuses a repository of
// another user's, and the time is apt's.
func (c *capture) installed() {
	plugins := filepath.Join(c.p.PluginPath, "available")
	entries, err := c.h.ReadDir(plugins)
	if err != nil {
		return // what is not there says nothing
	}
	found := []Installed{}
	for _, e := range entries {
		name, dir := e.Name(), filepath.Join(plugins, e.Name())
		if to, err := c.h.Readlink(dir); err == nil && filepath.Dir(filepath.Clean(to)) == filepath.Join(c.p.LibRoot, "core-plugins", "available") {
			continue
		}
		if st, err := c.h.Stat(filepath.Join(c.p.PluginPath, "enabled", name)); name == host.Plugin || err != nil || !st.IsDir() {
			continue
		}
		p := Installed{Name: name, Commit: c.checkedOut(filepath.Join(dir, ".git"))}
		if b, err := c.h.ReadFile(filepath.Join(dir, "plugin.toml")); err == nil {
			if m := tomlVersion().FindSubmatch(b); m != nil {
				p.Version = string(m[1])
			}
		}
		found = append(found, p)
	}
	b, err := json.Marshal(found)
	c.fact(installedFacts, b, err)
}

var (
	tomlVersion = pattern.Of(`(?m)^\s*version\s*=\s*["']([^"'\n]{1,100})["']`)
	commitID    = pattern.Of(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
	branchRef   = pattern.Of(`^refs/heads/[A-Za-z0-9._/-]+$`)
)

// checkedOut is the commit that a repository's HEAD stands for, "" where it is not known.
func (c *capture) checkedOut(git string) string {
	read := func(name string) string {
		b, _ := c.h.ReadFile(filepath.Join(git, name))
		return strings.TrimSpace(string(b))
	}
	commit := read("HEAD")
	if ref, ok := strings.CutPrefix(commit, "ref: "); ok {
		if !branchRef().MatchString(ref) || strings.Contains(ref, "..") {
			return ""
		}
		if commit = read(ref); commit == "" {
			for line := range strings.Lines(read("packed-refs")) {
				if id, name, _ := strings.Cut(strings.TrimSpace(line), " "); name == ref {
					commit = id
				}
			}
		}
	}
	if !commitID().MatchString(commit) {
		return ""
	}
	return commit
}

// Installed are the plugins that were enabled, and whether that is known: snapshots of older
// releases do not say it.
func (f *Files) Installed() (plugins []Installed, known bool) {
	text, there := f.Text(installedFacts)
	return plugins, there && json.Unmarshal([]byte(text), &plugins) == nil
}
