package host_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // for other users than root
		t.Fatal(err)
	}
	h := &hooked{t, dir, host.Paths{
		DokkuRoot: dir + "/home", LibRoot: dir + "/lib", PluginPath: dir + "/lib/plugins", User: "dokku", Group: "dokku",
	}}
	h.script("bin/runuser", `[ "$1 $2 $3" = "-u dokku --" ] || exit 99; shift 3; exec "$@"`)
	h.put("lib/plugins/available/upgrade-guard/plugin.toml", "")
	h.put("own/seen", "")
	h.put("dpkg/dokku.list", "")
	h.old("dpkg/dokku.list")
	text, err := os.ReadFile("../../hook/packages")
	if err != nil {
		t.Fatal(err)
	}
	// As install fills it in, with limits that a test can wait for.
	h.put("own/packages", strings.NewReplacer("@ROOT@", h.paths.DokkuRoot, "@LIB@", h.paths.LibRoot, "@PLUGINS@", h.paths.PluginPath, "@USER@", "dokku", "@GROUP@", "dokku",
		"/etc/upgrade-guard.go-ahead", dir+"/go-ahead", "run=/run/upgrade-guard", "run="+dir+"/run", "info=/var/lib/dpkg/info", "info="+dir+"/dpkg",
		"own=/usr/local/lib/upgrade-guard", "own="+dir+"/own", "PATH=/usr/local/sbin", "PATH="+dir+"/bin:/usr/local/sbin",
		"/etc/apt/apt.conf.d/80upgrade-guard", dir+"/apt.conf", "/etc/dpkg/dpkg.cfg.d/upgrade-guard", dir+"/dpkg.cfg", "/run/systemd/system", dir+"/no-systemd",
		"guard 60 before", "guard 3 before", "limit=120", "limit=3", "limit=10", "limit=3", "limit=30", "limit=3", "limit=5", "limit=3").Replace(string(text)))
	path, dokkurc := hook.Dokkurc(h.paths)
	h.put(strings.TrimPrefix(path, dir+"/"), strings.NewReplacer("/run/upgrade-guard", dir+"/run", "/usr/local/lib/upgrade-guard", dir+"/own",
		"UPGRADE_GUARD_WAIT=5", "UPGRADE_GUARD_WAIT=1").Replace(dokkurc))
	return h
}

// old gives a file a time before that of the mark; without it, one after.
func (h *hooked) old(name string) { h.at(name, -time.Hour) }

func (h *hooked) at(name string, since time.Duration) {
	h.t.Helper()
	when := time.Now().Add(since)
	h.must(os.Chtimes(filepath.Join(h.dir, name), when, when))
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
		{about: "refused", guard: "cat >/dev/null; exit 10", list: dokkuList, code: 10, says: "Nothing has been touched yet. To upgrade all the same:\n !         touch", calls: "before apt"},
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
			out, code := h.run(c.list, "sh", h.dir+"/own/packages", "preflight")
			if code != c.code || !strings.Contains(out, c.says) || c.says == "" && out != "" {
				t.Errorf("exit code %d, and it said: %s", code, out)
			}
			if calls := h.calls(); calls != c.calls {
				t.Errorf("called was %q", calls)
			}
		})
	}
}

