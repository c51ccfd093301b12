// Package scenarios plays stories through the real binary: *.txtar, each headed
// by what it is about. They run on the sandbox, and those that say so on this
// machine's own Dokku, with make e2e.
//
// Beside testscript's own commands a scenario has
//
//	host RECORDING          the host it plays on, and Dokku's environment
//	real VERSION            the story also runs on a real host of that version;
//	                        the five apps must be there (docs/adding-a-hazard.md)
//	install-guard           dokku plugin:install
//	without-hooks           take away what apt, dpkg and dokku call us by
//	upgrade VERSION         apt-get install dokku=VERSION; with env DOKKURC=yes the sandbox
//	                        plays the last hook point before the installation too
//	answers DOMAIN APP      a request for the domain is answered by the app
//	for-you COMMAND...      the command ends with exit code 2: something is left to a person
//	dead DOMAIN             a request for the domain is answered by no app
//	scale APP [WANT...]     what Dokku itself prints as the app's scale
//	settings / kept         every setting that was in force is in force; ! kept: some
//	                        are not, and the log says which
//	mark-app / same-app APP the files and properties of the app are the same in between
//	stage NAME / stages     note the settings at this stage of the story, and which site is
//	                        answered by whom; how many are as at the first, in a table
//	probe APP URL... ...    ask each address 20 times a second from now on; real hosts only
//	probed [WORDS...]       each was answered by the app each time, and what went on meanwhile
//	asked [WORDS...]        the same, and nobody minds
//	mark / unchanged        nothing on the host has been written in between
//	dokku-version VERSION   pretend that this version is on the disk
//	letsencrypt RELEASE     the letsencrypt plugin of that release, without its hook
//	issue APP RELEASE DAYS  the app has a certificate where that release puts one
//	damage FILE             flip a byte in the middle of it
package scenarios

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"upgrade-guard/tests/sandbox"
	"upgrade-guard/tests/truth"
)

// onRealHost tells that the scenarios change this machine's own Dokku.
var onRealHost = os.Getenv("UPGRADE_GUARD_REAL_HOST") == "yes"

func TestMain(m *testing.M) {
	commands := map[string]func(){"dokku": realDokku} // which finds Dokku's own behind it
	if !onRealHost {
		commands = sandbox.Commands()
	}
	testscript.Main(m, commands)
}

func TestScenarios(t *testing.T) {
	plugin := ""
	if !onRealHost {
		plugin = buildPlugin(t)
	}
	testscript.Run(t, testscript.Params{
		Dir: ".",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PLUGIN_TREE", plugin)
			file := filepath.Join(t.TempDir(), "truth")
			env.Setenv("TRUTH", file)
			env.Defer(func() {
				if untrue, err := os.ReadFile(file); err == nil {
					env.T().Log(string(untrue))
					t.Errorf("%s: what was said is not so:\n%s", filepath.Base(env.WorkDir), untrue)
				}
			})
			env.Setenv("REPOSITORY", repository())
			// Sentences are asserted whole; tests/words holds how they are broken.
			env.Setenv("UPGRADE_GUARD_COLUMNS", "0")
			// A directory with newer packages of docker and nginx, as an apt repository.
			env.Setenv("HIGHER", os.Getenv("UPGRADE_GUARD_HIGHER"))
			// The sandbox's own stand-ins, and apt's settings for real ones.
			env.Setenv("DEBIAN_FRONTEND", "noninteractive")
			// For the scenarios that are about any jump: make e2e FROM=... TO=...
			for _, name := range []string{"FROM", "TO"} {
				env.Setenv(name, os.Getenv(name))
			}
			if onRealHost {
				env.Setenv("UPGRADE_GUARD_REAL_HOST", "yes") // for what plays dokku
				env.Setenv("HOME", os.Getenv("HOME"))
				env.Setenv("TMPDIR", "/tmp") // the Dokku user works there too
				// plugn exports every variable by name.
				env.Vars = slices.DeleteFunc(env.Vars, func(kv string) bool { return strings.ContainsAny(kv[:1], "/:$") })
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"host": cmdHost, "real": cmdReal, "install-guard": cmdInstallGuard, "without-hooks": cmdWithoutHooks, "upgrade": cmdUpgrade,
			"answers": cmdAnswers, "for-you": cmdForYou, "dead": cmdDead, "scale": cmdScale,
			"mark": cmdMark, "unchanged": cmdUnchanged, "dokku-version": cmdDokkuVersion, "mark-app": cmdMarkApp, "same-app": cmdSameApp, "probe": cmdProbe, "probed": cmdProbed, "asked": cmdAsked, "damage": cmdDamage,
			"settings": cmdSettings, "kept": cmdKept, "stage": cmdStage, "stages": cmdStages,
			"letsencrypt": cmdLetsencrypt, "issue": cmdIssue,
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "real":
				return onRealHost, nil
			case "higher":
				return os.Getenv("UPGRADE_GUARD_HIGHER") != "", nil
			case "root":
				return os.Geteuid() == 0, nil
			case "guarded":
				return os.Getenv("GUARD") != "no", nil
			}
			if from, ok := strings.CutPrefix(cond, "from:"); ok {
				return strings.HasPrefix(os.Getenv("FROM"), from), nil
			}
			return false, fmt.Errorf("unknown condition %s", cond)
		},
	})
}

