package apt_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

func TestAptUpgrade(t *testing.T) {
	m := newMachine(t)
	out := m.run(true, "apt-get", "dist-upgrade")
	for _, want := range []string{"Dokku 0.20.4 to 0.35.5: 5 at risk, 5 handled", "Dokku 0.20.4 to 0.35.5: nothing to do"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	m.through()

	// The same version once more, and again: a baseline for the first only, as nothing
	// has changed since; but every other plugin is told of both.
	for _, trigger := range []string{"pre-upgrade", "post-upgrade"} {
		m.put(plugins+"/enabled/other/"+trigger, "#!/bin/sh\necho "+trigger+" $@ >>/home/dokku/.told\n")
	}
	m.run(true, "apt-get", "install", "--reinstall", "dokku")
	m.run(true, "apt-get", "install", "--reinstall", "dokku")
	if told, want := m.read("/home/dokku/.told"), strings.Repeat("pre-upgrade 0.35.5 0.35.5\npost-upgrade 0.35.5 0.35.5\n", 2); told+"\n" != want {
		t.Errorf("the other plugin was told\n%s", told)
	}
	if n := m.snapshots("0.35.5-pre-upgrade"); n != 1 {
		t.Errorf("%d baselines of the reinstallation", n)
	}
	m.whole()
}

func TestDpkgAlone(t *testing.T) {
	m := newMachine(t)
	m.run(true, "mv", m.deb("dokku", "0.35.5"), "/renamed.deb")
	m.run(true, "dpkg", "-i", "/renamed.deb")
	m.through()
}

// Given up after the list, or half-way: what was written ahead is withdrawn, and the
// next upgrade is guarded like the first.
func TestGivenUp(t *testing.T) {
	m := newMachine(t)
	cmd := m.command(own+"/packages", "preflight")
	cmd.Stdin = strings.NewReader(announced)
	out, err := cmd.CombinedOutput()
	if err != nil || m.scale("blog") == "" {
		t.Fatalf("%v: %s", err, out)
	}
	m.run(true, "apt-get", "install", "--reinstall", "cherry")
	if m.scale("blog") != "" || m.there(data+"/pending") || m.there(own+"/phase") {
		t.Errorf("the scale of blog is %q; phase %q, pending %q", m.scale("blog"), m.read(own+"/phase"), m.read(data+"/pending"))
	}
	m.run(true, "apt-get", "install", "dokku=0.35.5")
	m.through()
}

// What apt hands to its hooks for the upgrade that all of these are about.
const announced = "VERSION 3\nDir=/\nAcquire::http::Proxy=http://proxy:secret@proxy.example.org/\n\ndokku 0.20.4 amd64 none < 0.35.5 amd64 none /x/dokku.deb\n"

// The postinst fails, as the migration of a broken host makes it: the operator is told
// what to run, and the work is done when that has run.
func TestHalfConfigured(t *testing.T) {
	m := newMachine(t)
	m.put("/core-install-fails", "")
	out := m.run(false, "apt-get", "install", "dokku=0.35.5")
	if !strings.Contains(out, "dpkg --configure -a") {
		t.Errorf("it said\n%s", out)
	}
	if n := m.snapshots("0.35.5-post-upgrade"); n != 0 {
		t.Error("the post-upgrade work was done too early")
	}
	out = m.run(false, "dokku", "upgrade-guard:apply")
	if !strings.Contains(strings.Join(strings.Fields(out), " "), "has not come to its end (dpkg says half-configured)") {
		t.Errorf("apply said\n%s", out)
	}
	m.must(os.Remove(m.root + "/core-install-fails"))
	m.run(true, "dpkg", "--configure", "-a")
	m.through()
}

// Nothing can be recorded: apt is refused before anything is unpacked, and the
// file that the message names overrides it. The seed alone is not possible then,
// so what is left is the upgrade without us.
func TestRefused(t *testing.T) {
	m := newMachine(t)
	m.must(os.RemoveAll(m.root + data + "/snapshots"))
	m.put(data+"/snapshots", "a file in the place of the directory")
	out := m.run(false, "apt-get", "install", "dokku=0.35.5")
	if !strings.Contains(out, "the upgrade of Dokku is refused") || !strings.Contains(out, "To upgrade all the same:\n !         touch /etc/upgrade-guard.go-ahead") {
		t.Errorf("it said\n%s", out)
	}
	if v := m.read("/var/lib/dokku/STABLE_VERSION"); v != "0.20.4" {
		t.Errorf("on the disk is %s", v)
	}
	m.run(true, "apt-get", "install", "cherry", "--reinstall")
	m.whole()
	m.put("/etc/upgrade-guard.go-ahead", "")
	m.run(true, "apt-get", "install", "dokku=0.35.5")
	m.whole()
}

// A version that deletes what no snapshot holds.
func TestRefusedBecauseOfUnderscores(t *testing.T) {
	m := newMachine(t)
	m.dokkuPackage("0.22.1")
	m.index()
	out := m.run(false, "apt-get", "install", "dokku=0.22.1")
	for _, says := range []string{"the upgrade of Dokku is refused", "dokku=0.22.9",
		"api_server: 0.22.1 deletes the app, with its code", "jobs_only: 0.22.1", "my_app: 0.22.1", "never_deployed: 0.22.1"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), says) {
			m.t.Errorf("it does not say %q:\n%s", says, out)
		}
	}
	m.whole()
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
		if out := m.run(true, "dpkg", "-i", m.deb(name, "2.0")); strings.Count(out, says) != 1 {
			t.Errorf("of %s it said\n%s", name, out)
		}
		m.report("Done at")
	}
	if out := m.run(true, "dpkg", "--unpack", m.deb("nginx", "2.0")); strings.Contains(out, says) {
		t.Errorf("before nginx is in service it said\n%s", out)
	}
	if out := m.run(true, "dpkg", "--configure", "-a"); !strings.Contains(out, says) {
		t.Errorf("it said\n%s", out)
	}
	m.report("Done at")
}

