package app

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"upgrade-guard/src/host"
)

// walk is what one goroutine captures: an app, the properties of a namespace.
type walk struct {
	*capture
	files []File
	bytes int // of their content
}

// walk lets a goroutine capture something, and keeps what it has found.
func (c *capture) walk(of func(*walk)) {
	w := &walk{capture: c}
	of(w)
	c.keep(w)
}

func (c *capture) keep(w *walk) {
	if len(w.files) > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.parts = append(c.parts, w.files)
	}
}

// add is a walk that finds one file.
func (c *capture) add(f File) { c.walk(func(w *walk) { w.add(f) }) }

func (w *walk) add(f File) {
	if f.Size > 0 && w.capture.bytes.Add(int64(f.Size)) > maxBytes {
		f = File{Path: f.Path, Mode: f.Mode, Error: "the small files of this host are larger than 256 MiB together"}
	}
	w.bytes += f.Size
	w.files = append(w.files, f)
}

// app captures an app's directory and its small data files.
func (w *walk) app(d directory) {
	name, root, dir := d.name, "root/"+d.name, w.p.App(d.name)
	if notThere(d.err) {
		return // destroyed meanwhile
	}
	if d.err != nil {
		w.add(File{Path: root + "/", Error: reason(d.err)})
		return
	}
	w.files = make([]File, 0, 2*len(d.entries)) // about
	for _, e := range d.entries {
		logical, real := root+"/"+e.Name(), dir+"/"+e.Name()
		switch {
		case !Holds(logical):
			// hooks: git's, and code.
		case !e.IsDir() && appFiles().MatchString(e.Name()):
			w.file(logical, real, e)
		case !e.IsDir():
			w.foreign(logical, real, e)
		case slices.Contains([]string{"nginx.conf.d", "tls", "letsencrypt", "refs"}, e.Name()):
			w.tree(logical, real)
		case slices.Contains([]string{"objects", "info", "logs", "branches", "worktrees", "modules", "lfs", "cache", ".cache"}, e.Name()):
			// git's objects, build caches: not small, or not state.
		case appFiles().MatchString(e.Name()):
			w.add(File{Path: logical + "/", Error: leftOut + "not a directory of Dokku's"})
		default:
			w.mu.Lock()
			w.smalls = append(w.smalls, small{logical, real})
			w.mu.Unlock()
		}
	}
	w.linked(name)
	data := filepath.Join(w.p.LibRoot, "data")
	for _, dir := range []string{"ps/" + name, "app-json/" + name, "nginx-vhosts/app-" + name, "scheduler-docker-local/" + name} {
		w.tree("lib/data/"+dir, data+"/"+dir)
	}
	// Of those that are empty it counts that they are there.
	for _, dir := range []string{"apps/" + name, "ps/" + name, "app-json/" + name, "scheduler-k3s/" + name} {
		if st, err := w.h.Stat(data + "/" + dir); err == nil && st.IsDir() {
			w.add(File{Path: "lib/data/" + dir, Mode: fs.ModeDir | st.Mode().Perm()})
		}
	}
}

// properties captures the property tree and letsencrypt's markers.
func (c *capture) properties(only []string, beside func(of func(*walk))) error {
	config := filepath.Join(c.p.LibRoot, "config")
	namespaces, err := c.h.ReadDir(config)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the properties cannot be listed: %w", err)
	}
	ofPlugins := func(string) bool { return true }
	if c.some {
		ofPlugins = c.namespaceNames()
	}
	for _, ns := range namespaces {
		scopes := append([]string{host.GlobalScope}, only...)
		if !ofPlugins(ns.Name()) && !slices.Contains(scopes, ns.Name()) {
			// Most often where the environment of another app lies.
			scopes = slices.DeleteFunc(scopes, func(scope string) bool { return !c.isThere(config + "/" + ns.Name() + "/" + scope) })
			if len(scopes) == 0 {
				continue
			}
		}
		beside(func(w *walk) {
			logical, dir := "lib/config/"+ns.Name(), config+"/"+ns.Name()
			if len(only) == 0 || slices.Contains(only, ns.Name()) || ns.Name() == host.GlobalScope {
				w.namespace(logical, dir)
				return
			}
			for _, scope := range scopes {
				w.tree(logical+"/"+scope, dir+"/"+scope)
			}
		})
	}
	beside(func(w *walk) {
		letsencrypt := filepath.Join(c.p.LibRoot, "data/letsencrypt")
		w.file("lib/data/letsencrypt/autorenew", letsencrypt+"/autorenew", nil)
		w.tree("lib/data/letsencrypt/--global", letsencrypt+"/--global")
	})
	return nil
}