func repository() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// buildPlugin makes the tree that make build leaves.
func buildPlugin(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "upgrade-guard")
	for _, cmd := range [][]string{
		{"mkdir", "-p", tree + "/bin"},
		{"sh", "-c", `cd "$1" && cp -RP plugin.toml install uninstall run subcommands $(find . -maxdepth 1 -type l) "$2"`, "sh", repository(), tree},
		{"go", "build", "-C", repository(), "-o", tree + "/bin/upgrade-guard", "./src"},
	} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}
	return tree
}

func box(ts *testscript.TestScript) sandbox.Host { return sandbox.Host{Dir: ts.Getenv("SANDBOX")} }

func cmdHost(ts *testscript.TestScript, _ bool, args []string) {
	if onRealHost {
		if ts.Getenv("REAL") == "" {
			ts.Fatalf("this scenario is not for a real host")
		}
		return
	}
	h, err := sandbox.New(ts.MkAbs("sandbox"), args[0])
	ts.Check(err)
	for _, kv := range h.Env() {
		k, v, _ := strings.Cut(kv, "=")
		ts.Setenv(k, v)
	}
}

// cmdReal comes before host.
func cmdReal(ts *testscript.TestScript, _ bool, args []string) {
	if !onRealHost {
		return
	}
	b, err := os.ReadFile("/var/lib/dokku/STABLE_VERSION")
	ts.Check(err)
	if v := strings.TrimPrefix(strings.TrimSpace(string(b)), "v"); v != args[0] {
		ts.Fatalf("this scenario begins on Dokku %s, and this host has %s", args[0], v)
	}
	ts.Setenv("REAL", "yes")
	for k, v := range map[string]string{"DOKKU_ROOT": "/home/dokku", "DOKKU_LIB_ROOT": "/var/lib/dokku", "PLUGIN_PATH": "/var/lib/dokku/plugins",
		"PLUGIN_AVAILABLE_PATH": "/var/lib/dokku/plugins/available", "PLUGIN_ENABLED_PATH": "/var/lib/dokku/plugins/enabled",
		"PLUGIN_CORE_PATH": "/var/lib/dokku/core-plugins", "PLUGIN_CORE_AVAILABLE_PATH": "/var/lib/dokku/core-plugins/available",
		"PLUGIN_CORE_ENABLED_PATH": "/var/lib/dokku/core-plugins/enabled"} {
		ts.Setenv(k, v)
	}
}

func cmdInstallGuard(ts *testscript.TestScript, _ bool, _ []string) {
	if onRealHost {
		ts.Check(ts.Exec("dokku", "plugin:install", "file://"+repository(), "--name", "upgrade-guard"))
		ts.Check(ts.Exec("dokku", "upgrade-guard:set", "--global", "auto-rename", "false")) // as in the sandbox
		return
	}
	ts.Check(box(ts).Enable("upgrade-guard", ts.Getenv("PLUGIN_TREE")))
	ts.Check(ts.Exec("plugn", "trigger", "install"))
}

