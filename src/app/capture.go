package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// What says how much of a host is captured.
type What struct {
	// Apps are the only ones wanted; all of the host when empty.
	Apps []string
	// NoCommands leaves docker and cron alone, for where every second counts.
	NoCommands bool
	Entries    bool // all storage entries, not those alone that the apps' mounts name
	// Images fetches from the apps' containers what Dokku up to 0.30 takes from
	// their images whenever it needs it (FromImages).
	Images bool
	// Needs asks docker for what the apps' next containers are started with.
	Needs bool
	// Dokku is the version that wrote the state, where it is not the one on
	// the disk: between a package's unpacking and its installation.
	Dokku string
}

// Capture reads the small files of a host and asks docker and cron once. Files
// that cannot be read are in the result with their error; Capture itself fails
// only when the host's own directories cannot be listed.
//
// Where an app was renamed, created or destroyed meanwhile it reads once more: half an
// app is nothing to go by, and one that is gone is no app that cannot be read.
func Capture(ctx context.Context, h host.Host, what What) (*Files, error) {
	before, err := listed(h, what.Apps)
	if err != nil {
		return nil, fmt.Errorf("the apps cannot be listed: %w", err)
	}
	files, err := captureOnce(ctx, h, what, before)
	now, listErr := listed(h, what.Apps)
	same := slices.EqualFunc(before, now, func(a, b fs.DirEntry) bool { return a.Name() == b.Name() })
	if err == nil && listErr == nil && !same {
		return captureOnce(ctx, h, what, now)
	}
	return files, err
}

// listed is what stands where the apps do, hidden directories left out: Dokku takes none
// for an app. Where only some are wanted the others are not listed: a deploy waits for it,
// and there may be thousands.
func listed(h host.Host, only []string) (entries []fs.DirEntry, err error) {
	hidden := func(e fs.DirEntry) bool { return e.Name()[0] == '.' }
	if len(only) == 0 {
		entries, err = h.ReadDir(h.Paths().DokkuRoot)
		return slices.DeleteFunc(entries, hidden), err
	}
	if _, err := h.Stat(h.Paths().DokkuRoot); err != nil {
		return nil, err
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(only))) {
		if name == "" || name[0] == '.' || strings.Contains(name, "/") {
			continue
		}
		switch st, err := h.Lstat(h.Paths().App(name)); {
		case err == nil:
			entries = append(entries, fs.FileInfoToDirEntry(st))
		case !notThere(err):
			return nil, err
		}
	}
	return entries, nil
}

func captureOnce(ctx context.Context, h host.Host, what What, entries []fs.DirEntry) (*Files, error) {
	only := what.Apps
	c := &capture{h: h, p: h.Paths(), some: len(only) > 0}
	apps, strays := c.apps(entries)
	for _, name := range []string{"ENV", "VHOST", "HOSTNAME"} {
		c.file("root/"+name, filepath.Join(c.p.DokkuRoot, name))
	}
	for _, name := range []string{"STABLE_VERSION", "VERSION"} {
		c.file("lib/"+name, filepath.Join(c.p.LibRoot, name))
	}

	var g errgroup.Group
	g.SetLimit(4)
	spawn := func(work func() error) {
		g.Go(func() error {
			defer c.keepPanic()
			return work()
		})
	}
	if !what.NoCommands {
		spawn(func() error { c.docker(ctx, what); return nil })
	}
	if !what.NoCommands && len(only) == 0 {
		spawn(func() error { c.crontab(ctx); return nil })
	}
	spawn(func() error { return c.properties(only) })
	spawn(func() error { c.letsencryptPlugin(); return nil })
	c.known = map[string]bool{}
	for _, app := range apps {
		c.known[app] = true
		spawn(func() error { c.app(app); say.Counted(ctx, len(apps)); return nil })
	}
	err := g.Wait()
	if err == nil {
		c.captureSmall(what)
	}
	dokku := what.Dokku
	if dokku == "" {
		dokku = host.DokkuVersion(h)
	}
	if err == nil && what.Images && !what.NoCommands {
		c.images(ctx, dokku, apps) // by the files and facts that are there now
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	if err != nil {
		return nil, err
	}
	apps = slices.DeleteFunc(apps, c.gone)
	files := NewFiles(dokku, apps, strays, c.files)
	// A scope that was asked for twice was read twice.
	files.list = slices.CompactFunc(files.list, func(a, b File) bool { return a.Path == b.Path })
	files.Partial = len(only) > 0
	if what.Needs && !what.NoCommands {
		askNeeds(ctx, h, files) // by the files and facts that are there now
	}
	return files, nil
}

type capture struct {
	h      host.Host
	p      host.Paths
	mu     sync.Mutex
	files  []File
	bytes  int             // of their content
	known  map[string]bool // the apps
	smalls []small         // captured by rule, when all else is
	some   bool            // of the apps are wanted, and not all
	// containers are the CONTAINER files of those.
	containers []string
	// panicked is what one of the goroutines ended in.
	panicked any
}

// keepPanic carries a panic over to the goroutine that called Capture: here it
// would end the process, and with it the dpkg or dokku that called us.
func (c *capture) keepPanic() {
	if r := recover(); r != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.panicked = r
	}
}

