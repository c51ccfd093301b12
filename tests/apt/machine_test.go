// Package apt_test plays upgrades through the machine's own apt and dpkg, as root and
// with a Dokku user: on an overlay of this machine, of which nothing is left, with
// packages that the test makes itself: a dokku whose prerm and postinst call dokku as
// the real ones do, and half a dozen others. The hooks, the lines that dokku reads, the
// shell that installs them and the plugin's binary are the real ones.
package apt_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"upgrade-guard/tests/sandbox"
)

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "play-core-install":
		// What dokku plugin:install --core does, as it was recorded.
		from, err := os.ReadFile("/installed-version")
		if err == nil {
			err = sandbox.Host{Dir: "/"}.Install(strings.TrimSpace(string(from)), os.Args[1])
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case "upgrade-guard", "witness":
		witness()
		os.Exit(0)
	}
	sandbox.Main()
	os.Exit(m.Run())
}

// dokkuScript is the part of the dokku command that an upgrade comes by: like the
// real one it reads .dokkurc as whoever has called it, and goes on as the Dokku user,
// but for plugin:*.
const dokkuScript = `#!/usr/bin/env bash
set -eo pipefail
shopt -s nullglob
export DOKKU_ROOT=/home/dokku SANDBOX=/
for f in $DOKKU_ROOT/.dokkurc/*; do source "$f"; done
export DOKKU_LIB_ROOT=/var/lib/dokku PLUGIN_PATH=/var/lib/dokku/plugins
if [[ $(id -un) != dokku && $1 != plugin:* ]]; then
  exec runuser -u dokku -- "$0" "$@"
fi
case "$*" in
  cleanup) echo "-----> Cleaning up..." ;;
  "plugin:install --core")
    [ ! -e /core-install-fails ] || { echo "core's installation fails" >&2; exit 1; }
    version=$(<"$DOKKU_LIB_ROOT/STABLE_VERSION")
    [ "$version" = "$(</installed-version)" ] || /sandbox/play-core-install "$version"
    chown -R dokku:dokku /home/dokku /var/lib/dokku/config /var/lib/dokku/data /docker-inspect.json
    echo "$version" >/installed-version
    ;;
  "plugin:install")
    for p in $PLUGIN_PATH/enabled/*; do "$p/install"; done ;;
  "plugin:uninstall upgrade-guard")
    $PLUGIN_PATH/enabled/upgrade-guard/uninstall upgrade-guard
    rm -rf $PLUGIN_PATH/enabled/upgrade-guard $PLUGIN_PATH/available/upgrade-guard ;;
  upgrade-guard:*)
    command=${1#upgrade-guard:}
    exec "$PLUGIN_PATH/enabled/upgrade-guard/subcommands/$command" "$@" ;;
  *) exec /sandbox/dokku "$@" ;;
esac
`

const (
	plugins = "/var/lib/dokku/plugins"
	data    = "/var/lib/dokku/data/upgrade-guard"
	own     = "/usr/local/lib/upgrade-guard"
	binary  = plugins + "/available/upgrade-guard/bin/upgrade-guard"
)

// machine is a root with a Dokku 0.20.4 that dpkg has installed, and the guard.
type machine struct {
	t    *testing.T
	root string
	ctx  context.Context // ends what hangs
}

// newMachine makes one, with the guard installed; bare is one without.
func newMachine(t *testing.T) *machine {
	t.Helper()
	m := bare(t)
	m.run(true, "dokku", "plugin:install")
	return m
}