func cmdWithoutHooks(ts *testscript.TestScript, _ bool, _ []string) {
	files := []string{ts.Getenv("DOKKU_ROOT") + "/.dokkurc/upgrade-guard"}
	if onRealHost { // the sandbox's apt has no hooks
		files = append(files, "/etc/apt/apt.conf.d/80upgrade-guard", "/etc/dpkg/dpkg.cfg.d/upgrade-guard")
	}
	for _, f := range files {
		ts.Check(os.Remove(f))
	}
}

func cmdUpgrade(ts *testscript.TestScript, _ bool, args []string) {
	if onRealHost {
		os.Setenv("TRUTH", ts.Getenv("TRUTH"))
		os.Setenv("UNFORETOLD", ts.Getenv("UNFORETOLD"))
		truth.Foretell(realHost{}, args[0])
		defer truth.Foretold(realHost{}, args[0])
	}
	ts.Check(ts.Exec("apt-get", "install", "-y", "--allow-downgrades", "dokku="+args[0]))
}

// cmdForYou runs a command that leaves something to a person, which is no error.
func cmdForYou(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	if neg || !errors.As(err, &exit) || exit.ExitCode() != 2 {
		ts.Fatalf("%v, and not exit status 2", err)
	}
}

func cmdAnswers(ts *testscript.TestScript, neg bool, args []string) {
	app, err := ask(ts, args[0])
	// nginx reloads in the background: its old workers answer for a moment.
	for n := 0; n < 10 && onRealHost && (err != nil || app != args[1]); n++ {
		time.Sleep(300 * time.Millisecond)
		app, err = ask(ts, args[0])
	}
	ts.Check(err)
	if (app == args[1]) == neg {
		ts.Fatalf("%s is answered by %q, and %s was asked for", args[0], app, args[1])
	}
}

func cmdDead(ts *testscript.TestScript, _ bool, args []string) {
	if app, err := ask(ts, args[0]); err == nil {
		ts.Fatalf("%s is answered by %s", args[0], app)
	}
}

// ask is the app that answers under a domain.
func ask(ts *testscript.TestScript, domain string) (string, error) {
	if !onRealHost {
		return box(ts).Answers(domain)
	}
	var last error
	for _, scheme := range []string{"http", "https"} {
		app, err := request(scheme, domain)
		if err == nil {
			return app, nil
		}
		last = err
	}
	return "", last
}

// request asks the machine's own nginx. The apps of a real host answer with
// their name first, or with app= and their name.
func request(scheme, domain string) (string, error) {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(addr)
				if err != nil {
					return nil, err
				}
				return dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			},
			// The certificate is the app's own, for a name nobody vouches for.
			TLSClientConfig: &tls.Config{ServerName: domain, InsecureSkipVerify: true},
		},
	}
	r, err := client.Get(scheme + "://" + domain + "/")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1000))
	if r.StatusCode == http.StatusUnauthorized {
		return "", errPassword
	}
	// nginx's own page stands where no app's configuration is left.
	if err != nil || r.StatusCode != http.StatusOK || bytes.HasPrefix(body, []byte("<")) {
		return "", fmt.Errorf("%s: status %d, %v", domain, r.StatusCode, err)
	}
	return regexp.MustCompile(`(?:app=)?([a-z0-9_.-]+)`).FindStringSubmatch(string(body) + "nobody")[1], nil
}

// errPassword says that a password is asked for, so that nobody can tell whose page it is.
var errPassword = errors.New("a password is asked for")