func (c *capture) isThere(name string) bool {
	_, err := c.h.Lstat(name)
	return !notThere(err)
}

// namespaceNames tells of a name whether a plugin may keep properties under it: one of
// Dokku's own, or one that is installed. Where those are not known, any may be one.
func (c *capture) namespaceNames() func(name string) bool {
	installed, err := c.h.ReadDir(c.p.PluginPath + "/available")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return func(string) bool { return true }
	}
	names := map[string]bool{}
	for _, p := range installed {
		names[p.Name()] = true
	}
	for _, name := range Namespaces {
		names[name] = true
	}
	return func(name string) bool { return names[name] }
}

// namespace captures the properties of all apps in a namespace.
func (w *walk) namespace(logical, dir string) {
	for _, e := range w.list(logical, dir) {
		l, d := logical+"/"+e.Name(), dir+"/"+e.Name()
		if e.IsDir() {
			w.tree(l, d)
			continue
		}
		w.file(l, d, e)
	}
}

// tree captures a directory.
func (w *walk) tree(logical, dir string) {
	files := 0
	var below func(logical, dir string, depth int)
	below = func(logical, dir string, depth int) {
		if depth > maxDepth {
			w.add(File{Path: logical + "/", Error: fmt.Sprintf("%sdirectories stand more than %d deep in one another", leftOut, maxDepth)})
			return
		}
		for _, e := range w.list(logical, dir) {
			if files++; files > maxTree {
				w.add(File{Path: logical + "/", Error: fmt.Sprintf("%sthere are more than %d files", leftOut, maxTree)})
				return
			}
			l, d := logical+"/"+e.Name(), dir+"/"+e.Name()
			if e.IsDir() {
				if e.Name() == "ENV" || strings.HasPrefix(l, "lib/config/") && strings.Count(l, "/") == 4 {
					// What is not read as a file is not "no such file".
					w.add(File{Path: l + "/", Error: leftOut + "a directory in the place of a file"})
				}
				below(l, d, depth+1)
				continue
			}
			w.file(l, d, e)
		}
	}
	below(logical, dir, 0)
}

// list is what stands in a directory. One that is missing is no error.
func (w *walk) list(logical, dir string) []fs.DirEntry {
	entries, err := w.h.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
		w.file(logical, dir, nil) // a file, or a link to itself, in the directory's place
	case errors.Is(err, host.ErrTooLarge):
		w.add(File{Path: logical + "/", Error: leftOut + reason(err)})
	case err != nil:
		w.add(File{Path: logical + "/", Error: reason(err)})
	}
	return entries
}

// file captures one file, a link as a link. One that is missing is no error:
// files come and go while apps are deployed. listed is what its directory says of it.
func (w *walk) file(logical, name string, listed fs.DirEntry) {
	if f, there := w.see(logical, name, listed, ""); there {
		w.add(f)
	}
}

// foreign captures a file that is not Dokku's. One that cannot be read is left out.
func (w *walk) foreign(logical, name string, listed fs.DirEntry) {
	if f, there := w.see(logical, name, listed, leftOut); there {
		w.add(f)
	}
}

// see is a file as it is captured. unread is what is said of one that cannot be read,
// before the reason.
func (w *walk) see(logical, name string, listed fs.DirEntry, unread string) (f File, there bool) {
	s, err := w.h.See(name, listed, MaxFile)
	f = File{Path: logical, Mode: s.Mode, Link: s.Link}
	switch {
	case notThere(err):
		return f, false // or removed since it was looked at
	case err != nil && s.Mode.IsRegular() && s.Mode != 0:
		f.Error = unread + reason(err)
	case err != nil:
		f.Error = reason(err)
	case s.Mode&fs.ModeSymlink != 0:
	case !s.Mode.IsRegular():
		f.Error = leftOut + "it is " + host.Kind(s.Mode)
	case s.Size > MaxFile:
		f.Error = leftOut + "larger than 1 MiB"
	default:
		c := w.alike.of(s.Data)
		f.Data, f.Size, f.SHA256 = c.data, len(c.data), c.digest
		if f.Size >= minAside && isAside(logical) {
			if f.aside = w.asides.set(w.h, s.Data); f.aside != nil {
				f.Data = nil
			}
		}
	}
	return f, true
}
