package plugins

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/host"
)

// Facts are what is known of a host's plugins beside the state of its apps. Each
// is looked up when it is first asked for.
type Facts struct {
	// Installed are the enabled plugins that are not Dokku's.
	Installed func() []Plugin
	// Taken are the names in plugins/available that are somebody else's,
	// enabled or not.
	Taken func() []string
	// Enabled are the names of all enabled plugins, Dokku's own among them, and
	// Available those of all that may be.
	Enabled, Available func() map[string]bool
	// Stray are the triggers in core-plugins that are not the package's.
	Stray func() []string
	// Dangling are the links below DOKKU_LIB_ROOT, outside of plugins, that
	// point nowhere, and whether all were looked at.
	Dangling func() (links []string, all bool)
}

// Taken are the plugins in plugins/available that are not links to core's.
func Taken(h host.Host) []string {
	dir := filepath.Join(h.Paths().PluginPath, "available")
	entries, err := h.ReadDir(dir)
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		if !isCore(h, e.Name()) {
			found = append(found, e.Name())
		}
	}
	return found
}

// Names are the plugins in a directory of PLUGIN_PATH: enabled, available. A link that
// leads nowhere is none.
func Names(h host.Host, directory string) map[string]bool {
	names := map[string]bool{}
	dir := filepath.Join(h.Paths().PluginPath, directory)
	entries, _ := h.ReadDir(dir)
	for _, e := range entries {
		if st, err := h.Stat(filepath.Join(dir, e.Name())); err == nil && st.IsDir() {
			names[e.Name()] = true
		}
	}
	return names
}

// Stray are the triggers of core's plugins that are not in Dokku's package, by
// path: dpkg leaves a file behind that it does not know, and plugn goes on running
// it. Where Dokku is not installed from a package there is nothing to compare.
func Stray(ctx context.Context, h host.Host) []string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	version, err := h.Run(ctx, "dpkg-query", "--show", "--showformat", "${Status} ${Version}", "dokku")
	if err != nil || strings.TrimSpace(string(version)) != "install ok installed "+host.DokkuVersion(h) {
		return nil
	}
	list, err := h.Run(ctx, "dpkg-query", "--listfiles", "dokku")
	if err != nil {
		return nil
	}
	owned := map[string]bool{}
	for _, name := range strings.Split(string(list), "\n") {
		owned[name] = true
	}
	available := filepath.Join(h.Paths().LibRoot, "core-plugins", "available")
	plugins, err := h.ReadDir(available)
	if err != nil {
		return nil
	}
	var found []string
	for _, p := range plugins {
		files, err := h.ReadDir(filepath.Join(available, p.Name()))
		if err != nil {
			continue
		}
		for _, f := range files {
			name := filepath.Join(available, p.Name(), f.Name())
			st, err := h.Stat(name)
			if err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 && !owned[name] {
				found = append(found, name)
			}
		}
	}
	return found
}

// A host's data may be somebody's millions of files.
const maxEntries = 50_000

// Dangling are the links below a directory that point nowhere, and whether all were
// looked at. Directories that cannot be read are passed over, and links are not
// followed.
func Dangling(h host.Host) (found []string, all bool) {
	root := h.Paths().LibRoot
	all = true
	dirs, seen := []string{root}, 0
	for len(dirs) > 0 {
		if seen > maxEntries {
			return found, false
		}
		dir := dirs[0]
		dirs = dirs[1:]
		entries, err := h.ReadDir(dir)
		if err != nil {
			all = all && !errors.Is(err, host.ErrTooLarge)
			continue
		}
		seen += len(entries)
		for _, e := range entries {
			name := filepath.Join(dir, e.Name())
			switch {
			case e.IsDir() && !slices.Contains([]string{"plugins", "core-plugins"}, strings.TrimPrefix(name, root+"/")):
				dirs = append(dirs, name)
			case e.Type()&fs.ModeSymlink != 0:
				if _, err := h.Stat(name); errors.Is(err, fs.ErrNotExist) {
					found = append(found, name)
				}
			}
		}
	}
	return found, all
}
