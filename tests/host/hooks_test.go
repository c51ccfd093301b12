package host_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upgrade-guard/hook"
	"upgrade-guard/src/host"
)

// hooked is a directory in which the hooks are put in place, with a binary, a
// runuser and a dpkg-query that a test makes up.
type hooked struct {
	t     *testing.T
	dir   string
	paths host.Paths
}

func newHooked(t *testing.T) *hooked {
	dir := t.TempDir()
	h := &hooked{t, dir, host.Paths{
		DokkuRoot: dir + "/home", LibRoot: dir + "/lib", PluginPath: dir + "/lib/plugins", User: "dokku", Group: "dokku",
	}}
	h.script("bin/runuser", `[ "$1 $2 $3" = "-u dokku --" ] || exit 99; shift 3; exec "$@"`)
	h.script("bin/dpkg-query", `cat `+dir+`/status`)
	h.put("status", "installed")
	h.put("lib/STABLE_VERSION", "v0.20.4\n")
	h.put("lib/data/upgrade-guard/stamp", "0.20.4\n")
	h.put("lib/plugins/available/upgrade-guard/plugin.toml", "")
	here := strings.NewReplacer("/etc/upgrade-guard.go-ahead", dir+"/go-ahead", "/run/upgrade-guard.gave-up", dir+"/gave-up",
		"guard 60", "guard 1", "guard 30", "guard 1", "patience=120", "patience=1", "patience=10", "patience=1", "admindir=/var/lib/dpkg", "admindir="+dir+"/dpkg",
		"/etc/apt/apt.conf.d/80upgrade-guard", dir+"/apt.conf", "/etc/dpkg/dpkg.cfg.d/upgrade-guard", dir+"/dpkg.cfg",
		"own=/usr/local/lib/upgrade-guard", "own="+dir)
	for _, name := range []string{"packages", "after"} {
		h.put(name, here.Replace(hook.Root(h.paths)["/usr/local/lib/upgrade-guard/"+name]))
	}
	path, dokkurc := hook.Dokkurc(h.paths)
	h.put(strings.TrimPrefix(path, dir+"/"), strings.NewReplacer("/run/upgrade-guard.gave-up", dir+"/gave-up", "UPGRADE_GUARD_WAIT=5", "UPGRADE_GUARD_WAIT=1").Replace(dokkurc))
	return h
}

func (h *hooked) put(name, content string) {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hooked) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *hooked) script(name, body string) { h.put(name, "#!/bin/sh\n"+body+"\n") }

// guard makes the plugin's binary: it notes how it was called, and does body.
func (h *hooked) guard(body string) {
	h.script("lib/plugins/enabled/upgrade-guard/bin/upgrade-guard", `echo "$@" >>`+h.dir+`/calls; `+body)
}

func (h *hooked) calls() string {
	b, _ := os.ReadFile(h.dir + "/calls")
	_ = os.Remove(h.dir + "/calls")
	return strings.TrimSpace(string(b))
}

