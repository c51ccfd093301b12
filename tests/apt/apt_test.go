// Package apt_test plays upgrades through the machine's own apt and dpkg, in a
// scratch root with packages that the test makes itself: a dokku whose prerm and
// postinst call dokku as the real ones do, and half a dozen others. The hooks,
// the lines that dokku reads, and the plugin's binary are the real ones. It needs
// root, as dpkg does.
package apt_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"upgrade-guard/hook"
	"upgrade-guard/src/host"
	"upgrade-guard/tests/sandbox"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "play-core-install" {
		// What dokku plugin:install --core does, as it was recorded.
		from, err := os.ReadFile(os.Getenv("SANDBOX") + "/installed-version")
		if err == nil {
			err = sandbox.Host{Dir: os.Getenv("SANDBOX")}.Install(strings.TrimSpace(string(from)), os.Args[1])
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	sandbox.Main()
	os.Exit(m.Run())
}

// dokkuScript is the part of the dokku command that an upgrade comes by.
const dokkuScript = `#!/usr/bin/env bash
set -eo pipefail
shopt -s nullglob
for f in $DOKKU_ROOT/.dokkurc/*; do source "$f"; done
case "$*" in
  cleanup) echo "-----> Cleaning up..." ;;
  "plugin:install --core")
    [ ! -e "$SANDBOX/core-install-fails" ] || { echo "core's installation fails" >&2; exit 1; }
    version=$(<"$DOKKU_LIB_ROOT/STABLE_VERSION")
    [ "$version" = "$(<"$SANDBOX/installed-version")" ] || play-core-install "$version"
    echo "$version" >"$SANDBOX/installed-version"
    ;;
  upgrade-guard:*)
    command=${1#upgrade-guard:}
    exec "$PLUGIN_PATH/enabled/upgrade-guard/subcommands/$command" "$@" ;;
  *) exec sandbox-dokku "$@" ;;
esac
`

// machine is a scratch root with a Dokku 0.20.4 that dpkg has installed.
type machine struct {
	t    *testing.T
	root string
	repo string
	conf string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("dpkg needs root")
	}
	for _, tool := range []string{"apt-get", "dpkg-deb", "dpkg-scanpackages", "runuser"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here", tool)
		}
	}
	dir := t.TempDir()
	m := &machine{t, dir + "/root", dir + "/repo", dir + "/apt.conf"}
	box, err := sandbox.New(m.root, sandbox.Before)
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range box.Env() {
		k, v, _ := strings.Cut(kv, "=")
		t.Setenv(k, v)
	}
	t.Setenv("DPKG_FRONTEND_LOCKED", "")
	os.Unsetenv("DPKG_FRONTEND_LOCKED")

	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := dir + "/bin"
	if err := sandbox.InstallCommands(bin, exe); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"apt-get", "apt-cache", "dokku"} {
		m.must(os.Remove(filepath.Join(bin, name)))
	}
	m.must(os.Symlink(exe, bin+"/play-core-install"))
	m.put(bin+"/dokku", dokkuScript)
	m.put(bin+"/systemd-run", "#!/bin/sh\nexit 1\n") // what it starts has none of this environment
	m.put(bin+"/dpkg-query", "#!/bin/sh\nexec /usr/bin/dpkg-query --admindir="+m.root+"/var/lib/dpkg \"$@\"\n")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))

	for _, d := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/lib/apt/lists/partial",
		"var/cache/apt/archives/partial", "etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/log/apt"} {
		m.must(os.MkdirAll(filepath.Join(m.root, d), 0o755))
	}
	m.put(m.root+"/var/lib/dpkg/status", "Package: dpkg\nStatus: install ok installed\nPriority: required\nSection: admin\n"+
		"Maintainer: nobody <nobody@example.org>\nArchitecture: all\nVersion: 1.21\nDescription: dpkg\n")
	m.put(m.root+"/var/lib/dpkg/info/dpkg.list", "/.\n")
	m.put(m.root+"/var/lib/dpkg/info/dpkg.md5sums", "d41d8cd98f00b204e9800998ecf8427e  dpkg\n")
	m.must(os.MkdirAll(m.repo, 0o755))
	m.put(m.root+"/installed-version", "0.20.4\n")
	m.put(m.conf, "")

	m.dokkuPackage("0.20.4")
	installed := []string{"-i", m.deb("dokku", "0.20.4")}
	for _, name := range []string{"apple", "banana", "cherry", "grape", "lemon", "melon", "docker.io", "nginx"} {
		m.pack(name, "1.0", nil)
		installed = append(installed, m.deb(name, "1.0"))
	}
	m.dpkg(installed...)
	m.dokkuPackage("0.35.5")
	m.pack("apple", "2.0", nil)
	m.pack("melon", "2.0", nil)
	m.installGuard(dir, box)
	return m
}