func bare(t *testing.T) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("dpkg needs root")
	}
	for _, tool := range []string{"apt-get", "dpkg-deb", "dpkg-scanpackages", "runuser", "useradd", "setsid"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here", tool)
		}
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	m := &machine{t, dir + "/root", ctx}
	m.mount(dir)

	// Nothing of this machine's packages but dpkg, and nobody's hooks.
	for _, name := range []string{"/var/lib/dpkg/info", "/var/lib/apt/lists", "/etc/apt/apt.conf.d", "/etc/apt/sources.list.d", "/etc/apt/preferences.d", "/var/cache/apt/archives", "/usr/local/bin", "/usr/local/lib/upgrade-guard", "/home/dokku", "/var/lib/dokku"} {
		m.must(os.RemoveAll(m.root + name))
	}
	for _, name := range []string{"/var/lib/dpkg/info", "/var/lib/apt/lists/partial", "/etc/apt/apt.conf.d", "/etc/apt/preferences.d", "/var/cache/apt/archives/partial", "/repo", "/sandbox"} {
		m.must(os.MkdirAll(m.root+name, 0o755))
	}
	m.put("/var/lib/dpkg/status", "Package: dpkg\nStatus: install ok installed\nPriority: required\nSection: admin\n"+
		"Maintainer: nobody <nobody@example.org>\nArchitecture: all\nVersion: 1.21\nDescription: dpkg\n")
	m.put("/var/lib/dpkg/info/dpkg.list", "/.\n")
	m.put("/var/lib/dpkg/info/dpkg.md5sums", "d41d8cd98f00b204e9800998ecf8427e  dpkg\n")
	m.put("/etc/apt/sources.list", "deb [trusted=yes] file:/repo ./\n")
	m.put("/etc/apt/apt.conf.d/00test", `APT::Sandbox::User "root"; APT::Get::Assume-Yes "true"; Dpkg::Use-Pty "false";`)
	m.put("/installed-version", "0.20.4\n")
	m.mayFail("userdel", "dokku")
	m.run(true, "useradd", "--home-dir", "/home/dokku", "--shell", "/bin/bash", "--create-home", "dokku")

	// The recorded host, and what stands in for Dokku's programs.
	_, err := sandbox.New(m.root, sandbox.Before)
	m.must(err)
	exe, err := os.Executable()
	m.must(err)
	m.copy(exe, "/sandbox/it")
	for name := range sandbox.Commands() {
		m.must(os.Symlink("it", m.root+"/sandbox/"+name))
		if name != "dokku" && !strings.HasPrefix(name, "apt") {
			m.put("/usr/bin/"+name, "#!/bin/sh\nSANDBOX=/ DOKKU_ROOT=/home/dokku DOKKU_LIB_ROOT=/var/lib/dokku PLUGIN_PATH="+plugins+" exec /sandbox/"+name+" \"$@\"\n")
		}
	}
	m.must(os.Symlink("it", m.root+"/sandbox/play-core-install"))
	m.put("/usr/bin/dokku", dokkuScript)

	m.dokkuPackage("0.20.4")
	installed := []string{"-i", m.deb("dokku", "0.20.4")}
	for _, name := range []string{"apple", "banana", "cherry", "grape", "lemon", "melon", "docker.io", "nginx"} {
		m.pack(name, "1.0", nil)
		installed = append(installed, m.deb(name, "1.0"))
	}
	m.run(true, "dpkg", installed...)
	m.dokkuPackage("0.35.5")
	m.pack("apple", "2.0", nil)
	m.pack("melon", "2.0", nil)
	m.index()

	// As the release archive brings it, so that nothing is built in there.
	repository, err := filepath.Abs("../..")
	m.must(err)
	tree := m.root + plugins + "/available/upgrade-guard"
	m.must(os.MkdirAll(tree+"/bin", 0o755))
	for _, cmd := range [][]string{
		{"sh", "-c", "cp -RP plugin.toml install uninstall run hook subcommands $(find . -maxdepth 1 -type l) " + tree},
		{"go", "build", "-o", tree + "/bin/upgrade-guard-" + architecture(), "./src"},
	} {
		command := exec.Command(cmd[0], cmd[1:]...)
		command.Dir = repository
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}
	m.must(os.Symlink(plugins+"/available/upgrade-guard", m.root+plugins+"/enabled/upgrade-guard"))
	m.run(true, "chown", "-R", "dokku:dokku", "/home/dokku", "/var/lib/dokku", "/docker-inspect.json")
	return m
}

// architecture is this machine's, by the name that the release archive goes by.
func architecture() string {
	if runtime.GOARCH == "arm" {
		return "armhf"
	}
	return runtime.GOARCH
}

// mount makes the root: this machine's files below, what is written on a tmpfs above.
func (m *machine) mount(dir string) {
	m.t.Helper()
	mounted := []string{}
	m.t.Cleanup(func() {
		for n := len(mounted) - 1; n >= 0; n-- {
			if err := syscall.Unmount(mounted[n], syscall.MNT_DETACH); err != nil {
				m.t.Errorf("unmounting %s: %v", mounted[n], err)
			}
		}
	})
	mount := func(source, target, kind string, flags uintptr, options string) {
		m.t.Helper()
		m.must(os.MkdirAll(target, 0o755))
		if err := syscall.Mount(source, target, kind, flags, options); err != nil {
			if len(mounted) < 2 {
				m.t.Skipf("no overlay can be mounted here: %v", err)
			}
			m.t.Fatalf("mounting %s: %v", target, err)
		}
		mounted = append(mounted, target)
	}
	mount("none", dir+"/above", "tmpfs", 0, "mode=755")
	m.must(os.Mkdir(dir+"/above/upper", 0o755))
	m.must(os.Mkdir(dir+"/above/work", 0o755))
	mount("overlay", m.root, "overlay", 0, "lowerdir=/,upperdir="+dir+"/above/upper,workdir="+dir+"/above/work")
	mount("/proc", m.root+"/proc", "", syscall.MS_BIND, "")
	mount("/dev", m.root+"/dev", "", syscall.MS_BIND|syscall.MS_REC, "")
	mount("none", m.root+"/run", "tmpfs", 0, "mode=755")
	mount("none", m.root+"/tmp", "tmpfs", 0, "mode=1777")
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) put(path, content string) {
	m.t.Helper()
	m.must(os.MkdirAll(filepath.Dir(m.root+path), 0o755))
	if st, err := os.Lstat(m.root + path); err == nil && !st.IsDir() {
		m.must(os.Remove(m.root + path)) // links too
	}
	m.must(os.WriteFile(m.root+path, []byte(content), 0o755))
}

