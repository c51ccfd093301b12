package app

import (
	"cmp"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/host"
)

// Beside the files that the parts of a state are read from stands whatever else is small,
// by rule and not by list: below Dokku's data directories what a plugin keeps there, for
// an app or for the host (storage entries, kustomizations, templates), and in an app's own
// directory what plugins and people have put into it (htpasswd, REDIRECTS, a maintenance
// page). Whose it is decides what a restore does with it (kept.go).
//
// What is small has an end: whoever fills one of these directories costs no other app its
// snapshot. One that is beyond it is named and left out as a whole, since half of it is
// nothing to go by.
const (
	// maxSmall is how many files, and maxSmallBytes how much, one such directory has.
	maxSmall      = 1000
	maxSmallBytes = 4 << 20
	// maxAllSmall is as much as those of a host have together, a quarter of what a
	// snapshot holds.
	maxAllSmall = 48 << 20
	// smallAtOnce are as many as are read before it is known whether they still fit.
	smallAtOnce = 8
)

// notCapturedData are the data directories that are never captured: what apps store, our
// own, checkouts and logs of builds, and logs.
var notCapturedData = []string{"storage", host.Plugin, "git", "builds", "logs"}

// partData are those of which parts of an app's state are read (capture.app), with what
// stands before its name there.
var partData = map[string]string{"ps": "", "app-json": "", "apps": "", "nginx-vhosts": "app-", "scheduler-docker-local": ""}

// small is a directory, or a file, that is captured by rule.
type small struct{ logical, real string }

// smallData lists what is to be captured below Dokku's data directories; of some apps
// only theirs, and the storage entries that their mounts name.
func (c *capture) smallData(what What) {
	only := what.Apps
	data := filepath.Join(c.p.LibRoot, "data")
	for _, ns := range c.listSmall("lib/data", data) {
		logical, dir := "lib/data/"+ns.Name(), filepath.Join(data, ns.Name())
		prefix, parts := partData[ns.Name()]
		switch {
		case slices.Contains(notCapturedData, ns.Name()):
		case !ns.IsDir():
			c.walk(func(w *walk) { w.foreign(logical, dir, ns) })
		case ns.Name() == "storage-registry" && len(only) > 0 && !what.Entries:
			for _, f := range slices.Concat(c.parts...) {
				if len(f.Data) == 0 || !strings.HasSuffix(f.Path, "/mounts") || !slices.Contains(only, Scope(f.Path)) {
					continue
				}
				mounts, _ := NewFiles("", nil, nil, []File{f}).Mounts(Scope(f.Path))
				for _, m := range mounts {
					if at := EntryPath(m.Entry); at != "" {
						c.smalls = append(c.smalls, small{at, RealPath(c.p, at)})
					}
				}
			}
		case len(only) == 0 || ns.Name() == "storage-registry":
			loose := 0
			for _, e := range c.listSmall(logical, dir) {
				if loose++; e.IsDir() {
					loose--
				} else if loose > maxSmall {
					if loose == maxSmall+1 {
						c.add(File{Path: logical + "/", Error: fmt.Sprintf("%sthere are more than %d files", leftOut, maxSmall)})
					}
					continue
				}
				name, ofApp := strings.CutPrefix(e.Name(), prefix)
				if parts && ofApp && c.known[name] || ns.Name() == "letsencrypt" && slices.Contains([]string{"autorenew", host.GlobalScope}, e.Name()) {
					continue // captured as a part
				}
				c.smalls = append(c.smalls, small{logical + "/" + e.Name(), filepath.Join(dir, e.Name())})
			}
		case parts: // theirs are captured already
		default:
			for _, name := range only {
				for _, at := range []string{name, "app-" + name} {
					c.smalls = append(c.smalls, small{logical + "/" + at, filepath.Join(dir, at)})
				}
			}
		}
	}
}

// listSmall is list, of what is nobody's to miss.
func (c *capture) listSmall(logical, dir string) []fs.DirEntry {
	entries, err := c.h.ReadDir(dir)
	if err != nil && !notThere(err) {
		c.add(File{Path: logical + "/", Error: leftOut + reason(err)})
	}
	return entries
}

// captureSmall captures what is small, in the order of its names: which of too many is left
// out does not hang on who was faster.
func (c *capture) captureSmall(what What) {
	c.smallData(what)
	slices.SortFunc(c.smalls, func(a, b small) int { return cmp.Compare(a.logical, b.logical) })
	c.smalls = slices.Compact(c.smalls)
	left := maxAllSmall
	for some := range slices.Chunk(c.smalls, smallAtOnce) {
		walks, whys := make([]walk, len(some)), make([]string, len(some))
		Together(len(some), func(i int) {
			most := maxSmall
			if strings.HasPrefix(some[i].logical, entriesDir[:len(entriesDir)-1]) {
				most = maxTree // of all apps
			}
			walks[i].capture = c
			whys[i] = walks[i].small(some[i], nil, most, 0)
		})
		for i, s := range some {
			w, why := &walks[i], whys[i]
			if why == "" && w.bytes > left {
				why = fmt.Sprintf("files like these are larger than %d MiB together", maxAllSmall>>20)
			}
			if why != "" {
				c.bytes.Add(-int64(w.bytes))
				c.add(File{Path: s.logical + "/", Error: leftOut + why})
				continue
			}
			left -= w.bytes
			c.keep(w)
		}
	}
}

// small captures a file, or what stands below a directory, and says why it is not
// small, if it is not. listed is what its directory says of it.
func (w *walk) small(s small, listed fs.DirEntry, most, depth int) string {
	if listed == nil {
		st, err := w.h.Lstat(s.real)
		switch {
		case notThere(err):
			return ""
		case err != nil:
			return reason(err)
		}
		listed = fs.FileInfoToDirEntry(st)
	}
	switch {
	case !listed.IsDir():
		w.foreign(s.logical, s.real, listed)
		switch {
		case len(w.files) > most:
			return fmt.Sprintf("there are more than %d files", most)
		case w.bytes > maxSmallBytes:
			return fmt.Sprintf("its files are larger than %d MiB together", maxSmallBytes>>20)
		}
		return ""
	case depth > maxDepth:
		return fmt.Sprintf("directories stand more than %d deep in one another", maxDepth)
	}
	entries, err := w.h.ReadDir(s.real)
	if err != nil && !notThere(err) {
		return reason(err)
	}
	if len(w.files)+len(entries) > most {
		return fmt.Sprintf("there are more than %d files", most)
	}
	for _, e := range entries {
		if why := w.small(small{s.logical + "/" + e.Name(), s.real + "/" + e.Name()}, e, most, depth+1); why != "" {
			return why
		}
	}
	return ""
}
