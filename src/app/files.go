// Package app is the state of a Dokku host and of each app on it at one
// moment: which small files hold it, and what they say. The types are the same
// for every Dokku; only the readers in this package know where 0.20 or 0.38
// keeps a thing.
package app

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"upgrade-guard/src/host"
)

// File is one captured file. Its path is relative to a root that every host
// has: root/ is DOKKU_ROOT (the apps), lib/ is DOKKU_LIB_ROOT (properties and
// data), facts/ is what commands answered.
type File struct {
	Path string      `json:"path"`
	Mode fs.FileMode `json:"mode,omitempty"`
	// Link is where a symbolic link points; links are never followed.
	Link   string `json:"link,omitempty"`
	Size   int    `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Error says why the file could not be read, or is left out.
	Error string `json:"error,omitempty"`
	// Data is what it holds; nil where that is set aside. Whoever writes it asks Content.
	Data  []byte `json:"-"`
	aside *aside
}

// LeftOut tells that the file was left out on purpose.
func (f File) LeftOut() bool { return strings.HasPrefix(f.Error, leftOut) }

// Digest is the SHA-256 by which a file's content is checked.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

const (
	// MaxFile is the size above which a file is none of the small files that
	// Dokku keeps its state in. It is named in the snapshot and left out.
	MaxFile = 1 << 20
	// maxTree is how many files, and maxDepth how deep, a directory may have below it.
	// What is beyond is named in the snapshot and left out: somebody's hundred thousand
	// branches are no reason to have no snapshot of the others.
	maxTree  = 20_000
	maxDepth = 50
	// maxBytes is as much as is captured of a whole host: sixteen times what one
	// with a thousand apps has.
	maxBytes = 320 << 20

	// Where docker's and cron's answers are kept.
	dockerFacts = "facts/docker"
	cronFacts   = "facts/crontab"

	// ImageFacts is where the files from the images of apps are kept, by app.
	ImageFacts = "facts/image/"
)

// Files are the captured files of a host, and which of its directories are
// apps.
type Files struct {
	// Dokku is the version that wrote this state.
	Dokku string
	// Time is the date of a snapshot of these: when it was begun to read them. Zero where none
	// was given.
	Time time.Time
	// Apps are the names of the apps captured, sorted.
	Apps []string
	// Strays are directories beside the apps that hold nothing of an app. Some
	// versions take them for apps (docs/dokku-versions.md#stray-directories).
	Strays []string
	// Partial tells that only some apps were captured, and of what belongs to
	// the host itself not all.
	Partial bool
	// Spent tells that nobody asks for them once they are written: see LetGo.
	Spent bool
	// Refused are sentences about what a snapshot named and what was left out when
	// it was read.
	Refused []string

	list   []File   // sorted by path
	failed []File   // those of list whose content was not captured
	asked  []string // what of list is there for What.Needs alone
	envs   sync.Map // environments that are read, by path
	// needs are what apps need, unknown what is not known of them, by their names: each is
	// read once, and asked for by every hazard.
	needs, unknown sync.Map
	// failedAt are the failed ones by the names in their paths.
	failedAt map[string][]File
	// host is the state that is read from them.
	host atomic.Pointer[Host]
}

// NewFiles is a set of files that were captured before.
func NewFiles(dokku string, apps, strays []string, list []File) *Files {
	slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	f := &Files{Dokku: dokku, Apps: apps, Strays: strays, list: list, failed: notCaptured(list)}
	f.failedAt = byName(f.failed)
	return f
}

// Forget lets go of what was worked out from the files: they are going to be stored, and
// nobody asks for it.
func (f *Files) Forget() {
	f.host.Store(nil)
	f.envs.Clear()
	f.needs.Clear()
	f.unknown.Clear()
}

// LetGo empties the set, for what takes memory later: they are written.
func (f *Files) LetGo() { f.list, f.failed, f.failedAt = nil, nil, nil }

// All are the files, sorted by path.
func (f *Files) All() []File { return f.list }

// Get is one file, and whether it was there. What was not captured is not said to be
// missing: for a file of which that is not known, because a directory above it could
// not be read or something else is in its place, it is one with an Error.
func (f *Files) Get(path string) (File, bool) {
	if file, ok := f.lookUp(path); ok {
		return file, true
	}
	if len(f.failed) == 0 {
		return File{}, false
	}
	// As a directory itself, and each that it stands in: as such, or as something else.
	for above := path; above != ""; above = above[:max(strings.LastIndexByte(above, '/'), 0)] {
		for _, place := range []string{above + "/", above} {
			if dir, ok := f.lookUp(place); ok && dir.Error != "" {
				return File{Path: path, Error: dir.Error}, true
			}
		}
	}
	return File{}, false
}

func (f *Files) lookUp(path string) (File, bool) {
	i, ok := f.find(path)
	if !ok {
		return File{}, false
	}
	return f.list[i], true
}

func (f *Files) find(path string) (int, bool) {
	return slices.BinarySearchFunc(f.list, path, func(a File, p string) int { return strings.Compare(a.Path, p) })
}

// Renamed are the files as they would be if an app had borne another name: those of
// its directory, of its properties and of its data.
func (f *Files) Renamed(from, to string) *Files {
	list := slices.Clone(f.list)
	for i := range list {
		parts := strings.Split(list[i].Path, "/")
		if at, prefix := scopeAt(parts); at < len(parts) && parts[at] == prefix+from {
			parts[at] = prefix + to
			list[i].Path = strings.Join(parts, "/")
		}
	}
	apps := slices.Clone(f.Apps)
	for i := range apps {
		if apps[i] == from {
			apps[i] = to
		}
	}
	return NewFiles(f.Dokku, apps, f.Strays, list)
}

// With are the files as they would be with one more app that has nothing yet.
func (f *Files) With(name string) *Files {
	with := NewFiles(f.Dokku, append(slices.Clone(f.Apps), name), f.Strays, append(slices.Clone(f.list), File{Path: "root/" + name, Mode: fs.ModeDir | 0o755}))
	with.Partial, with.Refused = f.Partial, f.Refused
	return with
}

// Text is the content of a file, and whether it could be read.
func (f *Files) Text(path string) (string, bool) {
	file, ok := f.Get(path)
	data, err := file.Content()
	return string(data), ok && err == nil && file.Error == "" && file.Link == ""
}

// Lines are a file's lines, trimmed, blank ones left out: what Dokku makes of
// VHOST and of property lists.
func (f *Files) Lines(path string) []string {
	var out []string
	t, _ := f.Text(path)
	for _, l := range strings.Split(t, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// Properties are the properties of a scope in all namespaces: an app, or
// GlobalScope.
func (f *Files) Properties(scope string) []File {
	const dir = "lib/config/"
	var found []File
	for _, namespace := range f.namespaces(dir) {
		found = append(found, f.Under(dir+namespace+"/"+scope+"/")...)
	}
	return slices.DeleteFunc(found, func(file File) bool { return strings.Count(file.Path, "/") != 4 || strings.HasSuffix(file.Path, "/") })
}

// AddFact adds what was found out beside the files, and that no state is read from: a line
// of facts/.
func (f *Files) AddFact(path string, data []byte) {
	f.put(File{Path: path, Mode: 0o600, Data: data, Size: len(data), SHA256: Digest(data)})
}

// put adds a file, or puts it in the place of the one that is there.
func (f *Files) put(file File) {
	i, there := f.find(file.Path)
	if there {
		f.list[i] = file
		return
	}
	f.list = slices.Insert(f.list, i, file)
}

// answered adds what a command has answered, or that it did not.
func (f *Files) answered(path string, data []byte, err error) {
	f.host.Store(nil)
	if err != nil {
		f.put(File{Path: path, Mode: 0o600, Error: err.Error()})
		return
	}
	f.AddFact(path, data)
}

// Under are the files whose path begins with prefix.
func (f *Files) Under(prefix string) []File {
	from, _ := f.find(prefix)
	to := from
	for to < len(f.list) && strings.HasPrefix(f.list[to].Path, prefix) {
		to++
	}
	return f.list[from:to]
}

// Incomplete names the files that could not be read and that a complete
// snapshot has. Docker's facts are not among them: an upgrade with docker down
// is still guarded.
func (f *Files) Incomplete() []string {
	var names []string
	for _, file := range f.list {
		if file.Error != "" && !strings.HasPrefix(file.Path, dockerFacts) && !strings.HasPrefix(file.Path, ImageFacts) && !strings.HasPrefix(file.Error, leftOut) {
			names = append(names, fmt.Sprintf("%s: %s", file.Path, file.Error))
		}
	}
	return names
}

// leftOut begins the reason of files that are left out on purpose; a snapshot
// without them is complete.
const leftOut = "left out: "

// At is a file of the host as it was captured, by its real path.
func (f *Files) At(p host.Paths, name string) (File, bool) {
	for top, dir := range map[string]string{"root/": p.DokkuRoot, "lib/": p.LibRoot} {
		if rel, ok := strings.CutPrefix(name, dir+"/"); ok {
			return f.Get(top + rel)
		}
	}
	return File{}, false
}

// DigestAt is the digest of a file of the host as it was captured, by its real
// path; "" when there was none, and NotKnown when there may have been one.
func (f *Files) DigestAt(p host.Paths, name string) string {
	file, there := f.At(p, name)
	if there && file.Error != "" {
		return NotKnown
	}
	return file.SHA256
}