func (m *machine) copy(from, to string) {
	m.t.Helper()
	b, err := os.ReadFile(from)
	m.must(err)
	m.put(to, string(b))
}

func (m *machine) read(path string) string {
	b, err := os.ReadFile(m.root + path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func (m *machine) there(path string) bool {
	_, err := os.Lstat(m.root + path)
	return err == nil
}

// replace changes a file in place: the limits of the hooks, for instance.
func (m *machine) replace(path string, oldNew ...string) {
	m.t.Helper()
	b, err := os.ReadFile(m.root + path)
	m.must(err)
	for n := 0; n < len(oldNew); n += 2 {
		if !strings.Contains(string(b), oldNew[n]) {
			m.t.Fatalf("%s has no %q", path, oldNew[n])
		}
	}
	m.put(path, strings.NewReplacer(oldNew...).Replace(string(b)))
}

func (m *machine) deb(name, version string) string {
	return fmt.Sprintf("/repo/%s_%s_all.deb", name, version)
}

// pack makes a package with these files, by their place in it.
func (m *machine) pack(name, version string, files map[string]string) {
	m.t.Helper()
	m.must(os.RemoveAll(m.root + "/packing"))
	m.put("/packing/DEBIAN/control", fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: %s\n", name, version, name))
	for path, content := range files {
		m.put("/packing/"+path, content)
	}
	m.run(true, "dpkg-deb", "--root-owner-group", "--build", "/packing", m.deb(name, version))
}

func (m *machine) dokkuPackage(version string) {
	m.pack("dokku", version, map[string]string{
		"DEBIAN/prerm":                     "#!/bin/sh\nset -e\ndokku cleanup\n",
		"DEBIAN/postinst":                  "#!/bin/sh\nset -e\n[ \"$1\" != configure ] || dokku plugin:install --core\n",
		"DEBIAN/postrm":                    "#!/bin/sh\nexit 0\n",
		"var/lib/dokku/STABLE_VERSION":     version,
		"var/lib/dokku/VERSION":            "v" + version,
		"var/lib/dokku/core-plugins/dummy": "",
	})
}

// command runs on the machine, with a root's environment and nothing of the test's.
func (m *machine) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(m.ctx, "/usr/sbin/chroot", append([]string{m.root, "/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		"DEBIAN_FRONTEND=noninteractive", name}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

func (m *machine) run(want bool, name string, args ...string) string {
	m.t.Helper()
	out, err := m.command(name, args...).CombinedOutput()
	if (err == nil) != want {
		m.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (m *machine) mayFail(name string, args ...string) { _ = m.command(name, args...).Run() }

// snapshots counts those of a version and reason.
func (m *machine) snapshots(suffix string) int {
	found, err := filepath.Glob(m.root + data + "/snapshots/*-" + suffix + ".tar.gz")
	m.must(err)
	return len(found)
}

func (m *machine) scale(name string) string {
	return strings.ReplaceAll(m.read("/var/lib/dokku/config/ps/"+name+"/scale"), "\n", " ")
}

// through says what is wrong after an upgrade to 0.35.5 that was guarded.
func (m *machine) through() {
	m.t.Helper()
	for name, want := range map[string]string{"my_app": "web=2 worker=1", "blog": "web=3 worker=0", "jobs_only": "web=0 worker=2", "never_deployed": "web=1"} {
		if got := m.scale(name); got != want {
			m.t.Errorf("the scale of %s is %q", name, got)
		}
	}
	if pre, post := m.snapshots("0.20.4-pre-upgrade"), m.snapshots("0.35.5-post-upgrade"); pre != 1 || post != 1 {
		m.t.Errorf("%d baselines and %d post-upgrades", pre, post)
	}
	if m.there(data + "/pending") {
		m.t.Error("the upgrade is still pending")
	}
	m.whole()
}

// whole says what dpkg finds wrong with its packages, and what is left of an upgrade.
func (m *machine) whole() {
	m.t.Helper()
	if out := m.run(true, "dpkg", "--audit"); out != "" {
		m.t.Errorf("dpkg --audit: %s", out)
	}
}

// state is all that the guard could write to.
func (m *machine) state() string {
	var b strings.Builder
	for _, root := range []string{"/home", "/var/lib/dokku", own, "/run", "/etc"} {
		m.must(filepath.WalkDir(m.root+root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				st, err := d.Info()
				m.must(err)
				fmt.Fprintln(&b, path, st.Size(), st.ModTime())
			}
			return err
		}))
	}
	return b.String()
}

// index makes the repository's list of packages anew.
func (m *machine) index() {
	m.t.Helper()
	m.run(true, "sh", "-c", "cd /repo && dpkg-scanpackages --multiversion . >Packages 2>/dev/null")
	m.run(true, "apt-get", "update", "-qq")
}
