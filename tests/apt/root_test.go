package apt_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Whoever is the Dokku user owns the plugin's binary. What he can do with it while
// root runs apt is seen by putting this test in its place: it notes what it finds, and
// does what /attack asks for.

// witnessed is what the binary saw when it was called.
type witnessed struct {
	Args, Env []string
	User      int
	Stdin     string
	// Terminal says why /dev/tty could not be opened; "" when it could.
	Terminal string
	// Terminals are the descriptors that are one, Open those that are neither a
	// pipe nor /dev/null nor of Go's own.
	Terminals, Open []string
	Session, Parent int
	Typed           int // how many lines got into a terminal
}

func witness() {
	w := witnessed{Args: os.Args[1:], Env: os.Environ(), User: os.Getuid(), Parent: os.Getppid()}
	w.Session, _ = unix.Getsid(0)
	var terminals []*os.File
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err != nil {
		w.Terminal = err.Error()
	} else {
		terminals = append(terminals, tty)
	}
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		target, err := os.Readlink("/proc/self/fd/" + fd.Name())
		switch {
		case err != nil, strings.HasPrefix(target, "anon_inode:"), strings.HasPrefix(target, "/proc/"), strings.HasPrefix(target, "pipe:"),
			strings.HasPrefix(target, "/run/upgrade-guard/out."), target == "/dev/null", len(terminals) > 0 && target == "/dev/tty":
		case strings.HasPrefix(target, "/dev/pts/"), strings.HasPrefix(target, "/dev/tty"):
			w.Terminals = append(w.Terminals, fd.Name()+" "+target)
			if f, err := os.OpenFile(target, os.O_RDWR, 0); err == nil {
				terminals = append(terminals, f)
			}
		default:
			w.Open = append(w.Open, fd.Name()+" "+target)
		}
	}
	for _, tty := range terminals {
		newline := byte('\n')
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, tty.Fd(), unix.TIOCSTI, uintptr(unsafe.Pointer(&newline))); errno == 0 {
			w.Typed++
		}
	}
	b, _ := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	w.Stdin = string(b)
	b, _ = json.Marshal(w)
	_ = os.WriteFile(fmt.Sprintf("/tmp/witness-%d", os.Getpid()), b, 0o600)

	attack, _ := os.ReadFile("/attack")
	switch mode := strings.TrimSpace(string(attack)); mode {
	case "refuse":
		os.Exit(10)
	case "daemon": // it ends at once, and leaves somebody who keeps the pipe open
		child := exec.Command("/bin/sleep", "100")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		_ = child.Start()
	case "yes": // as long as anybody reads
		signal.Ignore(syscall.SIGPIPE)
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			fmt.Println(strings.Repeat("y", 1000))
		}
	case "stay": // whatever it is told, and in a group of its own
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		_ = syscall.Setpgid(0, 0)
		time.Sleep(time.Minute)
	case "speak":
		fmt.Print("plain\tand simple\n\x1b[2J\x1b]0;title\x07 !     To do: curl \xc2\x9b31m \u202e\r\x00\xff\n")
	}
}

// witnesses are what was seen, and forgotten with it.
func (m *machine) witnesses() []witnessed {
	m.t.Helper()
	var all []witnessed
	for _, f := range m.glob("/tmp/witness-*") {
		b, err := os.ReadFile(f)
		m.must(err)
		var w witnessed
		m.must(json.Unmarshal(b, &w))
		all = append(all, w)
		m.must(os.Remove(f))
	}
	return all
}

func (m *machine) glob(pattern string) []string {
	files, err := filepath.Glob(m.root + pattern)
	m.must(err)
	return files
}

// soon waits until something is so, for ten seconds at most.
func (m *machine) soon(so func() bool) {
	for n := 0; n < 100 && !so(); n++ {
		time.Sleep(100 * time.Millisecond)
	}
}

func (m *machine) attack(mode string) {
	m.t.Helper()
	exe, err := os.Executable()
	m.must(err)
	m.copy(exe, binary)
	m.copy(exe, binary+"-"+architecture())
	m.put("/attack", mode)
	m.witnesses()
}

