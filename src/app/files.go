// Package app is the state of a Dokku host and of each app on it at one
// moment: which small files hold it, and what they say. The types are the same
// for every Dokku; only the readers in this package know where 0.20 or 0.38
// keeps a thing.
package app

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

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
	Data  []byte `json:"-"`
}

// LeftOut tells that the file was left out on purpose.
func (f File) LeftOut() bool { return strings.HasPrefix(f.Error, leftOut) }

// Digest is the SHA-256 by which a file's content is checked.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

const (
	// maxFile is the size above which a file is none of the small files that
	// Dokku keeps its state in. It is named in the snapshot and left out.
	maxFile = 1 << 20

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
	// Apps are the names of the apps captured, sorted.
	Apps []string
	// Strays are directories beside the apps that hold nothing of an app. Some
	// versions take them for apps (DESIGN, ATLAS 4.3).
	Strays []string
	// Partial tells that only some apps were captured, and of what belongs to
	// the host itself not all.
	Partial bool

	list   []File // sorted by path
	failed []File // those of list whose content was not captured
	// failedAt are the same by the names in their paths.
	failedAt map[string][]File
}

// NewFiles is a set of files that were captured before.
func NewFiles(dokku string, apps, strays []string, list []File) *Files {
	slices.SortFunc(list, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	f := &Files{Dokku: dokku, Apps: apps, Strays: strays, list: list, failed: notCaptured(list)}
	f.failedAt = byName(f.failed)
	return f
}

// All are the files, sorted by path.
func (f *Files) All() []File { return f.list }

// Get is one file, and whether it was there. What was not captured is not said to be
// missing: for a file of which that is not known, because a directory above it could
// not be read or something else is in its place, it is one with an Error.
func (f *Files) Get(path string) (File, bool) {
	if file, ok := f.lookUp(path); ok {
		return file, true
	}
	for _, dir := range f.failed {
		if strings.HasPrefix(path+"/", strings.TrimSuffix(dir.Path, "/")+"/") {
			return File{Path: path, Error: dir.Error}, true
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
		at := -1
		switch {
		case parts[0] == "root":
			at = 1
		case parts[0] == "facts":
			at = 2 // facts/image/<app>/...
		case len(parts) == 4 && parts[1] == "config" && parts[3] == "ENV":
			at = 2 // lib/config/<app>/ENV, from 0.38 on
		case parts[0] == "lib":
			at = 3
		}
		if at < 0 || at >= len(parts) {
			continue
		}
		switch parts[at] {
		case from:
			parts[at] = to
		case "app-" + from: // data/nginx-vhosts/app-<app>
			parts[at] = "app-" + to
		}
		list[i].Path = strings.Join(parts, "/")
	}
	apps := slices.Clone(f.Apps)
	for i := range apps {
		if apps[i] == from {
			apps[i] = to
		}
	}
	return NewFiles(f.Dokku, apps, f.Strays, list)
}

// Text is the content of a file, and whether it could be read.
func (f *Files) Text(path string) (string, bool) {
	file, ok := f.Get(path)
	return string(file.Data), ok && file.Error == "" && file.Link == ""
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
// GlobalScope. There may be tens of thousands for the whole host, so the list is
// leapt through from namespace to namespace.
func (f *Files) Properties(scope string) []File {
	const dir = "lib/config/"
	var found []File
	for i, _ := f.find(dir); i < len(f.list); {
		rest, ok := strings.CutPrefix(f.list[i].Path, dir)
		namespace, _, deeper := strings.Cut(rest, "/")
		if !ok {
			break
		}
		if deeper {
			found = append(found, f.Under(dir+namespace+"/"+scope+"/")...)
		}
		// What follows "/" in the order of characters is "0".
		if i, _ = f.find(dir + namespace + "0"); !deeper {
			i, _ = f.find(dir + namespace + "/")
		}
	}
	return slices.DeleteFunc(found, func(file File) bool { return strings.Count(file.Path, "/") != 4 || strings.HasSuffix(file.Path, "/") })
}

// AddFact adds what was found out beside the files: a line of facts/.
func (f *Files) AddFact(path string, data []byte) {
	file := File{Path: path, Mode: 0o600, Data: data, Size: len(data), SHA256: Digest(data)}
	i, there := f.find(path)
	if there {
		f.list[i] = file
		return
	}
	f.list = slices.Insert(f.list, i, file)
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
		if file.Error != "" && file.Path != dockerFacts && !strings.HasPrefix(file.Path, ImageFacts) && !strings.HasPrefix(file.Error, leftOut) {
			names = append(names, fmt.Sprintf("%s: %s", file.Path, file.Error))
		}
	}
	return names
}

// What says how much of a host is captured.
type What struct {
	// Apps are the only ones wanted; all of the host when empty.
	Apps []string
	// NoCommands leaves docker and cron alone, for where every second counts.
	NoCommands bool
	// Images fetches from the apps' containers what Dokku up to 0.28 takes from
	// their images whenever it needs it.
	Images bool
	// Dokku is the version that wrote the state, where it is not the one on
	// the disk: between a package's unpacking and its installation.
	Dokku string
}

// Capture reads the small files of a host and asks docker and cron once. Files
// that cannot be read are in the result with their error; Capture itself fails
// only when the host's own directories cannot be listed.
func Capture(ctx context.Context, h host.Host, what What) (*Files, error) {
	c := &capture{h: h, p: h.Paths()}
	only := what.Apps
	apps, strays, err := c.apps(only)
	if err != nil {
		return nil, err
	}
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
		spawn(func() error {
			c.docker(ctx, only)
			if what.Images {
				c.images(ctx)
			}
			return nil
		})
	}
	if !what.NoCommands && len(only) == 0 {
		spawn(func() error { c.crontab(ctx); return nil })
	}
	spawn(func() error { return c.properties(only) })
	spawn(func() error { c.letsencryptPlugin(); return nil })
	for _, app := range apps {
		spawn(func() error { c.app(app); return nil })
	}
	err = g.Wait()
	if c.panicked != nil {
		panic(c.panicked)
	}
	if err != nil {
		return nil, err
	}
	dokku := what.Dokku
	if dokku == "" {
		dokku = host.DokkuVersion(h)
	}
	files := NewFiles(dokku, apps, strays, c.files)
	files.Partial = len(only) > 0
	return files, nil
}

type capture struct {
	h     host.Host
	p     host.Paths
	mu    sync.Mutex
	files []File
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

func (c *capture) add(f File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files = append(c.files, f)
}

// apps lists the directories of apps, or those of the named ones that exist.
func (c *capture) apps(only []string) (apps, strays []string, err error) {
	entries, err := c.h.ReadDir(c.p.DokkuRoot)
	if err != nil {
		return nil, nil, fmt.Errorf("the apps cannot be listed: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		// Dokku takes no hidden directory for an app.
		if name[0] == '.' || (len(only) > 0 && !slices.Contains(only, name)) {
			continue
		}
		f := File{Path: "root/" + name, Mode: fs.ModeDir | 0o755}
		if e.Type()&fs.ModeSymlink != 0 {
			// An app that was moved to another disk: Dokku follows the link.
			if _, err := c.h.ReadDir(c.p.App(name)); errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrNotExist) {
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
	return apps, strays, nil
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
		return true
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
	if err != nil {
		c.add(File{Path: root + "/", Error: reason(err)})
		return
	}
	for _, e := range entries {
		logical, real := root+"/"+e.Name(), filepath.Join(c.p.App(name), e.Name())
		switch {
		case !e.IsDir() && appFiles.MatchString(e.Name()):
			c.file(logical, real)
		case !e.IsDir():
			c.foreign(logical, real)
		case slices.Contains([]string{"nginx.conf.d", "tls", "letsencrypt", "refs"}, e.Name()):
			c.tree(logical, real)
		case slices.Contains([]string{"objects", "hooks", "info", "logs", "branches", "cache", ".cache"}, e.Name()):
			// git's objects and hooks, build caches: not small, or not state.
		default:
			c.add(File{Path: logical + "/", Error: leftOut + "not a directory of Dokku's"})
		}
	}
	data := filepath.Join(c.p.LibRoot, "data")
	for _, dir := range []string{"ps/" + name, "app-json/" + name, "nginx-vhosts/app-" + name} {
		c.tree("lib/data/"+dir, filepath.Join(data, dir))
	}
	// Of those that are empty it counts that they are there.
	for _, dir := range []string{"apps/" + name, "ps/" + name, "app-json/" + name} {
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
			c.tree("lib/config/"+ns.Name(), filepath.Join(config, ns.Name()))
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

// tree captures a directory. One that is missing is no error.
func (c *capture) tree(logical, dir string) {
	entries, err := c.h.ReadDir(dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.add(File{Path: logical + "/", Error: reason(err)})
		}
		return
	}
	for _, e := range entries {
		l, d := logical+"/"+e.Name(), filepath.Join(dir, e.Name())
		if e.IsDir() {
			if e.Name() == "ENV" || strings.HasPrefix(l, "lib/config/") && strings.Count(l, "/") == 4 {
				// What is not read as a file is not "no such file".
				c.add(File{Path: l + "/", Error: leftOut + "a directory in the place of a file"})
			}
			c.tree(l, d)
			continue
		}
		c.file(l, d)
	}
}

// file captures one file, a link as a link. One that is missing is no error:
// files come and go while apps are deployed.
func (c *capture) file(logical, name string) {
	st, err := c.h.Lstat(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.add(File{Path: logical, Error: reason(err)})
		}
		return
	}
	f := File{Path: logical, Mode: st.Mode()}
	switch {
	case st.Mode()&fs.ModeSymlink != 0:
		if f.Link, err = c.h.Readlink(name); err != nil {
			f.Error = reason(err)
		}
	case !st.Mode().IsRegular():
		f.Error = leftOut + "not a regular file"
	case st.Size() > maxFile:
		f.Error = leftOut + "larger than 1 MiB"
	default:
		if f.Data, err = c.h.ReadFile(name); err != nil {
			f.Error = reason(err)
			break
		}
		// os.ReadFile takes 512 bytes for the five of a property; there are
		// tens of thousands of them on a large host.
		f.Data = bytes.Clone(f.Data)
		f.Size, f.SHA256 = len(f.Data), Digest(f.Data)
	}
	c.add(f)
}

// foreign captures a file that is not Dokku's. Where that cannot be done, it is
// left out.
func (c *capture) foreign(logical, name string) {
	if st, err := c.h.Lstat(name); err == nil && st.Mode().IsRegular() && st.Size() <= maxFile {
		if _, err := c.h.ReadFile(name); err != nil {
			c.add(File{Path: logical, Error: leftOut + reason(err)})
			return
		}
	}
	c.file(logical, name)
}

// fact captures what a command answered.
func (c *capture) fact(logical string, data []byte, err error) {
	if err != nil {
		c.add(File{Path: logical, Mode: 0o600, Error: err.Error()})
		return
	}
	c.add(File{Path: logical, Mode: 0o600, Data: data, Size: len(data), SHA256: Digest(data)})
}

// dockerFormat keeps of docker inspect what an app's state needs, a container
// a line. The whole of it would be 15 KiB a container.
const dockerFormat = `{"id":{{json .Id}},"name":{{json .Name}},"running":{{json .State.Running}},"status":{{json .State.Status}},"image":{{json .Config.Image}},` +
	`"labels":{{json .Config.Labels}},"workdir":{{json .Config.WorkingDir}},"networks":{{json .NetworkSettings.Networks}},` +
	`"env":[{{range $i, $v := .Config.Env}}{{if $i}},{{end}}{{json (index (split $v "=") 0)}}{{end}}]}` // names only: values are secrets

// docker asks docker about all containers that Dokku knows, by label and by
// CONTAINER file, in one docker inspect.
func (c *capture) docker(ctx context.Context, only []string) {
	patience := 20 * time.Second
	if len(only) == 1 {
		patience = 5 * time.Second // in a deploy
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	filter := "label=com.dokku.app-name"
	if len(only) == 1 {
		filter += "=" + only[0]
	}
	out, err := c.h.Run(ctx, "docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", filter)
	if err != nil {
		c.fact(dockerFacts, nil, err)
		return
	}
	ids := strings.Fields(string(out))
	if len(ids) == 0 {
		c.fact(dockerFacts, nil, nil)
		return
	}
	out, err = c.h.Run(ctx, "docker", append([]string{"inspect", "--format", dockerFormat}, ids...)...)
	if err != nil && len(bytes.TrimSpace(out)) > 0 {
		err = nil // one of them was removed meanwhile; docker has told the rest
	}
	c.fact(dockerFacts, out, err)
}

// images fetches Procfile and nginx.conf.sigil from a running container of each
// app. What is not in there is no error.
func (c *capture) images(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c.mu.Lock()
	facts := readDocker(NewFiles("", nil, nil, slices.DeleteFunc(slices.Clone(c.files), func(f File) bool { return f.Path != dockerFacts })))
	c.mu.Unlock()
	done := map[string]bool{}
	for id, container := range facts.byID {
		name := container.Labels["com.dokku.app-name"]
		if name == "" || strings.Contains(name, "/") || !container.Running || done[name] {
			continue
		}
		done[name] = true
		for _, file := range []string{"Procfile", "nginx.conf.sigil"} {
			out, err := c.h.Run(ctx, "docker", "cp", id+":"+path.Join("/", container.Workdir, file), "-")
			if err != nil && (strings.Contains(err.Error(), "Could not find the file") || strings.Contains(err.Error(), "No such container:path")) {
				continue
			}
			var data []byte
			if err == nil {
				data, err = onlyFile(out)
			}
			c.fact(ImageFacts+name+"/"+file, data, err)
		}
	}
}

// onlyFile is the file that docker cp writes, as an archive, to standard output.
func onlyFile(archive []byte) ([]byte, error) {
	tr := tar.NewReader(bytes.NewReader(archive))
	head, err := tr.Next()
	if err != nil {
		return nil, err
	}
	if head.Typeflag != tar.TypeReg || head.Size > maxFile {
		return nil, fmt.Errorf("%sno small regular file", leftOut)
	}
	return io.ReadAll(tr)
}

// crontab asks for the Dokku user's crontab, which 0.23.0 and later overwrite.
func (c *capture) crontab(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := c.h.Run(ctx, "crontab", "-l")
	if err != nil && (strings.Contains(err.Error(), "no crontab") || strings.Contains(err.Error(), "executable file not found")) {
		out, err = nil, nil
	}
	c.fact(cronFacts, out, err)
}

// leftOut begins the reason of files that are left out on purpose; a snapshot
// without them is complete.
const leftOut = "left out: "

// reason is an error without the path that it is about.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// RealPath is where a captured path is on a host.
func RealPath(p host.Paths, path string) string {
	if rel, ok := strings.CutPrefix(path, "root/"); ok {
		return filepath.Join(p.DokkuRoot, rel)
	}
	return filepath.Join(p.LibRoot, strings.TrimPrefix(path, "lib/"))
}

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