func (h *hooked) run(stdin string, name string, args ...string) (output string, code int) {
	h.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "PATH="+h.dir+"/bin:"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

const (
	dokkuList = "VERSION 3\nDir=/\nA=b\n\ndokku 0.20.4 amd64 none < 0.35.5 amd64 none /x/dokku.deb\n"
	otherList = "VERSION 3\nDir=/\nA=b\n\nnetrc - - none < 0.11.1 amd64 none /x/netrc.deb\n"
)

// Law 4: whatever state the plugin is in, apt goes on, except for exit code 10.
func TestPreflight(t *testing.T) {
	for _, c := range []struct {
		about, guard, list string
		goAhead            bool
		code               int
		says, calls        string
	}{
		{about: "an upgrade of Dokku", guard: "cat >/dev/null", list: dokkuList, calls: "before apt"},
		{about: "nothing to do with Dokku", guard: "exit 10", list: otherList},
		{about: "refused", guard: "cat >/dev/null; exit 10", list: dokkuList, code: 10, says: "Nothing has been touched yet. To upgrade all the same: touch", calls: "before apt"},
		{about: "refused, and overridden", guard: "cat >/dev/null; exit 10", list: dokkuList, goAhead: true, says: "going on all the same", calls: "before apt"},
		{about: "it hangs", guard: "sleep 30", list: dokkuList, says: "took longer than 60 s", calls: "before apt"},
		{about: "a panic", guard: "exit 2", list: dokkuList, says: "the upgrade goes on without it", calls: "before apt"},
		{about: "a binary that is none", guard: "-", list: dokkuList, says: "the upgrade goes on without it"},
		{about: "the plugin gone or disabled", list: dokkuList, says: "this upgrade of Dokku is not guarded"},
		{about: "an empty list", guard: "exit 10", list: ""},
		{about: "another system's Dokku", guard: "exit 10", list: strings.Replace(dokkuList, "Dir=/", "Dir=/mnt", 1)},
		{about: "another root", guard: "exit 10", list: strings.Replace(dokkuList, "A=b", "RootDir=/mnt", 1)},
	} {
		t.Run(c.about, func(t *testing.T) {
			h := newHooked(t)
			switch c.guard {
			case "":
			case "-":
				h.put("lib/plugins/enabled/upgrade-guard/bin/upgrade-guard", "\x7fELF and no more")
			default:
				h.guard(c.guard)
			}
			if c.goAhead {
				h.put("go-ahead", "")
			}
			out, code := h.run(c.list, "sh", h.dir+"/packages", "preflight")
			if code != c.code || !strings.Contains(out, c.says) || c.says == "" && out != "" {
				t.Errorf("exit code %d, and it said: %s", code, out)
			}
			if calls := h.calls(); calls != c.calls {
				t.Errorf("called was %q", calls)
			}
		})
	}
}

// What dpkg and apt run afterwards acts once, when Dokku is installed, and never
// fails.
func TestAfterwards(t *testing.T) {
	for _, c := range []struct {
		about, by, disk, status, pending, guard string
		says, calls                             string
	}{
		{about: "nothing to do with Dokku", by: "dpkg", disk: "0.20.4", status: "installed"},
		{about: "upgraded", by: "dpkg", disk: "0.35.5", status: "installed", pending: "prerm", calls: "after dpkg"},
		{about: "upgraded, and no hook came before", by: "dpkg", disk: "0.35.5", status: "installed", calls: "after dpkg"},
		{about: "unpacked only", by: "dpkg", disk: "0.35.5", status: "unpacked", pending: "prerm"},
		{about: "another package, before dpkg comes to dokku", by: "dpkg", disk: "0.20.4", status: "installed", pending: "apt"},
		{about: "given up", by: "apt", disk: "0.20.4", status: "installed", pending: "apt", calls: "after apt"},
		{about: "installed again", by: "dpkg", disk: "0.20.4", status: "installed", pending: "prerm", calls: "after dpkg"},
		{about: "half-configured", by: "apt", disk: "0.35.5", status: "half-configured", says: "To do: dpkg --configure -a"},
		{about: "one app cannot be helped", by: "dpkg", disk: "0.35.5", status: "installed", pending: "prerm", guard: "exit 1", says: "could not put everything in order; see above", calls: "after dpkg"},
		{about: "it fails", by: "apt", disk: "0.35.5", status: "installed", guard: "exit 2", says: "To go on: dokku upgrade-guard:apply", calls: "after apt"},
	} {
		t.Run(c.about, func(t *testing.T) {
			h := newHooked(t)
			h.guard(c.guard)
			h.put("status", c.status)
			h.put("lib/STABLE_VERSION", c.disk+"\n")
			if c.pending != "" {
				h.put("lib/data/upgrade-guard/pending", c.pending+"\n")
			}
			out, code := h.run("", "sh", h.dir+"/packages", c.by)
			if code != 0 || !strings.Contains(out, c.says) || c.says == "" && out != "" {
				t.Errorf("exit code %d, and it said: %s", code, out)
			}
			if calls := h.calls(); calls != c.calls {
				t.Errorf("called was %q", calls)
			}
		})
	}
	// One that hangs is waited for by dpkg once, then by apt once and not for long.
	// After that it is said what to do, until there is something else to be done.
	h := newHooked(t)
	h.guard("sleep 30")
	h.put("lib/STABLE_VERSION", "0.35.5")
	for i, c := range []struct{ by, disk, says, calls string }{
		{"dpkg", "0.35.5", "and was stopped", "after dpkg"},
		{"dpkg", "0.35.5", "", ""},
		{"apt", "0.35.5", "and was stopped", "after apt"},
		{"dpkg", "0.35.5", "", ""},
		{"apt", "0.35.5", "To do: dokku upgrade-guard:apply", ""},
		{"dpkg", "0.36.0", "and was stopped", "after dpkg"},
	} {
		h.put("lib/STABLE_VERSION", c.disk)
		out, code := h.run("", "sh", h.dir+"/packages", c.by)
		if code != 0 || !strings.Contains(out, c.says) || c.says == "" && out != "" {
			t.Errorf("%d: exit code %d, and it said: %s", i, code, out)
		}
		if calls := h.calls(); calls != c.calls {
			t.Errorf("%d: called was %q", i, calls)
		}
	}
	// The same version again, and preflight has hung: dpkg's runs for apt do not
	// forget it, before all of them are over.
	h = newHooked(t)
	h.guard("sleep 30")
	for _, c := range []struct {
		by, locked string
		kept       bool
	}{{"preflight", "A=b", true}, {"dpkg", "DPKG_FRONTEND_LOCKED=true", true}, {"apt", "A=b", false}} {
		list := ""
		if c.by == "preflight" {
			list = strings.ReplaceAll(dokkuList, "0.35.5", "0.20.4")
		}
		if out, code := h.run(list, "env", c.locked, "sh", h.dir+"/packages", c.by); code != 0 {
			t.Errorf("%s: exit code %d, and it said: %s", c.by, code, out)
		}
		if _, err := os.Stat(h.dir + "/gave-up"); (err == nil) != c.kept {
			t.Errorf("after %s: that it has hung is noted: %v", c.by, err == nil)
		}
	}
	h = newHooked(t) // the plugin was removed by hand, and takes its files along
	h.must(os.RemoveAll(h.dir + "/lib/plugins/available/upgrade-guard"))
	if out, code := h.run("", "sh", h.dir+"/packages", "apt"); code != 0 || out != "" {
		t.Errorf("exit code %d, and it said: %s", code, out)
	}
	for _, name := range []string{"packages", "after", "home/.dokkurc/upgrade-guard"} {
		if _, err := os.Stat(h.dir + "/" + name); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	h = newHooked(t) // the plugin is disabled
	h.put("lib/STABLE_VERSION", "0.35.5")
	if out, code := h.run("", "sh", h.dir+"/packages", "dpkg"); code != 0 || out != "" {
		t.Errorf("without the plugin: exit code %d, and it said: %s", code, out)
	}
}

// Where standard error is closed, nobody reads what is said, and the work is done.
func TestClosedErrors(t *testing.T) {
	h := newHooked(t)
	h.guard("cat >/dev/null")
	if out, code := h.run(dokkuList, "sh", "-c", "exec sh "+h.dir+"/packages preflight 2>&-"); code != 0 || out != "" {
		t.Errorf("exit code %d, and it said: %s", code, out)
	}
	if calls := h.calls(); calls != "before apt" {
		t.Errorf("called was %q", calls)
	}
}

// After an upgrade of docker or nginx, with Dokku or without, the queue is given
// its work and begun, once.
func TestRoutes(t *testing.T) {
	h := newHooked(t)
	h.guard(`[ "$1" != after ] || echo "to do" >` + h.dir + `/lib/data/upgrade-guard/queue`)
	h.script("bin/systemd-run", "exit 1")
	installed := func(name string, when time.Time) {
		t.Helper()
		h.put("dpkg/info/"+name+".list", "/.\n")
		h.must(os.Chtimes(h.dir+"/dpkg/info/"+name+".list", when, when))
	}
	now := time.Now()
	installed("nginx", now)
	installed("docker-ce", now)
	run := func(by, env, want string) {
		t.Helper()
		cmd := exec.Command("sh", h.dir+"/packages", by)
		cmd.Env = append(os.Environ(), "PATH="+h.dir+"/bin:"+os.Getenv("PATH"), env)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v, and it said: %s", err, out)
		}
		var calls string
		for n := 0; n < 20; n++ { // what is detached is not waited for
			calls += h.calls()
			if calls = strings.ReplaceAll(calls, "routesqueue", "routes\nqueue"); calls == want {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if calls != want {
			t.Errorf("called was %q", calls)
		}
	}
	run("dpkg", "", "") // the first look: what there was before is none of ours
	h.must(os.Chtimes(h.dir+"/seen", now.Add(time.Second), now.Add(time.Second)))
	run("dpkg", "", "")
	installed("netrc", now.Add(2*time.Second))
	run("dpkg", "", "")
	installed("docker-ce", now.Add(3*time.Second))
	run("dpkg", "DPKG_ADMINDIR=/mnt/var/lib/dpkg", "") // another system's
	run("dpkg", "DPKG_FRONTEND_LOCKED=true", "")       // apt's own call comes at its end
	h.put("status", "unpacked")
	run("dpkg", "", "") // it is not in service yet
	h.put("status", "installed")
	run("apt", "", "after routes\nqueue")
	h.must(os.Remove(h.dir + "/lib/data/upgrade-guard/queue"))
	h.must(os.Chtimes(h.dir+"/seen", now.Add(4*time.Second), now.Add(4*time.Second)))
	run("apt", "", "") // once
	installed("nginx", now.Add(5*time.Second))
	run("dpkg", "", "after routes\nqueue")
}

// The lines that every dokku command reads: they end no command, say nothing on
// standard output, wait for no input, and start no process but in dpkg's run.
func TestDokkurc(t *testing.T) {
	// As dokku itself reads them.
	const dokku = `set -eo pipefail; shopt -s nullglob; set -- "$@"; source %s; echo alive`
	type run struct {
		about, guard string
		env, args    []string
		pending      bool
		ahead        bool // nginx was last looked at under a clock that ran ahead
		calls        string
	}
	prerm := []string{"DPKG_MAINTSCRIPT_PACKAGE=dokku", "DPKG_MAINTSCRIPT_NAME=prerm"}
	runs := []run{
		{about: "any command", args: []string{"apps:list"}},
		{about: "the old package's prerm", env: prerm, args: []string{"cleanup"}, calls: "before prerm"},
		{about: "another package's prerm", env: []string{"DPKG_MAINTSCRIPT_PACKAGE=nginx", "DPKG_MAINTSCRIPT_NAME=prerm"}, args: []string{"cleanup"}},
		{about: "it fails", guard: "exit 10", env: prerm, calls: "before prerm"},
		{about: "it speaks and listens", guard: "echo loud; cat; echo loud >&3", env: prerm, calls: "before prerm"},
		{about: "the plugin is gone", guard: "-", env: prerm},
		{about: "the old package's prerm, and it has hung before", guard: "sleep 30", env: prerm, calls: "before prerm"},
		{about: "Dokku's timer", args: []string{"ps:retire"}},
		{about: "Dokku's timer, after an installation", args: []string{"ps:retire"}, pending: true, calls: "after timer"},
		{about: "Dokku's timer, after a look that is dated ahead of now", args: []string{"ps:retire"}, ahead: true, calls: "after timer"},
		{about: "another command, after an installation", args: []string{"apps:list"}, pending: true},
		{about: "a child of ours", env: append([]string{"UPGRADE_GUARD_FIRED=yes"}, prerm...)},
	}
	if os.Geteuid() == 0 {
		runs = append(runs,
			run{about: "core's installation, as root", args: []string{"plugin:install", "--core"}, calls: "before core-install"},
			run{about: "another plugin's", args: []string{"plugin:install", "https://example.com/x.git"}})
	}
	for _, c := range runs {
		t.Run(c.about, func(t *testing.T) {
			h := newHooked(t)
			if c.guard != "-" {
				h.guard(c.guard)
			}
			if c.pending {
				h.put("lib/data/upgrade-guard/pending", "core-install\n")
			}
			if c.ahead {
				h.put("lib/data/upgrade-guard/routes", "x\n")
				tomorrow := time.Now().Add(24 * time.Hour)
				h.must(os.Chtimes(h.dir+"/lib/data/upgrade-guard/routes", tomorrow, tomorrow))
			}
			if strings.Contains(c.about, "has hung before") {
				h.put("gave-up", "")
			}
			script := strings.ReplaceAll(dokku, "%s", h.dir+"/home/.dokkurc/upgrade-guard")
			cmd := exec.Command("bash", append([]string{"-c", script, "dokku"}, c.args...)...)
			cmd.Env = append(append(os.Environ(), "PATH="+h.dir+"/bin:"+os.Getenv("PATH")), c.env...)
			stdin, wait, err := os.Pipe() // open, and nothing ever comes
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			defer wait.Close()
			cmd.Stdin = stdin
			out, err := cmd.Output()
			if err != nil || string(out) != "alive\n" {
				t.Errorf("%v, and it said %q", err, out)
			}
			if calls := h.calls(); calls != c.calls {
				t.Errorf("called was %q", calls)
			}
			// Without a call, bash runs its own words only.
			if c.calls == "" {
				cmd := exec.Command("bash", append([]string{"-xc", script, "dokku"}, c.args...)...)
				cmd.Env = append([]string{"PATH=/nowhere"}, c.env...)
				trace, err := cmd.CombinedOutput()
				if err != nil {
					t.Errorf("%v: %s", err, trace)
				}
				for _, l := range strings.Split(strings.TrimSpace(string(trace)), "\n") {
					word, _, _ := strings.Cut(strings.TrimLeft(l, "+ "), " ")
					if !strings.Contains("set shopt source [[ : echo alive", word) {
						t.Errorf("it runs %q", l)
					}
				}
			}
		})
	}
}