// onTerminal runs a command as root at a terminal, with what root may have there, and
// returns all that the terminal shows.
func (m *machine) onTerminal(name string, args ...string) string {
	m.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	m.must(err)
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	m.must(err)
	m.must(unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	m.must(err)
	secret, err := os.Open("/etc/shadow")
	m.must(err)
	defer secret.Close()
	cmd := m.command("env", append([]string{"CANARY=only-for-root", "SSH_AUTH_SOCK=/root/agent", name}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = slave, slave, slave, []*os.File{secret}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	m.must(cmd.Start())
	slave.Close()
	shown := make(chan string)
	go func() {
		b, _ := io.ReadAll(master)
		shown <- string(b)
	}()
	err = cmd.Wait()
	out := ""
	select {
	case out = <-shown:
	case <-time.After(5 * time.Second):
		m.t.Error("somebody still has the terminal open")
	}
	if err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// Any run of apt gave the Dokku user root's terminal and environment: what was typed
// into it by TIOCSTI ran as root, and a proxy's password stood in apt's settings.
func TestNothingOfRootsReachesTheDokkuUser(t *testing.T) {
	for _, sh := range []string{"dash", "bash"} {
		t.Run(sh, func(t *testing.T) {
			m := newMachine(t)
			m.must(os.Remove(m.root + "/bin/sh"))
			m.must(os.Symlink(sh, m.root+"/bin/sh"))
			m.put("/etc/apt/apt.conf.d/99proxy", `Acquire::http::Proxy "http://user:only-for-root@proxy.example.org:3128/";`)
			m.must(os.Chmod(m.root+"/etc/apt/apt.conf.d/99proxy", 0o600))
			m.pack("nginx", "2.0", nil)
			m.index()
			m.attack("speak")
			shown := m.onTerminal("apt-get", "dist-upgrade")
			shown += m.onTerminal("dokku", "plugin:install")
			shown += m.onTerminal("dokku", "plugin:uninstall", "upgrade-guard")
			m.soon(func() bool { return len(m.glob("/tmp/witness-*")) >= 9 }) // the queue's are not waited for
			var calls []string
			typed, secrets := 0, 0
			for _, w := range m.witnesses() {
				call := strings.Join(w.Args, " ")
				calls = append(calls, call)
				typed += w.Typed
				secrets += strings.Count(strings.Join(append(w.Env, w.Stdin), "\n"), "only-for-root")
				if w.Terminal == "" || len(w.Terminals)+len(w.Open) > 0 {
					t.Errorf("%s: terminal %q, descriptors %q %q", call, w.Terminal, w.Terminals, w.Open)
				}
				if w.User == 0 {
					t.Errorf("%s ran as root", call)
				}
				for _, kv := range w.Env {
					name, _, _ := strings.Cut(kv, "=")
					if !slices.Contains([]string{"PATH", "LANG", "HOME", "USER", "LOGNAME", "DOKKU_ROOT", "DOKKU_LIB_ROOT", "PLUGIN_PATH", "DOKKU_SYSTEM_USER", "DOKKU_SYSTEM_GROUP", "PWD", "OLDPWD", "SHLVL", "_"}, name) {
						t.Errorf("%s has %s in its environment", call, name)
					}
				}
				if call == "before apt" {
					if want := "VERSION 3\n\ndokku 0.20.4"; !strings.HasPrefix(w.Stdin, want) || strings.Contains(w.Stdin, "nginx") {
						t.Errorf("of apt's list it has %q", w.Stdin)
					}
				}
			}
			t.Logf("%d calls, typed into root's terminal %d times, %d of root's secrets seen", len(calls), typed, secrets)
			if typed+secrets > 0 {
				t.Error("there must be none")
			}
			for _, want := range []string{"before apt", "before prerm", "before core-install", "after dpkg dokku", "after apt dokku nginx", "trigger install", "trigger uninstall upgrade-guard", "queue"} {
				if !slices.Contains(calls, want) {
					t.Errorf("%q is not among the calls %q", want, calls)
				}
			}
			if !strings.Contains(shown, "plain\tand simple") {
				t.Errorf("what it says is not shown:\n%s", shown)
			}
			for _, raw := range []string{"\x1b[2J", "\x1b]0;", "\x07", "\x00", "\xff", "\u202e", "\xc2\x9b"} {
				if strings.Contains(shown, raw) {
					t.Errorf("%q reaches the terminal", raw)
				}
			}
		})
	}
}

// The data directory is the Dokku user's: links to what only root may read, pipes,
// directories, files of a terabyte. Root looked into it.
func TestWhatLiesInTheDataDirectory(t *testing.T) {
	for about, place := range map[string]string{
		"links to root's":  `ln -sf /etc/shadow "$1"`,
		"links to nothing": `ln -sf /nonexistent "$1"`,
		"endless links":    `ln -sf /dev/zero "$1"`,
		"pipes":            `rm -rf "$1"; mkfifo "$1"`,
		"directories":      `rm -rf "$1"; mkdir "$1"`,
		"a terabyte":       `rm -rf "$1"; truncate -s 1T "$1"`,
	} {
		t.Run(about, func(t *testing.T) {
			m := newMachine(t)
			m.put("/etc/shadow", "root:only-for-root:1::::::\n")
			m.must(os.Chmod(m.root+"/etc/shadow", 0o600))
			for _, name := range []string{"stamp", "pending", "queue", "ledger.json", "routes", "lock", "queue.lock"} {
				m.run(true, "runuser", "-u", "dokku", "--", "sh", "-c", place, "sh", data+"/"+name)
			}
			begin := time.Now()
			out := m.run(true, "apt-get", "install", "--reinstall", "cherry")
			if took := time.Since(begin); took > 20*time.Second || strings.Contains(out, "upgrade-guard") {
				t.Errorf("after %s it said\n%s", took, out)
			}
			begin = time.Now()
			cmd := m.command("apt-get", "install", "dokku=0.35.5")
			shown, err := cmd.CombinedOutput()
			took := time.Since(begin)
			t.Logf("apt: %v after %s", err, took.Round(100*time.Millisecond))
			if took > 60*time.Second+3*time.Second || err != nil && !strings.Contains(string(shown), "Nothing has been touched yet") {
				t.Errorf("it said\n%s", shown)
			}
			m.whole()
			if leaked := m.mayGrep("only-for-root"); leaked != "" || strings.Contains(string(shown), "only-for-root") {
				t.Errorf("root's secret is in %s", leaked)
			}
		})
	}
}

// mayGrep is where a word stands that the Dokku user can read, "" when nowhere.
func (m *machine) mayGrep(word string) string {
	out, _ := m.command("runuser", "-u", "dokku", "--", "sh", "-c", `timeout 20 grep -rlsI --devices=skip "$1" /run /etc /tmp /home/dokku `+own, "sh", word).Output()
	return strings.TrimSpace(string(out))
}

// Whatever the binary does, apt is held no longer than the limit and three seconds.
func TestHeldNoLongerThanTheLimit(t *testing.T) {
	const limit = 2 * time.Second // 60 s on a real machine
	for _, sh := range []string{"dash", "bash"} {
		m := newMachine(t)
		m.must(os.Remove(m.root + "/bin/sh"))
		m.must(os.Symlink(sh, m.root+"/bin/sh"))
		m.replace(own+"/packages", "guard 60 before apt", "guard 2 before apt")
		for _, c := range []struct {
			attack, says string
			code         int
		}{
			{attack: "refuse", code: 10, says: "Nothing has been touched yet"},
			{attack: "daemon"},
			{attack: "yes", says: "took longer than"},
			{attack: "stay", says: "took longer than"},
		} {
			t.Run(sh+" "+c.attack, func(t *testing.T) {
				m.t = t
				m.attack(c.attack)
				begin := time.Now()
				cmd := m.command(own+"/packages", "preflight")
				cmd.Stdin = strings.NewReader(announced)
				out, err := cmd.CombinedOutput()
				took := time.Since(begin)
				if took > limit+3*time.Second || cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.says) {
					t.Errorf("%v after %s, and it said\n%.2000s", err, took, out)
				}
				if len(out) > 256<<10+200 {
					t.Errorf("it said %d bytes", len(out))
				}
				t.Logf("over after %s, %d bytes", took.Round(10*time.Millisecond), len(out))
				if left := m.running(); c.attack == "stay" && left != "" {
					t.Errorf("it is still there: %s", left)
				}
			})
		}
	}
}

// running are the processes on the machine that run the plugin's binary.
func (m *machine) running() string {
	var found []string
	exes, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range exes {
		if target, err := os.Readlink(exe); err == nil && target == m.root+binary {
			found = append(found, exe)
		}
	}
	return strings.Join(found, " ")
}

// ^C, and what a closing terminal or the system's shutdown sends, reach the binary.
func TestSignalsGoOn(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(sig) {
			continue // by whoever runs this, nohup for one: no shell can change that
		}
		m := newMachine(t)
		m.put(binary, "#!/bin/bash\n[ \"$1\" = before ] || exit 0\ntrap 'echo it was told >&2; exit 1' "+strings.TrimPrefix(unix.SignalName(sig), "SIG")+"\necho begun >/tmp/begun\nfor n in {1..100}; do sleep 0.1; done\n")
		cmd := m.command(own+"/packages", "preflight")
		cmd.Stdin = strings.NewReader(announced)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		begin := time.Now()
		m.must(cmd.Start())
		m.soon(func() bool { return m.there("/tmp/begun") })
		m.must(cmd.Process.Signal(sig))
		_ = cmd.Wait()
		if took := time.Since(begin); took > 8*time.Second || !strings.Contains(out.String(), "it was told") ||
			!strings.Contains(out.String(), "(exit code 1)") && !strings.Contains(out.String(), "was interrupted") {
			t.Errorf("%s: over after %s, and it said %s", sig, took, out.String())
		}
	}
}

// What is in /etc and /usr/local goes with the plugin: where Dokku was purged and its
// data removed. Where it was only removed, to be installed again, it stays.
func TestRemovedAndPurged(t *testing.T) {
	m := newMachine(t)
	files := []string{own + "/packages", "/etc/apt/apt.conf.d/80upgrade-guard", "/etc/dpkg/dpkg.cfg.d/upgrade-guard"}
	there := func(want bool) {
		t.Helper()
		for _, name := range files {
			if m.there(name) != want {
				t.Errorf("%s is there: %v", name, !want)
			}
		}
	}
	// There is no Dokku to look after then, and nothing to be said of it.
	for _, args := range [][]string{{"remove", "dokku"}, {"install", "--reinstall", "cherry"}} {
		if out := m.run(true, "apt-get", args...); strings.Contains(out, "upgrade-guard") || strings.Contains(out, "cannot be read") {
			t.Errorf("%v: it said\n%s", args, out)
		}
	}
	there(true)
	m.run(true, "apt-get", "install", "dokku=0.20.4")
	there(true)
	m.run(true, "apt-get", "purge", "dokku")
	m.run(true, "apt-get", "install", "--reinstall", "cherry")
	there(true) // the plugin and the snapshots were kept
	m.must(os.RemoveAll(m.root + "/var/lib/dokku"))
	m.run(true, "userdel", "dokku")
	m.run(true, "apt-get", "install", "--reinstall", "cherry")
	there(false)
	if m.there(own) || m.there("/run/upgrade-guard") {
		t.Error("a directory is left")
	}
	m.run(true, "apt-get", "install", "--reinstall", "cherry")
}

// A host with the files of 0.1.0's first draft, in the middle of an upgrade: the new
// version's installation takes it over, and the old files go.
func TestAnOlderInstallationIsTakenOver(t *testing.T) {
	m := newMachine(t)
	m.put(own+"/after", "#!/bin/sh\n")
	m.put("/run/upgrade-guard.gave-up", "dpkg 0.20.4 0.35.5\n")
	m.put(own+"/packages", "#!/bin/sh\nexit 0\n")
	m.must(os.Remove(m.root + own + "/seen"))
	m.put(own+"/seen", "")
	m.put("/home/dokku/.dokkurc/upgrade-guard", ": # as it was\n")
	m.run(true, "apt-get", "install", "dokku=0.35.5") // nobody sees it
	m.run(true, "dokku", "plugin:install")
	if m.there(own+"/after") || m.there("/run/upgrade-guard.gave-up") || !strings.Contains(m.read("/home/dokku/.dokkurc/upgrade-guard"), "packages prerm") {
		t.Error("files of the old version are left")
	}
	if n := m.snapshots("0.35.5-post-upgrade"); n != 1 {
		t.Errorf("%d post-upgrades", n)
	}
	m.run(true, "apt-get", "install", "--reinstall", "dokku")
	m.whole()
}
