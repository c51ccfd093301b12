// The demo plays the story of dokku/dokku issue 7253 twice on a sandbox host, in
// a temporary directory: without upgrade-guard and with it. It ends with exit
// code 1 where the story does not come out as told, so it is a test too.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"upgrade-guard/tests/sandbox"
)

func main() {
	sandbox.Main() // dokku, plugn, docker and apt-get are links to this program
	if err := play(); err != nil {
		fmt.Fprintln(os.Stderr, " !     "+err.Error())
		os.Exit(1)
	}
}

func play() error {
	dir, err := os.MkdirTemp("", "upgrade-guard-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	title("A server with Dokku 0.20.4 and five apps (dokku/dokku issue 7253)")
	plain, err := newStage(dir, "without")
	if err != nil {
		return err
	}
	plain.table()

	title("Without upgrade-guard: the upgrade, and the rebuild the guide asks for")
	if err := plain.run("apt-get install dokku=0.35.5"); err != nil {
		return err
	}
	if err := plain.run("dokku ps:rebuild --all"); err != nil {
		return err
	}
	if up := plain.table(); up != 0 {
		return fmt.Errorf("%d sites are up that should be down", up)
	}
	if err := plain.run("dokku apps:rename my_app my-app"); err != nil {
		return err
	}
	plain.remains("my-app")

	title("With upgrade-guard")
	guarded, err := newStage(dir, "with")
	if err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := guarded.host.Enable("upgrade-guard", here); err != nil {
		return err
	}
	for _, command := range []string{
		"plugn trigger install",
		"plugn trigger pre-upgrade 0.20.4 0.35.5",
		"apt-get install dokku=0.35.5",
		"plugn trigger post-upgrade 0.20.4 0.35.5",
		"dokku ps:rebuild --all",
	} {
		if err := guarded.run(command); err != nil {
			return err
		}
	}
	if up := guarded.table(); up != len(guarded.domains) {
		return fmt.Errorf("only %d of %d sites are up", up, len(guarded.domains))
	}
	if err := guarded.run("dokku upgrade-guard:report"); err != nil {
		return err
	}
	if err := guarded.run("dokku upgrade-guard:rename my_app my-app"); err != nil {
		return err
	}
	guarded.domains[0][0] = "my-app"
	guarded.remains("my-app")
	if up := guarded.table(); up != len(guarded.domains) {
		return fmt.Errorf("only %d of %d sites are up after the rename", up, len(guarded.domains))
	}
	title("Every site answers, every scale is as it was, and nothing is lost by the new name.")
	return nil
}

func title(text string) { fmt.Printf("\n%s\n", style("1", text)) }

// style colours a text for a terminal, and leaves it alone for anything else.
func style(code, text string) string {
	if st, err := os.Stdout.Stat(); err != nil || st.Mode()&os.ModeCharDevice == 0 || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return "\033[" + code + "m" + text + "\033[0m"
}

// stage is one sandbox host and the environment of its commands.
type stage struct {
	host sandbox.Host
	env  []string
	bin  string
	// domains are those of the recorded host, behind the apps that serve them.
	domains [][2]string
}

func newStage(dir, name string) (stage, error) {
	s := stage{bin: filepath.Join(dir, name, "bin"), domains: [][2]string{
		{"my_app", "shop.example.org"},
		{"api_server", "api_server.dokku.test"},
		{"blog", "www.blog.example"},
	}}
	var err error
	if s.host, err = sandbox.New(filepath.Join(dir, name, "host"), sandbox.Before); err != nil {
		return s, err
	}
	exe, err := os.Executable()
	if err != nil {
		return s, err
	}
	if err := sandbox.InstallCommands(s.bin, exe); err != nil {
		return s, err
	}
	s.env = append(os.Environ(), append(s.host.Env(), "PATH="+s.bin+string(filepath.ListSeparator)+os.Getenv("PATH"))...)
	return s, nil
}

// run shows a command and what it says, indented.
func (s stage) run(line string) error {
	fmt.Printf("\n$ %s\n", line)
	out, err := s.output(line)
	for _, l := range strings.Split(strings.TrimRight(out, "\n"), "\n") {
		if l != "" {
			fmt.Println("  " + l)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return nil
}

func (s stage) output(line string) (string, error) {
	args := strings.Fields(line)
	cmd := exec.Command(filepath.Join(s.bin, args[0]), args[1:]...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// table shows which site is up and what Dokku says is its scale, and returns
// how many are.
func (s stage) table() (up int) {
	tw := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "\n  APP\tDOMAIN\tSCALE\tSITE")
	for _, d := range s.domains {
		site := style("31", "DOWN")
		if app, err := s.host.Answers(d[1]); err == nil && app == d[0] {
			site = style("32", "up")
			up++
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\n", d[0], d[1], s.scale(d[0]), site)
	}
	tw.Flush()
	return up
}

// remains shows what there is of an app's code and certificate.
func (s stage) remains(app string) {
	for _, part := range [][2]string{{"code", "refs/heads/master"}, {"certificate", "tls/server.crt"}} {
		what, file := part[0], part[1]
		is := style("32", "there")
		if _, err := os.Stat(filepath.Join(s.host.Dir, "home/dokku", app, file)); err != nil {
			is = style("31", "gone")
		}
		fmt.Printf("  its %s: %s\n", what, is)
	}
}

func (s stage) scale(app string) string {
	out, err := s.output("dokku ps:scale " + app)
	if err != nil {
		return "?"
	}
	var parts []string
	for _, l := range strings.Split(out, "\n") {
		if k, v, ok := strings.Cut(strings.TrimPrefix(l, "-----> "), ": "); ok && k != "proctype" && k != "--------" {
			parts = append(parts, k+"="+v)
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, " ")
}