// installGuard builds the plugin, enables it, and puts the hooks in place as
// install does, with their paths in the scratch root.
func (m *machine) installGuard(dir string, box sandbox.Host) {
	m.t.Helper()
	tree := dir + "/upgrade-guard"
	repository, err := filepath.Abs("../..")
	m.must(err)
	m.run(true, "mkdir", "-p", tree+"/bin")
	m.run(true, "go", "build", "-C", repository, "-o", tree+"/bin/upgrade-guard", "./src")
	m.run(true, "cp", repository+"/run", tree)
	m.run(true, tree+"/bin/upgrade-guard", "links")
	m.must(box.Enable("upgrade-guard", tree))
	m.run(true, tree+"/bin/upgrade-guard", "trigger", "install")

	const place, after = "/usr/local/lib/upgrade-guard/packages", "/usr/local/lib/upgrade-guard/after"
	files := hook.Root(host.FromEnv())
	m.put(m.root+place, strings.NewReplacer("/etc/upgrade-guard.go-ahead", m.root+"/go-ahead", "/run/upgrade-guard.gave-up", m.root+"/gave-up",
		"/etc/apt/", m.root+"/etc/apt/", "/etc/dpkg/", m.root+"/etc/dpkg/", "own=/usr", "own="+m.root+"/usr",
		"system=/ admindir=/", "system="+m.root+" admindir="+m.root+"/").Replace(files[place]))
	m.put(m.root+after, files[after])
	m.must(os.Symlink(tree, m.root+"/var/lib/dokku/plugins/available/upgrade-guard"))
	m.put(m.root+"/usr/local/lib/upgrade-guard/seen", "")
	m.put(m.root+"/etc/apt/apt.conf.d/80upgrade-guard", strings.ReplaceAll(files["/etc/apt/apt.conf.d/80upgrade-guard"], place, m.root+place))
	dpkgHook := strings.ReplaceAll(strings.TrimPrefix(lastLine(files["/etc/dpkg/dpkg.cfg.d/upgrade-guard"]), "post-invoke="), place, m.root+place)
	m.put(dir+"/dpkg-hook", dpkgHook)
	m.put(m.conf, fmt.Sprintf(`Dir "%[1]s";
Dir::State::status "%[1]s/var/lib/dpkg/status";
Dir::Bin::dpkg "/usr/bin/dpkg";
Dir::Etc::sourcelist "%[2]s/sources.list";
Dir::Etc::sourceparts "-";
DPkg::Path "%[4]s";
APT::Sandbox::User "root";
APT::Get::Assume-Yes "true";
APT::Get::AllowUnauthenticated "true";
Dpkg::Use-Pty "false";
DPkg::Options { "--root=%[1]s"; "--force-script-chrootless"; "--force-bad-path"; "--log=/dev/null"; "--post-invoke=%[3]s"; };
`, m.root, filepath.Dir(m.conf), dpkgHook, os.Getenv("PATH")))
	m.put(filepath.Dir(m.conf)+"/sources.list", "deb [trusted=yes] file:"+m.repo+" ./\n")
	m.t.Setenv("APT_CONFIG", m.conf)
	m.index()
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) put(path, content string) {
	m.t.Helper()
	m.must(os.MkdirAll(filepath.Dir(path), 0o755))
	m.must(os.WriteFile(path, []byte(content), 0o755))
}

