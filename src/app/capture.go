package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// What says how much of a host is captured.
type What struct {
	// Apps are the only ones wanted; all of the host when empty.
	Apps []string
	// NoCommands leaves docker and cron alone, for where every second counts.
	NoCommands bool
	// Settings tells that none of the apps' containers has changed since these files, but
	// settings: docker is not asked again about containers that all ran then.
	Settings *Files
	Entries  bool // all storage entries, not those alone that the apps' mounts name
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
	c.walk(func(w *walk) {
		for _, name := range []string{"ENV", "VHOST", "HOSTNAME"} {
			w.file("root/"+name, filepath.Join(c.p.DokkuRoot, name), nil)
		}
		for _, name := range []string{"STABLE_VERSION", "VERSION"} {
			w.file("lib/"+name, filepath.Join(c.p.LibRoot, name), nil)
		}
	})

	var g errgroup.Group
	g.SetLimit(atOnce())
	spawn := func(work func() error) {
		g.Go(func() error {
			defer c.keepPanic()
			return work()
		})
	}
	if !what.NoCommands && !c.some {
		spawn(func() error { c.docker(ctx, what); return nil })
	}
	if !what.NoCommands && len(only) == 0 {
		spawn(func() error { c.crontab(ctx); return nil })
	}
	if len(only) == 0 {
		spawn(func() error { c.installed(); return nil })
	}
	spawn(func() error { c.letsencryptPlugin(); return nil })
	c.known = map[string]bool{}
	for _, app := range apps {
		c.known[app.name] = true
	}
	beside := func(of func(*walk)) { spawn(func() error { c.walk(of); return nil }) }
	for _, app := range apps {
		beside(func(w *walk) { w.app(app); say.Counted(ctx, len(apps)) })
	}
	err := c.properties(only, beside)
	if waited := g.Wait(); err == nil {
		err = waited
	}
	if !what.NoCommands && c.some { // by the containers that their files name
		func() {
			defer c.keepPanic()
			c.docker(ctx, what)
		}()
	}
	if err == nil {
		c.captureSmall(what)
	}
	dokku := what.Dokku
	if dokku == "" {
		dokku = host.DokkuVersion(h)
	}
	var names []string
	for _, app := range apps {
		names = append(names, app.name)
	}
	if err == nil && what.Images && !what.NoCommands {
		c.images(ctx, dokku, names) // by the files and facts that are there now
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	if err != nil {
		return nil, err
	}
	list := slices.Concat(c.parts...)
	names = slices.DeleteFunc(names, func(name string) bool {
		_, err := h.Lstat(c.p.App(name))
		if gone := errors.Is(err, fs.ErrNotExist); !gone { // not destroyed while it was read
			return false
		}
		list = slices.DeleteFunc(list, func(f File) bool { return f.Path == "root/"+name || strings.HasPrefix(f.Path, "root/"+name+"/") })
		return true
	})
	files := NewFiles(dokku, names, strays, list)
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
	parts  [][]File        // what the walks have found
	bytes  atomic.Int64    // of its content
	known  map[string]bool // the apps
	smalls []small         // captured by rule, when all else is
	alike  alike
	asides asides
	some   bool // of the apps are wanted, and not all
	// panicked is what one of the goroutines ended in.
	panicked any
}

// atOnce is how many walks there are at once: more than there are cores, since a disk that
// has not been read yet is waited for.
func atOnce() int { return min(max(4, runtime.GOMAXPROCS(0)), 16) }

// keepPanic carries a panic over to the goroutine that called Capture: here it
// would end the process, and with it the dpkg or dokku that called us.
func (c *capture) keepPanic() {
	if r := recover(); r != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.panicked = r
	}
}

// directory is one beside the apps, with what stands in it.
type directory struct {
	name    string
	entries []fs.DirEntry
	err     error
}

// apps are the apps among what stands where they do, and the other directories.
func (c *capture) apps(entries []fs.DirEntry) (apps []directory, strays []string) {
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
		d := directory{name: name}
		d.entries, d.err = c.h.ReadDir(c.p.App(name))
		if c.isApp(d) {
			apps = append(apps, d)
		} else {
			strays = append(strays, name)
		}
	}
	return apps, strays
}

// appFiles are what Dokku puts into an app's directory itself. What else is
// there is somebody else's, and whether it can be read is no concern of ours.
var appFiles = pattern.Of(`^(HEAD|ENV|VHOST|URLS|DOKKU_SCALE|DOKKU_SCALE\.extracted|nginx\.conf|packed-refs|config|(CONTAINER|IP|PORT)(\..+)?|DOCKER_OPTIONS_(BUILD|DEPLOY|RUN))$`)

// isApp tells an app's directory from one that somebody put beside the apps
// (Maildir, tls, a backup): an app's holds something that Dokku puts there, or
// has a scale. A directory that cannot be read is taken for an app, so that it is
// named.
func (c *capture) isApp(d directory) bool {
	name := d.name
	if name == "tls" || name[0] >= 'A' && name[0] <= 'Z' {
		// The host's own certificate; and no app begins so since 0.11.4.
		return false
	}
	if d.err != nil {
		return !notThere(d.err)
	}
	if slices.ContainsFunc(d.entries, func(e fs.DirEntry) bool { return e.Name() != "config" && appFiles().MatchString(e.Name()) }) {
		return true
	}
	_, err := c.h.Lstat(c.p.Property("ps", name, "scale"))
	return err == nil
}
