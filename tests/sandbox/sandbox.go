// Package sandbox is a Dokku host in a directory: the files of a recorded real
// host, and stand-ins for dokku, plugn, docker, crontab and apt-get that play
// what recordings show, the destructive parts included. It is no second Dokku:
// what no recording shows it refuses to do. The scenarios that run here run on
// a real host too (make e2e), and one that passes only here is a bug here.
package sandbox

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed recordings/*.tar.gz
var recordings embed.FS

// Before is the recorded host that the story of dokku/dokku issue 7253 begins
// with: Dokku 0.20.4 and five apps.
const Before = "issue7253-0.20.4-before"

// Recordings are the recorded hosts, by name.
func Recordings() []string {
	entries, err := recordings.ReadDir("recordings")
	if err != nil {
		panic(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".tar.gz"))
	}
	return names
}

// tree is a recording: the content of its files, by path.
type tree map[string][]byte

func load(name string) (tree, error) {
	f, err := recordings.Open("recordings/" + name + ".tar.gz")
	if err != nil {
		return nil, fmt.Errorf("there is no recording of %s", name)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	t := tree{}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		path := strings.Trim(strings.TrimPrefix(h.Name, "./"), "/")
		switch h.Typeflag {
		case tar.TypeReg:
			if t[path], err = io.ReadAll(tr); err != nil {
				return nil, err
			}
		case tar.TypeDir:
			t[path+"/"] = nil
		}
	}
}

// Host is a sandbox.
type Host struct{ Dir string }

// Root is the directory that stands for the machine's / .
func (h Host) path(elem ...string) string { return filepath.Join(append([]string{h.Dir}, elem...)...) }

// New makes a sandbox of a recording in an empty directory.
func New(dir, recording string) (Host, error) {
	h := Host{dir}
	t, err := load(recording)
	if err != nil {
		return h, err
	}
	for path, data := range t {
		if err := h.put(path, data); err != nil {
			return h, err
		}
	}
	for _, d := range []string{"available", "enabled"} {
		if err := os.MkdirAll(h.path("var/lib/dokku/plugins", d), 0o755); err != nil {
			return h, err
		}
	}
	// No nginx and no app of this host listens: what answers on the machine's
	// own ports is somebody else's.
	if err := h.put("var/lib/dokku/config/upgrade-guard/--global/probe", []byte("false")); err != nil {
		return h, err
	}
	// The stories are told of apps by the names they begin with; auto-rename.txtar is
	// about the others.
	return h, h.put("var/lib/dokku/config/upgrade-guard/--global/auto-rename", []byte("false"))
}

func (h Host) put(path string, data []byte) error {
	if strings.HasSuffix(path, "/") {
		return os.MkdirAll(h.path(path), 0o755)
	}
	mode := fs.FileMode(0o644)
	if strings.HasPrefix(path, "var/lib/dokku/config/") || strings.HasSuffix(path, "/server.key") {
		mode = 0o600
	}
	if err := os.MkdirAll(filepath.Dir(h.path(path)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(h.path(path), data, mode)
}

// Env is the environment in which Dokku's own commands run on this host.
func (h Host) Env() []string {
	me, err := user.Current()
	if err != nil {
		panic(err)
	}
	group := me.Gid
	if g, err := user.LookupGroupId(me.Gid); err == nil {
		group = g.Name
	}
	return []string{
		"SANDBOX=" + h.Dir,
		"DOKKU_ROOT=" + h.path("home/dokku"),
		"DOKKU_LIB_ROOT=" + h.path("var/lib/dokku"),
		"PLUGIN_PATH=" + h.path("var/lib/dokku/plugins"),
		"UPGRADE_GUARD_EVENTS=" + h.path("etc/upgrade-guard/events.d"),
		"DOKKU_SYSTEM_USER=" + me.Username,
		"DOKKU_SYSTEM_GROUP=" + group,
	}
}

// Enable links a plugin's directory into the host, as plugn does.
func (h Host) Enable(plugin, dir string) error {
	return os.Symlink(dir, h.path("var/lib/dokku/plugins/enabled", plugin))
}

// version is the Dokku on the disk.
func (h Host) version() string {
	b, err := os.ReadFile(h.path("var/lib/dokku/STABLE_VERSION"))
	if err != nil { // built from a branch
		b, _ = os.ReadFile(h.path("var/lib/dokku/VERSION"))
	}
	return strings.TrimPrefix(strings.TrimSpace(string(b)), "v")
}

// Upgrade plays the recorded upgrade to a version: what it added, what it
// changed, and what it deleted. A file that differs from the recording's
// beginning is left alone, except that DOKKU_SCALE is deleted unread, whatever
// it holds: that is what 0.30 and later do.
func (h Host) Upgrade(to string) error {
	from := h.version()
	if from == to {
		return nil
	}
	if hook := h.path("var/lib/dokku/plugins/enabled/upgrade-guard/bin/upgrade-guard"); os.Getenv("DOKKURC") != "" {
		// What postinst's plugin:install --core reads first, the new version being unpacked.
		if err := h.put("var/lib/dokku/STABLE_VERSION", []byte(to+"\n")); err != nil {
			return err
		}
		if err := stream(hook, "before", "core-install"); err != nil {
			return err
		}
	}
	return h.Install(from, to)
}

// Install plays what the new version's installation does to the old one's state:
// Upgrade where the new version has been unpacked already.
func (h Host) Install(from, to string) error {
	before, err := load("issue7253-" + from + "-before")
	if err != nil {
		return fmt.Errorf("no upgrade from %s is recorded", from)
	}
	after, err := load("issue7253-" + recordedAs(to) + "-after")
	if err != nil {
		return fmt.Errorf("no upgrade from %s to %s is recorded", from, to)
	}
	if to != recordedAs(to) {
		after["var/lib/dokku/STABLE_VERSION"], after["var/lib/dokku/VERSION"] = []byte(to+"\n"), []byte("v"+to+"\n")
	}
	// The upgraded hosts were recorded with containers of their own.
	_, present, err := h.containers()
	if err != nil {
		return err
	}
	if err := h.put("docker-inspect.json", after["docker-inspect.json"]); err != nil {
		return err
	}
	if err := h.removeContainers(func(c inspected) bool {
		return !slices.ContainsFunc(present, func(p inspected) bool { return p.Name == c.Name })
	}); err != nil {
		return err
	}
	for path, data := range after {
		if app, ok := movedEnv(path); ok {
			if data, err = h.moveEnv(app, before, data); err != nil {
				return err
			}
		}
		now, err := os.ReadFile(h.path(path))
		was, known := before[path]
		switch {
		case h.ofMissingApp(path, before), path == "docker-inspect.json":
			continue
		case strings.HasSuffix(path, "/"), errors.Is(err, fs.ErrNotExist) && !known:
		case err == nil && known && bytes.Equal(now, was):
		default:
			continue
		}
		if err := h.put(path, data); err != nil {
			return err
		}
	}
	for _, app := range h.apps() {
		if err := h.moveOptions(app, to); err != nil {
			return err
		}
	}
	for path := range before {
		if _, kept := after[path]; !kept && !strings.HasSuffix(path, "/") {
			if err := remove(h.path(path)); err != nil {
				return err
			}
		}
	}
	for _, app := range h.apps() {
		for _, f := range []string{"DOKKU_SCALE", "DOKKU_SCALE.extracted"} {
			if err := remove(h.path("home/dokku", app, f)); err != nil {
				return err
			}
		}
	}
	return nil
}

// movedEnv tells whether a path is where 0.38 moves the ENV of an app, or of the
// host, to.
func movedEnv(path string) (scope string, ok bool) {
	scope, ok = strings.CutPrefix(strings.TrimSuffix(path, "/ENV"), "var/lib/dokku/config/")
	return scope, ok && strings.HasSuffix(path, "/ENV") && !strings.Contains(scope, "/")
}

// ofMissingApp tells whether a recorded path belongs to an app of the recording
// that this host does not have any more.
func (h Host) ofMissingApp(path string, before tree) bool {
	there := h.apps()
	for _, part := range strings.Split(path, "/") {
		if _, recorded := before["home/dokku/"+part+"/"]; recorded && part != "" && !slices.Contains(there, part) {
			return true
		}
	}
	return false
}

func (h Host) apps() []string {
	entries, _ := os.ReadDir(h.path("home/dokku"))
	var apps []string
	for _, e := range entries {
		if e.IsDir() && e.Name()[0] != '.' {
			apps = append(apps, e.Name())
		}
	}
	return apps
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