func (m *machine) deb(name, version string) string {
	return fmt.Sprintf("%s/%s_%s_all.deb", m.repo, name, version)
}

// pack makes a package with these files, by their place in it.
func (m *machine) pack(name, version string, files map[string]string) {
	m.t.Helper()
	dir := m.t.TempDir()
	m.put(dir+"/DEBIAN/control", fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: %s\n", name, version, name))
	for path, content := range files {
		m.put(dir+"/"+path, content)
	}
	m.run(true, "dpkg-deb", "--root-owner-group", "--build", dir, m.deb(name, version))
}

func (m *machine) dokkuPackage(version string) {
	m.pack("dokku", version, map[string]string{
		"DEBIAN/prerm":                     "#!/bin/sh\nset -e\ndokku cleanup\n",
		"DEBIAN/postinst":                  "#!/bin/sh\nset -e\n[ \"$1\" != configure ] || dokku plugin:install --core\n",
		"var/lib/dokku/STABLE_VERSION":     version,
		"var/lib/dokku/VERSION":            "v" + version,
		"var/lib/dokku/core-plugins/dummy": "",
	})
}

func (m *machine) run(want bool, name string, args ...string) string {
	m.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if (err == nil) != want {
		m.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (m *machine) dpkg(args ...string) string {
	m.t.Helper()
	options := []string{"--root=" + m.root, "--force-script-chrootless", "--force-bad-path", "--log=/dev/null"}
	if b, err := os.ReadFile(filepath.Dir(m.conf) + "/dpkg-hook"); err == nil {
		options = append(options, "--post-invoke="+string(b))
	}
	return m.run(true, "dpkg", append(options, args...)...)
}

// snapshots counts those of a version and reason.
func (m *machine) snapshots(suffix string) int {
	found, err := filepath.Glob(m.root + "/var/lib/dokku/data/upgrade-guard/snapshots/*-" + suffix + ".tar.gz")
	m.must(err)
	return len(found)
}

func (m *machine) scale(name string) string {
	b, _ := os.ReadFile(m.root + "/var/lib/dokku/config/ps/" + name + "/scale")
	return strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", " ")
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
	if _, err := os.Stat(m.root + "/var/lib/dokku/data/upgrade-guard/pending"); err == nil {
		m.t.Error("the upgrade is still pending")
	}
	m.whole()
}

// whole says what dpkg finds wrong with its packages.
func (m *machine) whole() {
	m.t.Helper()
	if out := m.run(true, "dpkg", "--root="+m.root, "--audit"); out != "" {
		m.t.Errorf("dpkg --audit: %s", out)
	}
}

func (m *machine) state() string {
	var b strings.Builder
	for _, root := range []string{m.root + "/home", m.root + "/var/lib/dokku"} {
		m.must(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
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

func TestAptUpgrade(t *testing.T) {
	m := newMachine(t)
	out := m.run(true, "apt-get", "dist-upgrade")
	for _, want := range []string{"Dokku 0.20.4 to 0.35.5: 5 losses to prevent", "Dokku 0.20.4 to 0.35.5: no loss to put back"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	m.through()

	// What has nothing to do with Dokku leaves nothing and says nothing.
	before := m.state()
	if out := m.run(true, "apt-get", "install", "--reinstall", "cherry"); strings.Contains(out, "upgrade-guard") || strings.Contains(out, "Dokku") {
		t.Errorf("it said\n%s", out)
	}
	if m.state() != before {
		t.Error("something was written")
	}

	// The same version once more, and again: a baseline for the first only, as nothing
	// has changed since; but every other plugin is told of both.
	other := m.root + "/var/lib/dokku/plugins/enabled/other/"
	for _, trigger := range []string{"pre-upgrade", "post-upgrade"} {
		m.put(other+trigger, "#!/bin/sh\necho "+trigger+" $@ >>"+m.root+"/told\n")
	}
	m.run(true, "apt-get", "install", "--reinstall", "dokku")
	m.run(true, "apt-get", "install", "--reinstall", "dokku")
	told, err := os.ReadFile(m.root + "/told")
	m.must(err)
	if want := strings.Repeat("pre-upgrade 0.35.5 0.35.5\npost-upgrade 0.35.5 0.35.5\n", 2); string(told) != want {
		t.Errorf("the other plugin was told\n%s", told)
	}
	if n := m.snapshots("0.35.5-pre-upgrade"); n != 1 {
		t.Errorf("%d baselines of the reinstallation", n)
	}
	m.whole()
}

func TestDpkgAlone(t *testing.T) {
	m := newMachine(t)
	renamed := filepath.Dir(m.conf) + "/renamed.deb"
	m.must(os.Link(m.deb("dokku", "0.35.5"), renamed))
	m.dpkg("-i", renamed)
	m.through()
}

// The postinst fails, as ATLAS 1.2 and 4.3 have it: the operator is told what to
// run, and the work is done when that has run.
func TestHalfConfigured(t *testing.T) {
	m := newMachine(t)
	m.put(m.root+"/core-install-fails", "")
	out := m.run(false, "apt-get", "install", "dokku=0.35.5")
	if !strings.Contains(out, "To do: dpkg --configure -a") {
		t.Errorf("it said\n%s", out)
	}
	if n := m.snapshots("0.35.5-post-upgrade"); n != 0 {
		t.Error("the post-upgrade work was done too early")
	}
	out = m.run(false, "dokku", "upgrade-guard:apply")
	if !strings.Contains(out, "has not come to its end (dpkg says half-configured)") {
		t.Errorf("apply said\n%s", out)
	}
	m.must(os.Remove(m.root + "/core-install-fails"))
	m.dpkg("--configure", "-a")
	m.through()
}

// Nothing can be recorded: apt is refused before anything is unpacked, and the
// file that the message names overrides it. The seed alone is not possible then,
// so what is left is the upgrade without us.
func TestRefused(t *testing.T) {
	m := newMachine(t)
	snapshots := m.root + "/var/lib/dokku/data/upgrade-guard/snapshots"
	m.must(os.RemoveAll(snapshots))
	m.put(snapshots, "a file in the place of the directory")
	out := m.run(false, "apt-get", "install", "dokku=0.35.5")
	if !strings.Contains(out, "the upgrade of Dokku is refused") || !strings.Contains(out, "To upgrade all the same: touch "+m.root+"/go-ahead") {
		t.Errorf("it said\n%s", out)
	}
	if b, _ := os.ReadFile(m.root + "/var/lib/dokku/STABLE_VERSION"); string(b) != "0.20.4" {
		t.Errorf("on the disk is %s", b)
	}
	m.run(true, "apt-get", "install", "cherry", "--reinstall")
	m.whole()
	m.put(m.root+"/go-ahead", "")
	m.run(true, "apt-get", "install", "dokku=0.35.5")
	m.whole()
}

// A version that deletes what no snapshot holds.
func TestRefusedBecauseOfUnderscores(t *testing.T) {
	m := newMachine(t)
	m.dokkuPackage("0.22.1")
	m.index()
	out := m.run(false, "apt-get", "install", "dokku=0.22.1")
	if !strings.Contains(out, "0.22.1 deletes every app with an underscore in its name, with its code: api_server, jobs_only, my_app, never_deployed") {
		t.Errorf("it said\n%s", out)
	}
	m.whole()
}

// index makes the repository's list of packages anew.
func (m *machine) index() {
	m.t.Helper()
	m.run(true, "sh", "-c", "cd "+m.repo+" && dpkg-scanpackages --multiversion . >Packages 2>/dev/null")
	m.run(true, "apt-get", "update", "-qq")
}

// report waits until the report says something.
func (m *machine) report(want string) {
	m.t.Helper()
	out := ""
	for n := 0; n < 100; n++ {
		if out = m.run(true, "dokku", "upgrade-guard:report"); strings.Contains(out, want) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	m.t.Errorf("%q is not in\n%s", want, out)
}

// Docker and nginx, with Dokku and alone: the containers' addresses are looked at
// afterwards, in a process that dpkg does not wait for.
func TestDockerAndNginx(t *testing.T) {
	m := newMachine(t)
	m.pack("docker.io", "2.0", nil)
	m.pack("nginx", "2.0", nil)
	m.index()
	const says = "docker or nginx was upgraded"
	out := m.run(true, "apt-get", "dist-upgrade")
	if strings.Count(out, says) != 1 {
		t.Errorf("it said\n%s", out)
	}
	m.through()
	m.report("Done at")
	if out := m.run(true, "apt-get", "install", "--reinstall", "cherry"); strings.Contains(out, says) {
		t.Errorf("it said\n%s", out)
	}
	for _, name := range []string{"docker.io", "nginx"} {
		if out := m.dpkg("-i", m.deb(name, "2.0")); strings.Count(out, says) != 1 {
			t.Errorf("of %s it said\n%s", name, out)
		}
		m.report("Done at")
	}
	if out := m.dpkg("--unpack", m.deb("nginx", "2.0")); strings.Contains(out, says) {
		t.Errorf("before nginx is in service it said\n%s", out)
	}
	if out := m.dpkg("--configure", "-a"); !strings.Contains(out, says) {
		t.Errorf("it said\n%s", out)
	}
	m.report("Done at")
}

// dpkg --root works on another system: what is not done here stays undone.
func TestAnotherRoot(t *testing.T) {
	m := newMachine(t)
	m.put(m.root+"/var/lib/dokku/STABLE_VERSION", "0.35.5") // as after an upgrade that nobody has seen
	other := t.TempDir()
	for _, d := range []string{"info", "updates"} {
		m.must(os.MkdirAll(other+"/var/lib/dpkg/"+d, 0o755))
	}
	m.put(other+"/var/lib/dpkg/status", "")
	hook, err := os.ReadFile(filepath.Dir(m.conf) + "/dpkg-hook")
	m.must(err)
	out := m.run(true, "dpkg", "--root="+other, "--force-script-chrootless", "--force-bad-path", "--log=/dev/null", "--post-invoke="+string(hook), "-i", m.deb("cherry", "1.0"))
	if strings.Contains(out, "Dokku") || m.snapshots("0.35.5-post-upgrade") != 0 {
		t.Errorf("it said\n%s", out)
	}
	if out := m.dpkg("-i", m.deb("cherry", "1.0")); !strings.Contains(out, "Dokku 0.20.4 to 0.35.5") {
		t.Errorf("on its own system it said\n%s", out)
	}
}

// Two at once: one baseline, no deadlock, and nobody waits long.
func TestTwoAtOnce(t *testing.T) {
	m := newMachine(t)
	list := fmt.Sprintf("VERSION 3\nDir=%s\n\ndokku 0.20.4 amd64 none < 0.35.5 amd64 none /x/dokku.deb\n", m.root)
	var group errgroup.Group
	begin := time.Now()
	for n := range 6 {
		group.Go(func() error {
			cmd := exec.Command(m.root+"/usr/local/lib/upgrade-guard/packages", "preflight")
			if n%2 == 1 {
				cmd = exec.Command("dokku", "cleanup")
				cmd.Env = append(os.Environ(), "DPKG_MAINTSCRIPT_PACKAGE=dokku", "DPKG_MAINTSCRIPT_NAME=prerm")
			}
			cmd.Stdin = strings.NewReader(list)
			out, err := cmd.CombinedOutput()
			if err != nil || strings.Contains(string(out), " ! ") {
				return fmt.Errorf("%v: %s", err, out)
			}
			return nil
		})
	}
	m.must(group.Wait())
	if n := m.snapshots("0.20.4-pre-upgrade"); n != 1 {
		t.Errorf("%d baselines", n)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A snapshot by hand between apt's list and dpkg makes no second baseline.
func TestByHandInBetween(t *testing.T) {
	m := newMachine(t)
	list := fmt.Sprintf("VERSION 3\nDir=%s\n\ndokku 0.20.4 amd64 none < 0.35.5 amd64 none /x/dokku.deb\n", m.root)
	cmd := exec.Command(m.root+"/usr/local/lib/upgrade-guard/packages", "preflight")
	cmd.Stdin = strings.NewReader(list)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.run(true, os.Getenv("PLUGIN_PATH")+"/enabled/upgrade-guard/bin/upgrade-guard", "command", "snapshot", "upgrade-guard:snapshot")
	m.dpkg("-i", m.deb("dokku", "0.35.5"))
	m.through()
}

// What a run of dpkg that has nothing to do with Dokku costs: 30 ms or less. It is
// the processors' time, which other work on the machine does not change.
func TestCost(t *testing.T) {
	m := newMachine(t)
	hook := filepath.Dir(m.conf) + "/dpkg-hook"
	quickest := func() time.Duration {
		options := []string{"--root=" + m.root, "--force-script-chrootless", "--force-bad-path", "--log=/dev/null"}
		if b, err := os.ReadFile(hook); err == nil {
			options = append(options, "--post-invoke="+string(b))
		}
		best := time.Hour
		for range 8 {
			cmd := exec.Command("dpkg", append(options, "-i", m.deb("cherry", "1.0"))...)
			m.must(cmd.Run())
			best = min(best, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		}
		return best
	}
	with := quickest()
	m.must(os.Rename(hook, hook+".away"))
	without := quickest()
	t.Logf("a dpkg call takes %s, without us %s: a ratio of %.2f", with.Round(time.Millisecond), without.Round(time.Millisecond), float64(with)/float64(without))
	if with-without > 30*time.Millisecond {
		t.Errorf("%s are added", with-without)
	}
}

// Law 4: whatever has become of the plugin, dpkg and apt go on.
func TestThePluginIsBroken(t *testing.T) {
	for about, breakIt := range map[string]func(*machine, string){
		"gone": func(m *machine, bin string) {
			m.must(os.Remove(m.root + "/var/lib/dokku/plugins/enabled/upgrade-guard"))
		},
		"corrupt": func(m *machine, bin string) { m.must(os.Remove(bin)); m.put(bin, "\x7fELF and no more") },
		"panics":  func(m *machine, bin string) { m.must(os.Remove(bin)); m.put(bin, "#!/bin/sh\nexit 2\n") },
		"read-only": func(m *machine, bin string) {
			// root writes anyway; a file where a directory should be it cannot.
			m.must(os.RemoveAll(m.root + "/var/lib/dokku/data/upgrade-guard/snapshots"))
			m.put(m.root+"/var/lib/dokku/data/upgrade-guard/snapshots", "")
			m.put(m.root+"/go-ahead", "")
		},
		"no hooks": func(m *machine, bin string) { m.must(os.Remove(m.root + "/usr/local/lib/upgrade-guard/packages")) },
	} {
		t.Run(about, func(t *testing.T) {
			m := newMachine(t)
			bin, err := filepath.EvalSymlinks(m.root + "/var/lib/dokku/plugins/enabled/upgrade-guard/bin/upgrade-guard")
			m.must(err)
			breakIt(m, bin)
			m.run(true, "apt-get", "install", "apple=2.0")
			m.run(true, "apt-get", "install", "dokku=0.35.5")
			m.whole()
			if b, _ := os.ReadFile(m.root + "/var/lib/dokku/STABLE_VERSION"); string(b) != "0.35.5" {
				t.Errorf("on the disk is %s", b)
			}
		})
	}
}