func cmdScale(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command("dokku", "ps:scale", args[0])
	cmd.Env = append(os.Environ(), "SANDBOX="+ts.Getenv("SANDBOX"), "PATH="+ts.Getenv("PATH"))
	if path, err := exec.LookPath("dokku"); err == nil {
		cmd.Path, cmd.Err = path, nil
	}
	if !onRealHost {
		cmd.Path, cmd.Err = filepath.Join(strings.Split(ts.Getenv("PATH"), string(filepath.ListSeparator))[0], "dokku"), nil
	}
	out, err := cmd.CombinedOutput()
	ts.Check(err)
	got := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^[- >]*([a-z]+): +([0-9]+)\s*$|^[- >]*([a-z]+) +([0-9]+)\s*$`).FindAllStringSubmatch(string(out), -1) {
		got[m[1]+m[3]] = m[2] + m[4]
	}
	want := map[string]string{}
	for _, a := range args[1:] {
		k, v, _ := strings.Cut(a, "=")
		want[k] = v
	}
	if maps.Equal(got, want) == neg {
		ts.Fatalf("the scale of %s is %v:\n%s", args[0], got, out)
	}
}

// Whatever the guard could write to, with the times of the last change.
type fileMark struct {
	size int64
	time time.Time
	mode fs.FileMode
}

func marks(ts *testscript.TestScript) map[string]fileMark {
	found := map[string]fileMark{}
	for _, root := range []string{ts.Getenv("DOKKU_ROOT"), ts.Getenv("DOKKU_LIB_ROOT") + "/config", ts.Getenv("DOKKU_LIB_ROOT") + "/data"} {
		ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			st, err := d.Info()
			if err != nil {
				return err
			}
			found[path] = fileMark{st.Size(), st.ModTime(), st.Mode()}
			return nil
		}))
	}
	return found
}

var marked = map[string]map[string]fileMark{}

func cmdMark(ts *testscript.TestScript, _ bool, _ []string) { marked[ts.Getenv("WORK")] = marks(ts) }

func cmdUnchanged(ts *testscript.TestScript, _ bool, _ []string) {
	before, now := marked[ts.Getenv("WORK")], marks(ts)
	var differ []string
	for path := range now {
		if before[path] != now[path] {
			differ = append(differ, path)
		}
	}
	for path := range before {
		if _, ok := now[path]; !ok {
			differ = append(differ, path)
		}
	}
	if slices.Sort(differ); len(differ) > 0 {
		ts.Fatalf("written since mark:\n%s", strings.Join(differ, "\n"))
	}
}

func cmdDokkuVersion(ts *testscript.TestScript, _ bool, args []string) {
	for name, v := range map[string]string{"STABLE_VERSION": args[0], "VERSION": "v" + args[0]} {
		ts.Check(os.WriteFile(filepath.Join(ts.Getenv("DOKKU_LIB_ROOT"), name), []byte(v), 0o644))
	}
}

func cmdLetsencrypt(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(box(ts).Letsencrypt(args[0]))
}

func cmdIssue(ts *testscript.TestScript, _ bool, args []string) {
	days, err := strconv.Atoi(args[2])
	ts.Check(err)
	ts.Check(box(ts).Issue(args[0], args[1], days))
}

func cmdDamage(ts *testscript.TestScript, _ bool, args []string) {
	matches, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(matches) != 1 {
		ts.Fatalf("%s matches %d files", args[0], len(matches))
	}
	b, err := os.ReadFile(matches[0])
	ts.Check(err)
	b = bytes.Clone(b)
	b[len(b)/2] ^= 0xff
	ts.Check(os.WriteFile(matches[0], b, 0o600))
}

// ofApp are an app's files and properties, with what is in them.
func ofApp(ts *testscript.TestScript, name string) map[string]string {
	found := map[string]string{}
	dirs, err := filepath.Glob(ts.Getenv("DOKKU_LIB_ROOT") + "/[cd]*/*/" + name)
	ts.Check(err)
	for _, dir := range append(dirs, ts.Getenv("DOKKU_ROOT")+"/"+name) {
		ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			found[path] = string(b)
			return err
		}))
	}
	return found
}

var markedApp = map[string]map[string]string{}

func cmdMarkApp(ts *testscript.TestScript, _ bool, args []string) {
	markedApp[ts.Getenv("WORK")+args[0]] = ofApp(ts, args[0])
}

func cmdSameApp(ts *testscript.TestScript, _ bool, args []string) {
	before, now := markedApp[ts.Getenv("WORK")+args[0]], ofApp(ts, args[0])
	if len(before) == 0 || !maps.Equal(before, now) {
		for path := range now {
			if before[path] != now[path] {
				ts.Logf("%s is %q and was %q", path, now[path], before[path])
			}
		}
		ts.Fatalf("%s is not as it was: %d files, and %d now", args[0], len(before), len(now))
	}
}
