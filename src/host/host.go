// Package host is the only door to Dokku and to the machine: paths, files,
// properties, commands. Everything above it works on the Host interface, which
// has two implementations: Local, and Faulty, which wraps another one and lets
// a test fail or kill it at any write or command.
package host

import (
	"context"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Host is a Dokku host. Writes are durable when they return: the file is
// replaced in one step, and both it and its directory are on the disk.
type Host interface {
	Paths() Paths

	// Now is the machine's time, in UTC and whole seconds.
	Now() time.Time
	// Sleep waits, or until ctx ends, which is its error then.
	Sleep(ctx context.Context, d time.Duration) error
	// Lock takes the lock that a file stands for, and keeps every other process out
	// until unlock is called, or this one ends. It waits no longer than wait for who
	// has it (ErrLocked). A file that is missing is made; whatever is in its place,
	// opening it never waits.
	Lock(ctx context.Context, name string, mode fs.FileMode, wait time.Duration) (unlock func(), err error)
	// Locked tells whether somebody has the lock. A file that is missing is nobody's.
	Locked(name string) (bool, error)

	// ReadFile, Open and ReadDir never wait: what is no regular file, or no directory,
	// is refused by what it is (ErrNotRegular). Links are followed. ReadFile and
	// ReadDir have limits (ErrTooLarge); whoever calls Open bounds what is read.
	ReadFile(name string) ([]byte, error)
	Open(name string) (io.ReadCloser, error)
	// Uncached has whoever opens a file next read the disk, and not what the kernel
	// remembers of it, as far as that can be had.
	Uncached(name string)
	ReadDir(name string) ([]fs.DirEntry, error)
	Lstat(name string) (fs.FileInfo, error)
	Stat(name string) (fs.FileInfo, error)
	Readlink(name string) (string, error)
	// See is Lstat, Readlink and ReadFile in one, for whoever reads tens of thousands of
	// files. No link is followed. listed is what ReadDir has just said of it, if it has.
	// What is larger than limit is not read.
	See(name string, listed fs.DirEntry, limit int64) (Seen, error)

	// Aside makes a file without a name for what is to wait on the disk. An error means
	// that there can be none: whoever has something holds it.
	Aside() (*Aside, error)

	// Write replaces a file by data. Killed anywhere, the file is the old one
	// or the new one. Missing directories are made, with Dokku's mode 0755.
	Write(name string, mode fs.FileMode, data []byte) error
	// WriteFrom is Write for what is too large to be held in one piece.
	WriteFrom(name string, mode fs.FileMode, fill func(io.Writer) error) error
	// Append adds a line, or several, to a file of mode 0600: all of it or nothing.
	Append(name string, line []byte) error
	// Mkdir makes a directory and its parents; one that exists keeps its mode.
	Mkdir(name string, mode fs.FileMode) error
	// Rename moves a file within one filesystem, replacing the target.
	Rename(from, to string) error
	// Link makes name a symbolic link to target, in the place of the file or link
	// that it is now.
	Link(target, name string) error
	// Twin gives a file another name, which is not there yet, beside its own.
	Twin(name, other string) error
	// Date gives a file the time at which it was changed last.
	Date(name string, t time.Time) error
	// Remove removes a file. One that is missing is no error.
	Remove(name string) error
	// CopyTree copies a directory. Killed anywhere, the copy is whole or not
	// there; see Copy for what else it may be.
	CopyTree(from, to string, how Copy) error
	// RemoveTree removes a directory and all in it: killed anywhere, it is whole
	// or gone. One that is missing is no error.
	RemoveTree(name string) error
	// Free is how many bytes may still be written where the name is.
	Free(name string) (uint64, error)

	// Run runs a program and returns its standard output, also when it fails. When
	// ctx ends, or half an hour has passed, it is killed with all that it has started.
	Run(ctx context.Context, name string, args ...string) ([]byte, error)
	// Stream is Run for what may print without end: use reads as much as it wants,
	// and then the program is ended.
	Stream(ctx context.Context, use func(io.Reader) error, name string, args ...string) error
	// Trigger fires a trigger in all enabled plugins through plugn.
	Trigger(ctx context.Context, name string, args ...string) ([]byte, error)
	// Dial connects to a port of this machine, or of a container on it. No name
	// is looked up.
	Dial(ctx context.Context, address string) (net.Conn, error)

	// Property is the value of one of our own properties, "" when not set.
	Property(scope, property string) string
	// SetProperty sets one, or unsets it when value is "", and reads it back.
	SetProperty(scope, property, value string) error
}

// GlobalScope is the app name under which Dokku keeps host-wide properties.
const GlobalScope = "--global"

// Place is what a scope is called before a person: an app, or the host.
func Place(scope string) string {
	if scope == GlobalScope {
		return "this host"
	}
	return scope
}

// Plugin is our name: of the plugin's directory, its commands and its property
// namespace.
const Plugin = "upgrade-guard"

// Paths says where this host keeps what. They come from the environment that
// the dokku command exports; a root shell has none of it and gets the defaults
// that dokku itself would use.
type Paths struct {
	DokkuRoot  string // apps: /home/dokku
	LibRoot    string // properties and data: /var/lib/dokku
	PluginPath string // /var/lib/dokku/plugins
	Nginx      string // nginx's own configuration: /etc/nginx
	Pages      string // the pages of the plugin maintenance since 0.9.0
	User       string // dokku
	Group      string // dokku
	Events     string // executables that are told of events: /etc/upgrade-guard/events.d
}

// FromEnv reads Paths from the environment and fills what is missing in both,
// because Dokku's own package ends the process without DOKKU_LIB_ROOT.
func FromEnv() Paths {
	p := Paths{
		User:  envOr("DOKKU_SYSTEM_USER", "dokku"),
		Group: envOr("DOKKU_SYSTEM_GROUP", "dokku"),
	}
	home := "/home/dokku"
	if u, err := user.Lookup(p.User); err == nil && u.HomeDir != "" {
		home = u.HomeDir
	}
	p.DokkuRoot = envOr("DOKKU_ROOT", home)
	p.LibRoot = envOr("DOKKU_LIB_ROOT", envOr("DOKKU_LIB_PATH", "/var/lib/dokku"))
	p.Events = envOr("UPGRADE_GUARD_EVENTS", "/etc/upgrade-guard/events.d")
	p.PluginPath = envOr("PLUGIN_PATH", filepath.Join(p.LibRoot, "plugins"))
	p.Nginx = envOr("NGINX_ROOT", "/etc/nginx")
	p.Pages = envOr("MAINTENANCE_DATA_ROOT", "/var/www/dokku-maintenance")
	for k, v := range map[string]string{
		"DOKKU_ROOT": p.DokkuRoot, "DOKKU_LIB_ROOT": p.LibRoot,
		"DOKKU_SYSTEM_USER": p.User, "DOKKU_SYSTEM_GROUP": p.Group,
	} {
		os.Setenv(k, v)
	}
	exportForPlugins(p)
	return p
}

// exportForPlugins sets what dokku exports for its plugins and a root shell lacks:
// the hooks of apt and dpkg, and the queue that they start. plugn needs PLUGIN_PATH,
// core's triggers find their helpers by the others; without DOKKU_DISTRO nginx is not
// reloaded. DOCKER_BIN is exportDocker's.
//
// Where PLUGIN_PATH is set but means the core plugins only (dokku
// plugin:install --core does that, from every version on), it is left alone:
// whoever set it wants just those.
func exportForPlugins(p Paths) {
	core := envOr("PLUGIN_CORE_PATH", filepath.Join(p.LibRoot, "core-plugins"))
	logs := envOr("DOKKU_LOGS_DIR", "/var/log/dokku")
	for k, v := range map[string]string{
		"PLUGIN_PATH":                p.PluginPath,
		"PLUGIN_AVAILABLE_PATH":      filepath.Join(p.PluginPath, "available"),
		"PLUGIN_ENABLED_PATH":        filepath.Join(p.PluginPath, "enabled"),
		"PLUGIN_CORE_PATH":           core,
		"PLUGIN_CORE_AVAILABLE_PATH": filepath.Join(core, "available"),
		"PLUGIN_CORE_ENABLED_PATH":   filepath.Join(core, "enabled"),

		"DOKKU_HOST_ROOT":            p.DokkuRoot,
		"DOKKU_DISTRO":               distribution(),
		"DOKKU_API_VERSION":          "1",
		"DOKKU_NOT_IMPLEMENTED_EXIT": "10",
		"DOKKU_VALID_EXIT":           "0",
		"DOKKU_PID":                  strconv.Itoa(os.Getpid()),
		"DOKKU_LOGS_DIR":             logs,
		"DOKKU_EVENTS_LOGFILE":       filepath.Join(logs, "events.log"),
	} {
		if os.Getenv(k) == "" {
			os.Setenv(k, v)
		}
	}
}

// distribution is this machine's, by the name that Dokku goes by: ID of os-release.
func distribution() string {
	release, err := readFile("/etc/os-release", 64<<10)
	if err != nil {
		return ""
	}
	for _, l := range strings.Split(string(release), "\n") {
		if id, ok := strings.CutPrefix(l, "ID="); ok {
			return strings.Trim(strings.TrimSpace(id), `"'`)
		}
	}
	return ""
}

// Setenv sets a variable for this process and for all that it runs, until restore is
// called.
func Setenv(key, value string) (restore func()) {
	was, set := os.LookupEnv(key)
	os.Setenv(key, value)
	return func() {
		if set {
			os.Setenv(key, was)
		} else {
			os.Unsetenv(key)
		}
	}
}

func envOr(key, def string) string {
	if v := os.Getenv(key); v != "" {
		return v
	}
	return def
}

// App is the directory of an app.
func (p Paths) App(app string) string { return filepath.Join(p.DokkuRoot, app) }

// Property is the file of a property.
func (p Paths) Property(namespace, scope, property string) string {
	return filepath.Join(p.LibRoot, "config", namespace, scope, property)
}

// Data is a file or directory in our own data directory.
func (p Paths) Data(elem ...string) string {
	return filepath.Join(append([]string{p.LibRoot, "data", Plugin}, elem...)...)
}