// gone takes out an app that was destroyed while it was read.
func (c *capture) gone(name string) bool {
	if _, err := c.h.Lstat(c.p.App(name)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	c.files = slices.DeleteFunc(c.files, func(f File) bool {
		return f.Path == "root/"+name || strings.HasPrefix(f.Path, "root/"+name+"/")
	})
	return true
}

func (c *capture) add(f File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes += len(f.Data); c.bytes > maxBytes && len(f.Data) > 0 {
		f = File{Path: f.Path, Mode: f.Mode, Error: "the small files of this host are larger than 256 MiB together"}
	}
	c.files = append(c.files, f)
}

// apps are the apps among what stands where they do, and the other directories.
func (c *capture) apps(entries []fs.DirEntry) (apps, strays []string) {
	for _, e := range entries {
		name := e.Name()
		f := File{Path: "root/" + name, Mode: fs.ModeDir | 0o755}
		if e.Type()&fs.ModeSymlink != 0 {
			// An app that was moved to another disk: Dokku follows the link. One that
			// leads nowhere, or to itself, is no app for Dokku either.
			if _, err := c.h.ReadDir(c.p.App(name)); notThere(err) || errors.Is(err, syscall.ELOOP) {
				continue
			}
			f.Link, _ = c.h.Readlink(c.p.App(name))
		} else if !e.IsDir() {
			continue
		}
		c.add(f)
		if c.isApp(name) {
			apps = append(apps, name)
		} else {
			strays = append(strays, name)
		}
	}
	return apps, strays
}

// appFiles are what Dokku puts into an app's directory itself. What else is
// there is somebody else's, and whether it can be read is no concern of ours.
var appFiles = regexp.MustCompile(`^(HEAD|ENV|VHOST|URLS|DOKKU_SCALE|DOKKU_SCALE\.extracted|nginx\.conf|packed-refs|config|(CONTAINER|IP|PORT)(\..+)?|DOCKER_OPTIONS_(BUILD|DEPLOY|RUN))$`)

// isApp tells an app's directory from one that somebody put beside the apps
// (Maildir, tls, a backup): an app's holds something that Dokku puts there, or
// has a scale. A directory that cannot be read is taken for an app, so that it is
// named.
func (c *capture) isApp(name string) bool {
	if name == "tls" || name[0] >= 'A' && name[0] <= 'Z' {
		// The host's own certificate; and no app begins so since 0.11.4.
		return false
	}
	entries, err := c.h.ReadDir(c.p.App(name))
	if err != nil {
		return !notThere(err)
	}
	for _, e := range entries {
		if c.some && strings.HasPrefix(e.Name(), "CONTAINER.") {
			c.containers = append(c.containers, filepath.Join(c.p.App(name), e.Name()))
		}
	}
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != "config" && appFiles.MatchString(e.Name()) }) {
		return true
	}
	_, err = c.h.Lstat(c.p.Property("ps", name, "scale"))
	return err == nil
}

// app captures an app's directory and its small data files.
func (c *capture) app(name string) {
	root := "root/" + name
	entries, err := c.h.ReadDir(c.p.App(name))
	if notThere(err) {
		return // destroyed meanwhile
	}
	if err != nil {
		c.add(File{Path: root + "/", Error: reason(err)})
		return
	}
	for _, e := range entries {
		logical, real := root+"/"+e.Name(), filepath.Join(c.p.App(name), e.Name())
		switch {
		case !Holds(logical):
			// hooks: git's, and code.
		case !e.IsDir() && appFiles.MatchString(e.Name()):
			c.file(logical, real)
		case !e.IsDir():
			c.foreign(logical, real)
		case slices.Contains([]string{"nginx.conf.d", "tls", "letsencrypt", "refs"}, e.Name()):
			c.tree(logical, real)
		case slices.Contains([]string{"objects", "info", "logs", "branches", "worktrees", "modules", "lfs", "cache", ".cache"}, e.Name()):
			// git's objects, build caches: not small, or not state.
		case appFiles.MatchString(e.Name()):
			c.add(File{Path: logical + "/", Error: leftOut + "not a directory of Dokku's"})
		default:
			c.mu.Lock()
			c.smalls = append(c.smalls, small{logical, real})
			c.mu.Unlock()
		}
	}
	c.linked(name)
	data := filepath.Join(c.p.LibRoot, "data")
	for _, dir := range []string{"ps/" + name, "app-json/" + name, "nginx-vhosts/app-" + name, "scheduler-docker-local/" + name} {
		c.tree("lib/data/"+dir, filepath.Join(data, dir))
	}
	// Of those that are empty it counts that they are there.
	for _, dir := range []string{"apps/" + name, "ps/" + name, "app-json/" + name, "scheduler-k3s/" + name} {
		if st, err := c.h.Stat(filepath.Join(data, dir)); err == nil && st.IsDir() {
			c.add(File{Path: "lib/data/" + dir, Mode: fs.ModeDir | st.Mode().Perm()})
		}
	}
}

