package host_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"upgrade-guard/tests/sandbox"
)

// binary is the real program.
func binary(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "upgrade-guard", "bin", "upgrade-guard")
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", name, "./src").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return name
}

// used is what one run of the program took.
type used struct {
	code   int
	out    string
	cpu    time.Duration
	memory int64 // MiB
}

func run(t *testing.T, binary string, args ...string) used {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	// A process begins with the peak of the one that has started it: ours is none of its.
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	_ = cmd.Run()
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return used{cmd.ProcessState.ExitCode(), out.String(), time.Duration(u.Utime.Nano() + u.Stime.Nano()), u.Maxrss >> 10}
}

// large is how large the hostile files are: what is more than linear shows, and the
// test does not take all day.
const large = 256 << 10

// lines are numbered lines.
func lines(format string) string {
	var b strings.Builder
	for n := 0; b.Len() < large; n++ {
		fmt.Fprintf(&b, format+"\n", n)
	}
	return b.String()
}

// oneLine makes one line of lines, in a file that begins and ends so.
func oneLine(begin, format, end string) string {
	return begin + strings.ReplaceAll(lines(format), "\n", " ") + end
}

// hostile are files as large as they are read, each hard in its own way, by their places
// below the sandbox.
type hostile struct {
	about, recording string
	files            map[string]string
}

// hostileFiles makes them when they are wanted: this program is started for every docker,
// dokku and plugn of the sandbox.
func hostileFiles() []hostile {
	return []hostile{
		{"0.20.4, lists", sandbox.Before, map[string]string{
			"home/dokku/VHOST":                            lines("g%d.example"),
			"home/dokku/blog/VHOST":                       lines("d%d.example"),
			"home/dokku/blog/ENV":                         lines(`V%d="x"`),
			"home/dokku/blog/DOKKU_SCALE":                 lines("t%d=1"),
			"home/dokku/blog/nginx.conf":                  oneLine("server {\n  server_name ", "d%d.example", ";\n}\n"),
			"home/dokku/my_app/DOKKU_SCALE":               lines("t%d"),
			"home/dokku/my_app/ENV":                       oneLine(`DOKKU_PROXY_PORT_MAP="`, "http:%d:5000", "\"\n"),
			"home/dokku/my_app/nginx.conf":                "server {\n" + strings.Repeat("  listen 80;\n", 30_000) + "}\n",
			"home/dokku/my_app/packed-refs":               lines("0123456789012345678901234567890123456789 refs/heads/b%d"),
			"home/dokku/api_server/VHOST":                 "",
			"home/dokku/api_server/nginx.conf":            lines("server {\n  listen %d;\n  server_name d%[1]d.example;\n  proxy_pass http://api_server-%[1]d;\n}"),
			"home/dokku/api_server/DOCKER_OPTIONS_DEPLOY": lines("-v /%d:/x"),
			"home/dokku/api_server/nginx.conf.d/a.conf":   strings.Repeat("include /home/dokku/api_server/nginx.conf.d/*;\n", 10_000),
			"home/dokku/jobs_only/tls/server.crt":         strings.Repeat("-----BEGIN X-----\n", large/20),
			"home/dokku/jobs_only/tls/server.key":         strings.Repeat("-----BEGIN X-----\n-----END X-----\n", large/40),
			"home/dokku/never_deployed/DOKKU_SCALE":       strings.Repeat("web=1\n", large/8),
			"home/dokku/never_deployed/ENV":               strings.Repeat("#\n", large/3),
			"images/blog/app/Procfile":                    lines("t%d: x"),
			"crontab":                                     lines("* * * * * %d"),
		}},
		{"0.38.27, properties", "issue7253-0.38.27-after", map[string]string{
			"home/dokku/VHOST":                                            lines("g%d.example"),
			"home/dokku/blog/VHOST":                                       lines("blog.g%d.example"),
			"var/lib/dokku/config/blog/ENV":                               lines(`V%d="x"`),
			"var/lib/dokku/config/ps/blog/scale":                          lines("t%d=1"),
			"var/lib/dokku/config/ports/jobs_only/map":                    lines("http:%d:5000"),
			"var/lib/dokku/config/ports/my_app/map-detected":              lines("http:%d:5000"),
			"var/lib/dokku/config/ports/my_app/map":                       "",
			"var/lib/dokku/config/docker-options/blog/_default_.run":      lines("-v /%d:/x"),
			"home/dokku/blog/DOCKER_OPTIONS_RUN":                          lines("-e %d"),
			"home/dokku/my_app/nginx.conf":                                lines("server {\n  listen %d;\n  server_name d%[1]d.example;\n  return 502;\n}"),
			"home/dokku/api_server/nginx.conf":                            strings.Repeat("a;", large/2),
			"var/lib/dokku/config/nginx/blog/" + strings.Repeat("p", 200): lines("%d"),
			"var/lib/dokku/config/letsencrypt/blog/email":                 lines("%d"),
		}},
	}
}

// However large and strange the files of an app are: the others are looked after as
// ever, in the time that apt gives us, on a server with little memory.
func TestHostileFiles(t *testing.T) {
	program := binary(t)
	for _, test := range hostileFiles() {
		t.Run(test.about, func(t *testing.T) {
			box, h := newHost(t, test.recording)
			for name, content := range test.files {
				name = filepath.Join(box.Dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			branches := h.Paths().App("never_deployed") + "/refs/heads/"
			if err := os.MkdirAll(branches+strings.Repeat("d/", 100), 0o755); err != nil {
				t.Fatal(err)
			}
			from := strings.Split(test.recording, "-")[1]
			for _, args := range [][]string{
				{"trigger", "install"}, {"trigger", "pre-upgrade", from, "0.38.27"}, {"check", "--to", "0.38.27"}, {"report"},
				{"trigger", "post-deploy", "blog"}, {"restore", "blog", "--dry-run"}, {"restore", "my_app"}, {"upgrade"},
				{"trigger", "post-upgrade", from, "0.38.27"}, {"apply", "--guesses"}, {"snapshots", "--verify"}, {"rename", "blog", "blog-2", "--dry-run"},
			} {
				if args[0] == "upgrade" {
					if from == "0.20.4" {
						if err := box.Upgrade("0.38.27"); err != nil {
							t.Fatal(err)
						}
					}
					continue
				}
				u := run(t, program, args...)
				if u.code < 0 || u.code > 2 || u.cpu > 20*time.Second || u.memory > 150 || strings.Contains(u.out, "panic") || strings.Contains(u.out, "went wrong") {
					t.Errorf("%v: %d\n%.2000s", args, u.code, u.out)
				}
				t.Logf("%5.2f s  %3d MiB  %s", u.cpu.Seconds(), u.memory, strings.Join(args, " "))
				if args[0] == "snapshots" && (u.code != 0 || !strings.Contains(u.out, "pre-upgrade")) {
					t.Errorf("the snapshots are not whole:\n%.2000s", u.out)
				}
			}
		})
	}
}