// dpkg --root works on another system: what is not done here stays undone.
func TestAnotherRoot(t *testing.T) {
	m := newMachine(t)
	m.put("/var/lib/dpkg/info/dokku.list", "/.\n") // as after an upgrade that nobody has seen
	m.put("/var/lib/dokku/STABLE_VERSION", "0.35.5")
	for _, d := range []string{"info", "updates"} {
		m.must(os.MkdirAll(m.root+"/other/var/lib/dpkg/"+d, 0o755))
	}
	m.put("/other/var/lib/dpkg/status", "")
	out := m.run(true, "dpkg", "--root=/other", "--force-script-chrootless", "--force-bad-path", "--log=/dev/null", "-i", m.deb("cherry", "1.0"))
	if strings.Contains(out, "Dokku") || m.snapshots("0.35.5-post-upgrade") != 0 {
		t.Errorf("it said\n%s", out)
	}
	if out := m.run(true, "dpkg", "-i", m.deb("cherry", "1.0")); !strings.Contains(out, "Dokku 0.20.4 to 0.35.5") {
		t.Errorf("on its own system it said\n%s", out)
	}
}

// Two at once: one baseline, no deadlock, and nobody waits long.
func TestTwoAtOnce(t *testing.T) {
	m := newMachine(t)
	for _, name := range []string{"jobs_only", "my_app"} { // else it is said that they have none
		m.put("/images/"+name+"/app/Procfile", "web: /web\nworker: /web worker\n")
	}
	var group errgroup.Group
	begin := time.Now()
	for n := range 6 {
		group.Go(func() error {
			cmd := m.command(own+"/packages", "preflight")
			if n%2 == 1 {
				cmd = m.command("env", "DPKG_MAINTSCRIPT_PACKAGE=dokku", "DPKG_MAINTSCRIPT_NAME=prerm", "dokku", "cleanup")
			}
			cmd.Stdin = strings.NewReader(announced)
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
	cmd := m.command(own+"/packages", "preflight")
	cmd.Stdin = strings.NewReader(announced)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.run(true, "dokku", "upgrade-guard:snapshot")
	m.run(true, "dpkg", "-i", m.deb("dokku", "0.35.5"))
	m.through()
}

// What an apt run costs that has nothing to do with Dokku, all calls of ours together:
// 30 ms of the processors' time at most, which other work on the machine does not
// change; no program of ours is started, and nothing written or said.
func TestCost(t *testing.T) {
	m := newMachine(t)
	once := func() time.Duration {
		cmd := m.command("apt-get", "install", "--reinstall", "cherry")
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(string(out), "upgrade-guard") {
			t.Fatalf("%v: %s", err, out)
		}
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	median := func(times []time.Duration) time.Duration {
		slices.Sort(times)
		return times[len(times)/2]
	}
	once()
	hooks := []string{"/etc/apt/apt.conf.d/80upgrade-guard", "/etc/dpkg/dpkg.cfg.d/upgrade-guard"}
	before := m.state()
	m.must(os.Rename(m.root+binary, m.root+binary+".away"))
	m.put(binary, "#!/bin/sh\n: >/tmp/started\n")
	with, without := []time.Duration{}, []time.Duration{}
	for range 20 { // by turns, since a machine has better and worse minutes
		with = append(with, once())
		for _, name := range hooks {
			m.must(os.Rename(m.root+name, m.root+"/"+filepath.Base(name)))
		}
		without = append(without, once())
		for _, name := range hooks {
			m.must(os.Rename(m.root+"/"+filepath.Base(name), m.root+name))
		}
	}
	added := median(with) - median(without)
	t.Logf("an apt run takes %s, without us %s: %s more (medians of 20)", median(with).Round(time.Millisecond), median(without).Round(time.Millisecond), added.Round(100*time.Microsecond))
	if added > 30*time.Millisecond {
		t.Errorf("%s are added", added)
	}
	if m.there("/tmp/started") {
		t.Error("the plugin's binary was started")
	}
	m.must(os.Rename(m.root+binary+".away", m.root+binary))
	if diff := cmp.Diff(before, m.state()); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
}

// Law 4: whatever has become of the plugin, dpkg and apt go on.
func TestThePluginIsBroken(t *testing.T) {
	for about, breakIt := range map[string]func(*machine){
		"disabled": func(m *machine) { m.must(os.Remove(m.root + plugins + "/enabled/upgrade-guard")) },
		"gone":     func(m *machine) { m.must(os.RemoveAll(m.root + plugins + "/available/upgrade-guard")) },
		"corrupt":  func(m *machine) { m.put(binary, "\x7fELF and no more") },
		"panics":   func(m *machine) { m.put(binary, "#!/bin/sh\nexit 2\n") },
		"read-only": func(m *machine) {
			m.must(os.RemoveAll(m.root + data + "/snapshots"))
			m.put(data+"/snapshots", "")
			m.put("/etc/upgrade-guard.go-ahead", "")
		},
		"no hooks": func(m *machine) { m.must(os.Remove(m.root + own + "/packages")) },
		"no place": func(m *machine) {
			m.must(os.RemoveAll(m.root + "/run/upgrade-guard"))
			m.put("/run/upgrade-guard", "a file in the place of the directory")
		},
		"no user": func(m *machine) { m.replace(own+"/packages", "user=dokku", "user=nobody-of-this-name") },
	} {
		t.Run(about, func(t *testing.T) {
			m := newMachine(t)
			breakIt(m)
			m.run(true, "apt-get", "install", "apple=2.0")
			m.run(true, "apt-get", "install", "dokku=0.35.5")
			m.whole()
			if v := m.read("/var/lib/dokku/STABLE_VERSION"); v != "0.35.5" {
				t.Errorf("on the disk is %s", v)
			}
			if gone := !m.there(own); gone != (about == "gone") {
				t.Errorf("root's files are gone: %v", gone)
			}
		})
	}
}