// properties captures the property tree and letsencrypt's markers.
func (c *capture) properties(only []string) error {
	config := filepath.Join(c.p.LibRoot, "config")
	namespaces, err := c.h.ReadDir(config)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the properties cannot be listed: %w", err)
	}
	for _, ns := range namespaces {
		if len(only) == 0 || slices.Contains(only, ns.Name()) || ns.Name() == host.GlobalScope {
			c.namespace("lib/config/"+ns.Name(), filepath.Join(config, ns.Name()))
			continue
		}
		for _, scope := range append([]string{host.GlobalScope}, only...) {
			c.tree("lib/config/"+ns.Name()+"/"+scope, filepath.Join(config, ns.Name(), scope))
		}
	}
	letsencrypt := filepath.Join(c.p.LibRoot, "data/letsencrypt")
	c.file("lib/data/letsencrypt/autorenew", filepath.Join(letsencrypt, "autorenew"))
	c.tree("lib/data/letsencrypt/--global", filepath.Join(letsencrypt, "--global"))
	return nil
}

// namespace captures the properties of all apps in a namespace.
func (c *capture) namespace(logical, dir string) {
	for _, e := range c.list(logical, dir) {
		l, d := logical+"/"+e.Name(), filepath.Join(dir, e.Name())
		if e.IsDir() {
			c.tree(l, d)
			continue
		}
		c.file(l, d)
	}
}

// tree captures a directory.
func (c *capture) tree(logical, dir string) {
	files := 0
	var below func(logical, dir string, depth int)
	below = func(logical, dir string, depth int) {
		if depth > maxDepth {
			c.add(File{Path: logical + "/", Error: fmt.Sprintf("%sdirectories stand more than %d deep in one another", leftOut, maxDepth)})
			return
		}
		for _, e := range c.list(logical, dir) {
			if files++; files > maxTree {
				c.add(File{Path: logical + "/", Error: fmt.Sprintf("%sthere are more than %d files", leftOut, maxTree)})
				return
			}
			l, d := logical+"/"+e.Name(), filepath.Join(dir, e.Name())
			if e.IsDir() {
				if e.Name() == "ENV" || strings.HasPrefix(l, "lib/config/") && strings.Count(l, "/") == 4 {
					// What is not read as a file is not "no such file".
					c.add(File{Path: l + "/", Error: leftOut + "a directory in the place of a file"})
				}
				below(l, d, depth+1)
				continue
			}
			c.file(l, d)
		}
	}
	below(logical, dir, 0)
}

// list is what stands in a directory. One that is missing is no error.
func (c *capture) list(logical, dir string) []fs.DirEntry {
	entries, err := c.h.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
		c.file(logical, dir) // a file, or a link to itself, in the directory's place
	case errors.Is(err, host.ErrTooLarge):
		c.add(File{Path: logical + "/", Error: leftOut + reason(err)})
	case err != nil:
		c.add(File{Path: logical + "/", Error: reason(err)})
	}
	return entries
}

// file captures one file, a link as a link. One that is missing is no error:
// files come and go while apps are deployed.
func (c *capture) file(logical, name string) {
	st, err := c.h.Lstat(name)
	if notThere(err) {
		return
	}
	if err != nil {
		c.add(File{Path: logical, Error: reason(err)})
		return
	}
	f := File{Path: logical, Mode: st.Mode()}
	switch {
	case st.Mode()&fs.ModeSymlink != 0:
		if f.Link, err = c.h.Readlink(name); err != nil {
			f.Error = reason(err)
		}
	case !st.Mode().IsRegular():
		f.Error = leftOut + "it is " + host.Kind(st.Mode())
	case st.Size() > MaxFile:
		f.Error = leftOut + "larger than 1 MiB"
	default:
		if f.Data, err = c.h.ReadFile(name); err != nil {
			f.Error = reason(err)
			break
		}
		if len(f.Data) > MaxFile { // it has grown since
			f.Data, f.Error = nil, leftOut+"larger than 1 MiB"
			break
		}
		// os.ReadFile takes 512 bytes for the five of a property; there are
		// tens of thousands of them on a large host.
		f.Data = bytes.Clone(f.Data)
		f.Size, f.SHA256 = len(f.Data), Digest(f.Data)
	}
	if notThere(err) {
		return // removed since it was looked at
	}
	c.add(f)
}
