package rename

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// dataDirs are the directories below data that hold one for each app. nginx-vhosts
// calls it app-<app>.
var dataDirs = []string{
	"app-json", "apps", "builder-railpack", "builds", "cron", "git", "letsencrypt", "logs", "nginx-vhosts", "ps", "scheduler-docker-local", "scheduler-k3s",
}

// notOurs are directories below data that are never copied or moved: storage stays
// where it is, and the mounts go on pointing there.
var notOurs = []string{"storage", host.Plugin}

// Part is one directory that belongs to an app.
type Part struct {
	Old string `json:"old"` // "" where the old app has none
	New string `json:"new"`
	// Known tells that it is keyed by app, so that it goes with the old app.
	Known bool `json:"known,omitempty"`
	// Orphan tells that there was something in its place, left by an app that
	// does not exist any more: Dokku forgets some at apps:destroy.
	Orphan bool `json:"orphan,omitempty"`
}

// partsOf are the directories of an app, beside its own in DOKKU_ROOT. What is in
// the way of the new app and may be somebody's is told. What is mounted is storage, by
// whatever name: it stays, and the mounts go on pointing there.
func partsOf(h host.Host, from, to string, mounts []string) (parts []Part, inTheWay []string, err error) {
	lib := h.Paths().LibRoot
	exists := func(dir string) bool {
		st, err := h.Lstat(dir)
		return err == nil && st.IsDir()
	}
	add := func(base, old, new string, known bool) {
		p := Part{Old: filepath.Join(base, old), New: filepath.Join(base, new), Known: known}
		there := exists(p.New)
		switch {
		case !exists(p.Old) && !(known && there):
			return
		case !exists(p.Old):
			p.Old = ""
		case !known && (among(mounts, p.Old) || slices.Contains(mounts, base)):
			return
		case there && !known:
			inTheWay = append(inTheWay, p.New)
			return
		}
		p.Orphan = there
		parts = append(parts, p)
	}
	for _, top := range []string{"config", "data"} {
		dirs, err := h.ReadDir(filepath.Join(lib, top))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		for _, d := range dirs {
			base := filepath.Join(lib, top, d.Name())
			switch {
			case !d.IsDir() && d.Type()&fs.ModeSymlink == 0:
			case exists(filepath.Join(lib, "services", d.Name())):
				// A service plugin's: it is keyed by service, and a service may
				// bear the app's name.
			case top == "config" && d.Name() == from:
				// 0.38 keeps an app's ENV beside the namespaces.
				add(filepath.Join(lib, top), from, to, true)
			case top == "config" && d.Name() != to:
				add(base, from, to, slices.Contains(app.Namespaces, d.Name()))
			case top == "data" && !slices.Contains(notOurs, d.Name()):
				known := slices.Contains(dataDirs, d.Name())
				add(base, from, to, known)
				add(base, "app-"+from, "app-"+to, known)
			}
		}
	}
	if pages := h.Paths().Pages; pages != "" {
		add(pages, from, to, true)
	}
	return parts, inTheWay, nil
}

// ownFiles are the files in an app's directory that say where its containers are
// or are made anew by a deploy. Caches are not carried over either.
var ownFiles = pattern.Of(`^((CONTAINER|IP|PORT)(\..+)?|nginx\.conf|URLS|VHOST|\.deploy\.lock|\.?cache|nginx\.conf\.d/letsencrypt\.conf)$`)

// carried is how an app's directory is copied.
func carried(more func(rel string) bool) host.Copy {
	return host.Copy{
		Skip: func(rel string) bool { return ownFiles().MatchString(rel) || more != nil && more(rel) },
		// git writes its objects once and never in place.
		HardLink: func(rel string) bool { return strings.HasPrefix(rel, "objects/") },
	}
}

// walk calls visit for all files and directories below dir, git's objects left
// out. A directory that is missing has none.
func walk(h host.Host, dir string, visit func(rel string, e fs.DirEntry) error) error {
	var below func(rel string) error
	below = func(rel string) error {
		entries, err := h.ReadDir(filepath.Join(dir, rel))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			r := filepath.Join(rel, e.Name())
			if r == "objects" {
				continue
			}
			if err := visit(r, e); err != nil {
				return err
			}
			if e.IsDir() {
				if err := below(r); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return below("")
}

// sizeOf is how many bytes a copy of a directory takes.
func sizeOf(h host.Host, dir string, skip func(rel string) bool) (uint64, error) {
	var size uint64
	err := walk(h, dir, func(rel string, e fs.DirEntry) error {
		if skip != nil && (skip(rel) || slices.ContainsFunc(parents(rel), skip)) {
			return nil
		}
		if st, err := e.Info(); err == nil {
			size += uint64(st.Size()) + 4096
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("%s cannot be read: %w", dir, err)
	}
	return size, nil
}

// IsNamespace tells whether a directory of properties bears this name, or may: on
// 0.38 and later, destroying or renaming an app of that name removes the properties
// of all apps in it (docs/dokku-versions.md#a-name-that-is-a-plugins).
func IsNamespace(h host.Host, name string) bool {
	if slices.Contains(app.Namespaces, name) {
		return true
	}
	if _, err := h.Stat(filepath.Join(h.Paths().PluginPath, "enabled", name)); err == nil {
		return true
	}
	entries, err := h.ReadDir(filepath.Join(h.Paths().LibRoot, "config", name))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.IsDir() })
}

// keptAs is the name under which a part is kept.
func keptAs(h host.Host, dir string) string {
	rel, err := filepath.Rel(h.Paths().LibRoot, dir)
	if err != nil || !filepath.IsLocal(rel) {
		return filepath.Join("pages", filepath.Base(dir))
	}
	return rel
}

// skipLock leaves Dokku's deploy lock out, which is ours for the moment.
func skipLock(rel string) bool { return rel == ".deploy.lock" }

// appJSON is where Dokku keeps the app.json that names the old app's cron tasks.
func (r *Rename) appJSON() string {
	return filepath.Join(r.Host.Paths().LibRoot, "data", "app-json", r.From, "app.json")
}