// What dpkg and apt run afterwards acts when Dokku was unpacked, or its upgrade was
// begun, and never fails.
func TestAfterwards(t *testing.T) {
	for _, c := range []struct {
		about, by, phase, guard string
		unpacked, locked        bool
		says, calls, left       string // left is the phase afterwards
	}{
		{about: "nothing to do with Dokku", by: "dpkg"},
		{about: "nothing to do with Dokku", by: "apt"},
		{about: "upgraded by dpkg", by: "dpkg", unpacked: true, phase: "prerm", calls: "after dpkg dokku\nqueue"},
		{about: "upgraded, and no hook came before", by: "dpkg", unpacked: true, calls: "after dpkg dokku\nqueue"},
		{about: "upgraded by apt", by: "dpkg", unpacked: true, locked: true, phase: "prerm", calls: "after dpkg dokku", left: "done"},
		{about: "the next of apt's dpkg runs", by: "dpkg", unpacked: true, locked: true, phase: "done", left: "done"},
		{about: "the end of apt's run", by: "apt", unpacked: true, phase: "done", calls: "after apt dokku\nqueue"},
		{about: "unpacked only", by: "dpkg", unpacked: true, locked: true, phase: "prerm", guard: "exit 3", calls: "after dpkg dokku", left: "prerm"},
		{about: "half-configured", by: "apt", unpacked: true, phase: "prerm", guard: "exit 3", calls: "after apt dokku", left: "prerm"},
		{about: "another package, before dpkg comes to dokku", by: "dpkg", locked: true, phase: "apt", left: "apt"},
		{about: "announced and given up", by: "apt", phase: "apt", calls: "after apt\nqueue"},
		{about: "begun and given up", by: "dpkg", phase: "prerm", calls: "after dpkg\nqueue"},
		{about: "one app cannot be helped", by: "dpkg", unpacked: true, locked: true, guard: "exit 1", says: "could not repair everything; see above", calls: "after dpkg dokku", left: "tried"},
		{about: "it fails", by: "apt", unpacked: true, guard: "exit 2", says: "To go on: dokku upgrade-guard:apply", calls: "after apt dokku\nqueue", left: "failed"},
		{about: "it has failed, for apt's next run", by: "apt", phase: "failed", left: "failed"},
		{about: "it has failed, for dpkg's next run", by: "dpkg", phase: "failed", left: "failed"},
		{about: "it has failed, and there is a newer one", by: "dpkg", unpacked: true, phase: "failed", calls: "after dpkg dokku\nqueue"},
		{about: "disabled", by: "apt", unpacked: true, guard: "-", phase: "apt"},
	} {
		t.Run(c.about, func(t *testing.T) {
			h := newHooked(t)
			if c.guard != "-" {
				h.guard(`[ "$1" = after ] || exit 0; ` + c.guard)
			}
			if c.unpacked {
				h.at("dpkg/dokku.list", time.Hour)
			}
			if c.phase != "" {
				h.put("own/phase", c.phase+"\n")
			}
			env := "A=b"
			if c.locked {
				env = "DPKG_FRONTEND_LOCKED=true"
			}
			out, code := h.run("", "env", env, "sh", h.dir+"/own/packages", c.by)
			if code != 0 || !strings.Contains(out, c.says) || c.says == "" && out != "" {
				t.Errorf("exit code %d, and it said: %s", code, out)
			}
			h.called(c.calls)
			if left, _ := os.ReadFile(h.dir + "/own/phase"); strings.TrimSpace(string(left)) != c.left {
				t.Errorf("the phase is %q", left)
			}
		})
	}
	// One that hangs is waited for by dpkg once, then by apt once and not for long;
	// after that not at all, until Dokku is unpacked again.
	h := newHooked(t)
	h.guard(`[ "$1" != after ] || sleep 30`)
	h.at("dpkg/dokku.list", time.Hour)
	for i, c := range []struct{ by, says, calls string }{
		{"dpkg", "and was stopped", "after dpkg dokku"},
		{"dpkg", "", ""},
		{"apt", "and was stopped", "after apt dokku\nqueue"},
		{"dpkg", "", ""},
		{"apt", "", ""},
		{"dpkg", "and was stopped", "after dpkg dokku\nqueue"},
	} {
		env := "DPKG_FRONTEND_LOCKED=true"
		switch i {
		case 3:
			h.old("dpkg/dokku.list")
		case 5:
			h.at("dpkg/dokku.list", time.Hour)
			env = "A=b"
		}
		out, code := h.run("", "env", env, "sh", h.dir+"/own/packages", c.by)
		if code != 0 || !strings.Contains(out, c.says) || c.says == "" && out != "" {
			t.Errorf("%d: exit code %d, and it said: %s", i, code, out)
		}
		h.called(c.calls)
	}
	// That preflight has hung counts for all of that run, and no longer than until it
	// has worked again.
	h = newHooked(t)
	h.guard("sleep 30")
	if out, _ := h.run(dokkuList, "sh", h.dir+"/own/packages", "preflight"); !strings.Contains(out, "took longer than 60 s") {
		t.Errorf("it said: %s", out)
	}
	if _, err := os.Stat(h.dir + "/run/failed"); err != nil {
		t.Error("that it has hung is not noted")
	}
	h.guard("")
	h.run("", "sh", h.dir+"/own/packages", "apt")
	if _, err := os.Stat(h.dir + "/run/failed"); err == nil {
		t.Error("that it has hung is noted still")
	}
	h = newHooked(t) // the plugin was removed by hand, and takes its files along
	h.must(os.RemoveAll(h.dir + "/lib/plugins/available/upgrade-guard"))
	h.at("dpkg/dokku.list", time.Hour)
	if out, code := h.run("", "sh", h.dir+"/own/packages", "apt"); code != 0 || out != "" {
		t.Errorf("exit code %d, and it said: %s", code, out)
	}
	for _, name := range []string{"own", "run", "home/.dokkurc/upgrade-guard"} {
		if _, err := os.Stat(h.dir + "/" + name); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}

// called waits for these calls: what is started in the background is not waited for.
func (h *hooked) called(want string) {
	h.t.Helper()
	calls := ""
	for n := 0; n < 50; n++ {
		b, _ := os.ReadFile(h.dir + "/calls")
		if calls = strings.TrimSpace(string(b)); calls == want && n > 4 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if h.calls(); calls != want {
		h.t.Errorf("called was %q, and not %q", calls, want)
	}
}

// Where standard error is closed, nobody reads what is said, and the work is done.
func TestClosedErrors(t *testing.T) {
	h := newHooked(t)
	h.guard("cat >/dev/null")
	if out, code := h.run(dokkuList, "sh", "-c", "exec sh "+h.dir+"/own/packages preflight 2>&-"); code != 0 || out != "" {
		t.Errorf("exit code %d, and it said: %s", code, out)
	}
	if calls := h.calls(); calls != "before apt" {
		t.Errorf("called was %q", calls)
	}
}

// After an upgrade of docker or nginx, with Dokku or without, the binary is told
// which, once, and the queue is begun.
func TestRoutes(t *testing.T) {
	h := newHooked(t)
	h.guard(`[ "$1" != after ] || exit $(cat ` + h.dir + `/code 2>/dev/null || echo 0)`)
	run := func(by, env, want string) {
		t.Helper()
		if out, code := h.run("", "env", env, "sh", h.dir+"/own/packages", by); code != 0 || out != "" {
			t.Errorf("exit code %d, and it said: %s", code, out)
		}
		h.called(want)
	}
	h.must(os.Remove(h.dir + "/own/seen"))
	for _, name := range []string{"nginx", "docker-ce", "netrc"} {
		h.put("dpkg/"+name+".list", "/.\n")
		h.old("dpkg/" + name + ".list")
	}
	run("dpkg", "A=b", "") // the first look: what there was before is none of ours
	run("dpkg", "A=b", "")
	h.at("dpkg/netrc.list", time.Hour)
	run("dpkg", "A=b", "")
	h.at("dpkg/docker-ce.list", time.Hour)
	run("dpkg", "DPKG_ADMINDIR=/mnt/var/lib/dpkg", "") // another system's
	run("dpkg", "DPKG_FRONTEND_LOCKED=true", "")       // apt's own call comes at its end
	h.put("code", "3")
	run("dpkg", "A=b", "after dpkg docker-ce") // it is not in service yet
	h.must(os.Remove(h.dir + "/code"))
	run("apt", "A=b", "after apt docker-ce\nqueue")
	h.old("dpkg/docker-ce.list")
	run("apt", "A=b", "") // once
	h.at("dpkg/nginx.list", time.Hour)
	h.put("own/phase", "failed")
	run("dpkg", "A=b", "after dpkg nginx\nqueue") // what has failed before does not stand in its way
	h.old("dpkg/nginx.list")
	h.put("dpkg/docker-cli.list", "/.\n") // the program that Debian 13 has apart comes back
	h.at("dpkg/docker-cli.list", time.Hour)
	run("apt", "A=b", "after apt docker-cli\nqueue")
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
		queued       bool // long work was left by a reboot
		ahead        bool // nginx was last looked at under a clock that ran ahead
		calls, phase string
	}
	prerm := []string{"DPKG_MAINTSCRIPT_PACKAGE=dokku", "DPKG_MAINTSCRIPT_NAME=prerm"}
	runs := []run{
		{about: "any command", args: []string{"apps:list"}},
		{about: "the old package's prerm, in dokku's second pass", env: prerm, args: []string{"cleanup"}},
		{about: "another package's prerm", env: []string{"DPKG_MAINTSCRIPT_PACKAGE=nginx", "DPKG_MAINTSCRIPT_NAME=prerm"}, args: []string{"cleanup"}},
		{about: "Dokku's timer", args: []string{"ps:retire"}},
		{about: "Dokku's timer, after an installation", args: []string{"ps:retire"}, pending: true, calls: "after timer"},
		{about: "Dokku's timer, after a look that is dated ahead of now", args: []string{"ps:retire"}, ahead: true, calls: "after timer"},
		{about: "Dokku's timer, with long work left", args: []string{"ps:retire"}, queued: true, calls: "after timer\nqueue"},
		{about: "another command, after an installation", args: []string{"apps:list"}, pending: true},
		{about: "a child of ours", env: append([]string{"UPGRADE_GUARD_FIRED=yes"}, prerm...)},
	}
	if os.Geteuid() == 0 {
		runs = append(runs,
			run{about: "the old package's prerm, as root", env: prerm, args: []string{"cleanup"}, phase: "prerm", calls: "before prerm"},
			run{about: "it fails, as root", guard: "exit 10", env: prerm, phase: "prerm", calls: "before prerm"},
			run{about: "it speaks and listens, as root", guard: "echo loud; cat; echo loud >&3", env: prerm, phase: "prerm", calls: "before prerm"},
			run{about: "the plugin is gone, as root", guard: "-", env: prerm, phase: "prerm", calls: "-"},
			run{about: "it has hung before, as root", guard: "sleep 30", env: prerm, phase: "prerm", calls: "before prerm"},
			run{about: "core's installation, as root", args: []string{"plugin:install", "--core"}, calls: "before core-install"},
			run{about: "another plugin's, as root", args: []string{"plugin:install", "https://example.com/x.git"}})
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
			if c.queued {
				h.put("lib/data/upgrade-guard/queue", "to do\n")
			}
			if c.ahead {
				h.put("lib/data/upgrade-guard/routes", "x\n")
				tomorrow := time.Now().Add(24 * time.Hour)
				h.must(os.Chtimes(h.dir+"/lib/data/upgrade-guard/routes", tomorrow, tomorrow))
			}
			if strings.Contains(c.about, "has hung before") {
				h.put("run/failed", "")
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
			if os.Geteuid() == 0 && !strings.HasSuffix(c.about, "as root") { // Dokku goes on as its user
				h.must(filepath.WalkDir(h.dir, func(path string, _ fs.DirEntry, err error) error {
					return errors.Join(err, os.Lchown(path, 65534, 65534))
				}))
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			out, err := cmd.Output()
			if err != nil || string(out) != "alive\n" {
				t.Errorf("%v, and it said %q", err, out)
			}
			calls := h.calls()
			for end := time.Now().Add(20 * time.Second); c.queued && strings.Count(calls, "\n") < 1 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				calls = strings.TrimSpace(calls + "\n" + h.calls()) // a process of its own
			}
			if calls != strings.Trim(c.calls, "-") {
				t.Errorf("called was %q", calls)
			}
			if phase, _ := os.ReadFile(h.dir + "/own/phase"); strings.TrimSpace(string(phase)) != c.phase {
				t.Errorf("the phase is %q", phase)
			}
			// Without a call, bash runs its own words only.
			if c.calls == "" {
				user := cmd.SysProcAttr
				cmd := exec.Command("bash", append([]string{"-xc", script, "dokku"}, c.args...)...)
				cmd.SysProcAttr = user
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
