package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"upgrade-guard/src/app"
)

// PlayCommands are the stand-ins of the shell of make play: those of the scenarios, and
// whatever else our messages tell a person to type, or a person would type on a server.
// What would work on the machine itself instead is refused.
func PlayCommands() map[string]func() {
	commands := map[string]func(Host, []string) error{
		"dokku": Host.playDokku, "plugn": Host.plugn, "docker": Host.playDocker, "crontab": Host.playCrontab, "sudo": Host.playSudo,
		"apt": Host.playApt, "apt-get": Host.playApt, "apt-cache": Host.playAptCache, "dpkg-query": Host.dpkgQuery, "dpkg": Host.playDpkg, "sites": Host.sites,
	}
	for _, name := range []string{"dpkg-reconfigure", "systemctl", "service", "nginx", "git", "ssh", "reboot", "dokku-update", "unattended-upgrade", "journalctl"} {
		commands[name] = func(_ Host, args []string) error { return notHere(name, args) }
	}
	return mains(commands)
}

func notHere(program string, args []string) error {
	return fmt.Errorf("%s is not in this sandbox", strings.TrimSuffix(program+": "+strings.Join(args, " "), ": "))
}

// guard is the plugin's binary, where it is installed.
func (h Host) guard() (string, bool) {
	bin := h.path("var/lib/dokku/plugins/enabled/upgrade-guard/bin/upgrade-guard")
	_, err := os.Stat(bin)
	return bin, err == nil
}

// playDokku adds what belongs to an hour with the plugin and to no scenario.
func (h Host) playDokku(args []string) error {
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--trace" })
	if len(args) == 0 {
		args = []string{"help"}
	}
	link := h.path("var/lib/dokku/plugins/enabled/upgrade-guard")
	switch {
	case slices.Contains([]string{"version", "--version", "-v"}, args[0]):
		fmt.Println("dokku version " + h.version())
		return nil
	case args[0] == "help":
		fmt.Println("Of Dokku's own commands this sandbox has what its recordings show; it says so of the others.\nThe plugin's are all there:")
		if bin, ok := h.guard(); ok {
			return stream(bin, "command", "help")
		}
		return nil
	case args[0] == "plugin:list" && len(args) == 1:
		entries, err := os.ReadDir(filepath.Dir(link))
		for _, e := range entries {
			fmt.Println("  " + e.Name() + "  enabled")
		}
		return err
	// Whatever the address: it is the tree that make play was called in.
	case args[0] == "plugin:install" && len(args) > 1 && strings.Contains(strings.Join(args, " "), "upgrade-guard"),
		args[0] == "plugin:enable" && len(args) == 2 && args[1] == "upgrade-guard":
		if _, err := os.Lstat(link); err == nil {
			return errors.New("Plugin already enabled: upgrade-guard")
		}
		if err := os.Symlink(os.Getenv("PLAY_TREE"), link); err != nil {
			return err
		}
		fmt.Println("-----> upgrade-guard is from " + os.Getenv("PLAY_TREE") + " in this sandbox, whatever the address")
		return h.plugn([]string{"trigger", "install"})
	case args[0] == "plugin:install" && len(args) == 1:
		return h.plugn([]string{"trigger", "install"})
	case args[0] == "plugin:uninstall" && len(args) == 2 && args[1] == "upgrade-guard":
		if err := h.plugn([]string{"trigger", "uninstall", "upgrade-guard"}); err != nil {
			return err
		}
		return remove(link)
	case args[0] == "plugin:update" && len(args) == 2 && args[1] == "upgrade-guard":
		return h.plugn([]string{"trigger", "update", "upgrade-guard"})
	case args[0] == "plugin:trigger" && len(args) > 1:
		return h.plugn(append([]string{"trigger"}, args[1:]...))
	case (args[0] == "domains:set" || args[0] == "domains:remove") && len(args) > 2 && slices.Contains(h.apps(), args[1]):
		return h.setDomains(args[1], strings.TrimPrefix(args[0], "domains:"), args[2:])
	// Of each app what the recordings know, and no more.
	case len(args) < 3 && len(reportFlags[args[0]]) > 0 && !strings.HasPrefix(args[len(args)-1], "--"):
		return h.reportBlocks(args[0], args[1:])
	}
	return h.dokku(args)
}

var reportFlags = map[string][]string{
	"domains:report": {"--domains-app-enabled", "--domains-app-vhosts", "--domains-global-vhosts"},
	"ports:report":   {"--ports-map"},
	"certs:report":   {"--ssl-enabled"},
}

func (h Host) reportBlocks(command string, names []string) error {
	if len(names) == 0 {
		names = h.apps()
	}
	for _, name := range names {
		fmt.Printf("=====> %s %s information\n", name, strings.TrimSuffix(command, ":report"))
		for _, flag := range reportFlags[command] {
			value, err := h.reported(name, flag)
			if err != nil {
				return err
			}
			label := strings.ReplaceAll(strings.TrimPrefix(flag, "--"), "-", " ")
			fmt.Printf("       %-30s %s\n", strings.ToUpper(label[:1])+label[1:]+":", value)
		}
	}
	return nil
}

// setDomains plays domains:set and domains:remove, which end with a build as domains:add
// does.
func (h Host) setDomains(name, operation string, domains []string) error {
	vhost := h.path("home/dokku", name, "VHOST")
	if operation == "remove" {
		b, err := os.ReadFile(vhost)
		if err != nil {
			return err
		}
		domains = slices.DeleteFunc(strings.Fields(string(b)), func(d string) bool { return slices.Contains(domains, d) })
	}
	if err := os.WriteFile(vhost, []byte(strings.Join(domains, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	_, err := os.Stat(h.path("home/dokku", name, "IP.web.1"))
	if err := h.writeConfig(name, h.scale(name), err == nil); err != nil {
		return err
	}
	return h.plugn(append([]string{"trigger", "post-domains-update", name, operation}, domains...))
}

// playDocker takes containers by their names too, and lists them as docker does.
func (h Host) playDocker(args []string) error {
	_, parsed, err := h.containers()
	if err != nil {
		return err
	}
	list := strings.Join(args, " ")
	if (list == "ps" || list == "ps -a" || list == "ps --all") && len(h.lines("docker-is-down")) == 0 {
		tw := tabwriter.NewWriter(os.Stdout, 0, 8, 3, ' ', 0)
		fmt.Fprintln(tw, "CONTAINER ID\tSTATUS\tNAMES")
		for _, c := range parsed {
			if c.State.Running || list != "ps" {
				fmt.Fprintf(tw, "%.12s\t%s\t%s\n", c.ID, c.State.Status, strings.TrimPrefix(c.Name, "/"))
			}
		}
		return tw.Flush()
	}
	args = slices.Clone(args)
	for i := 1; i < len(args); i++ {
		for _, c := range parsed {
			if args[i] == strings.TrimPrefix(c.Name, "/") || len(args[i]) == 12 && strings.HasPrefix(c.ID, args[i]) {
				args[i] = c.ID
			}
		}
	}
	return h.docker(args)
}

func (h Host) playCrontab(args []string) error {
	if len(args) > 2 && args[0] == "-u" {
		args = args[2:]
	}
	return h.crontab(args)
}

// goAhead is root's file by which a refused upgrade goes on.
const goAhead = "/etc/upgrade-guard.go-ahead"

// playSudo is nobody's way to root: the stand-ins, and tools on what is the sandbox's.
func (h Host) playSudo(args []string) error {
	if err := h.sudo(args); err == nil || slices.Contains(args, "-n") {
		return err
	}
	if len(args) == 0 {
		return notHere("sudo", nil)
	}
	if _, ok := PlayCommands()[args[0]]; ok {
		return stream(args[0], args[1:]...)
	}
	// The binary of the release archive, unpacked here.
	if path, err := filepath.Abs(args[0]); err == nil && strings.Contains(args[0], "/") && strings.HasPrefix(path, h.Dir+"/") {
		return stream(path, args[1:]...)
	}
	if !slices.Contains([]string{"touch", "rm", "mkdir", "mv", "cp", "cat", "ls", "sed", "tar", "chown", "chmod", "install"}, args[0]) {
		return notHere("sudo", args)
	}
	own := slices.Clone(args[1:])
	for i, a := range own {
		switch clean := filepath.Clean(a); {
		case a == goAhead:
			own[i] = h.path(goAhead)
			if err := os.MkdirAll(filepath.Dir(own[i]), 0o755); err != nil {
				return err
			}
		case filepath.IsAbs(a) && clean != h.Dir && !strings.HasPrefix(clean, h.Dir+"/"), strings.HasPrefix(clean, ".."):
			return fmt.Errorf("sudo: %s is not in this sandbox, which is %s", a, h.Dir)
		}
	}
	return stream(args[0], own...)
}

// Offered are the versions that an upgrade from the present one is recorded to, the
// newest last.
func (h Host) Offered() []string {
	var found []string
	if !slices.Contains(Recordings(), "issue7253-"+h.version()+"-before") {
		return nil
	}
	for _, name := range Recordings() {
		if v, ok := strings.CutSuffix(strings.TrimPrefix(name, "issue7253-"), "-after"); ok && app.Before(h.version(), v) {
			found = append(found, v)
		}
	}
	return found
}

// playApt is apt with Dokku as its only package. What it calls of ours, and when, is
// what hook/packages has it call.
func (h Host) playApt(args []string) error {
	words := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-") })
	offered, to := h.Offered(), h.version()
	if len(offered) > 0 {
		to = offered[len(offered)-1]
	}
	switch {
	case slices.Equal(args, simulation):
		return h.simulate()
	case len(words) == 1 && words[0] == "update":
		fmt.Println("Hit:1 the recordings of this sandbox")
		return nil
	case len(words) == 1 && slices.Contains([]string{"upgrade", "full-upgrade", "dist-upgrade"}, words[0]):
	case len(words) == 2 && words[0] == "install" && words[1] == "dokku":
	case len(words) == 2 && words[0] == "install" && pinned.MatchString(words[1]):
		to = pinned.FindStringSubmatch(words[1])[1]
	case len(words) > 0 && words[0] == "install":
		return fmt.Errorf("apt: this sandbox has one package, dokku, and not %s", strings.Join(words[1:], " "))
	default:
		return notHere("apt", args)
	}
	if slices.ContainsFunc(args, func(a string) bool { return a == "-s" || a == "--simulate" || a == "--dry-run" }) {
		return notHere("apt", args)
	}
	switch {
	case to != h.version() && !slices.Contains(offered, to):
		return fmt.Errorf("apt: no upgrade from %s to %s is recorded; those that are: %s", h.version(), to, h.routes())
	case to == h.version() && len(offered) == 0:
		fmt.Printf("dokku is already the newest version (%s). The upgrades that are recorded: %s\n", to, h.routes())
		return nil
	case to == h.version():
		fmt.Printf("dokku is already at version %s\n", to)
		return nil
	}
	return h.playUpgrade(to)
}

// routes are all upgrades that are recorded, for a sentence.
func (h Host) routes() string {
	var found []string
	for _, name := range Recordings() {
		if from, ok := strings.CutSuffix(strings.TrimPrefix(name, "issue7253-"), "-before"); ok {
			for _, other := range Recordings() {
				if to, ok := strings.CutSuffix(strings.TrimPrefix(other, "issue7253-"), "-after"); ok {
					found = append(found, from+" to "+to)
				}
			}
		}
	}
	return strings.Join(found, ", ")
}

func (h Host) playUpgrade(to string) error {
	from := h.version()
	bin, guarded := h.guard()
	fmt.Printf("The following packages will be upgraded:\n  dokku (%s => %s)\n", from, to)
	if guarded {
		hook := exec.Command(bin, "before", "apt")
		hook.Stdin = strings.NewReader(fmt.Sprintf("VERSION 3\n\ndokku %s amd64 none < %s amd64 none /dokku.deb\n", from, to))
		hook.Stdout, hook.Stderr = os.Stdout, os.Stderr
		var exit *exec.ExitError
		if err := hook.Run(); errors.As(err, &exit) && exit.ExitCode() == 10 {
			if _, err := os.Stat(h.path(goAhead)); errors.Is(err, fs.ErrNotExist) {
				return errors.New("Nothing has been touched yet. To upgrade all the same: sudo touch " + goAhead)
			}
			fmt.Fprintln(os.Stderr, " !     "+goAhead+" is there: going on all the same. Remove it afterwards.")
		}
		if err := os.Setenv("DOKKURC", "yes"); err != nil { // Upgrade calls the last hook before the installation
			return err
		}
	}
	fmt.Printf("Unpacking dokku (%s) over (%s) ...\nSetting up dokku (%s) ...\n", to, from, to)
	if err := h.Upgrade(to); err != nil || !guarded {
		return err
	}
	for _, hook := range [][]string{{"after", "dpkg", "dokku"}, {"after", "apt", "dokku"}} {
		if err := stream(bin, hook...); err != nil {
			fmt.Fprintf(os.Stderr, " !     upgrade-guard could not repair everything; see above. After that: dokku upgrade-guard:apply\n")
		}
	}
	if entries, _ := os.ReadDir(h.path("var/lib/dokku/data/upgrade-guard/queue")); len(entries) > 0 {
		fmt.Println("(What is queued goes on by itself on a server. Here it is done before apt ends.)")
	}
	return stream(bin, "queue")
}

func (h Host) playAptCache(args []string) error {
	if !slices.Equal(args, []string{"policy", "dokku"}) {
		return notHere("apt-cache", args)
	}
	candidate := h.version()
	if offered := h.Offered(); len(offered) > 0 {
		candidate = offered[len(offered)-1]
	}
	fmt.Printf("dokku:\n  Installed: %s\n  Candidate: %s\n", h.version(), candidate)
	return nil
}

func (h Host) playDpkg(args []string) error {
	if slices.Equal(args, []string{"--print-architecture"}) {
		arch := runtime.GOARCH
		if arch == "arm" {
			arch = "armhf"
		}
		fmt.Println(arch)
		return nil
	}
	return notHere("dpkg", args)
}

func (h Host) dpkgQuery(args []string) error {
	switch strings.Join(args, " ") {
	case "-W -f ${db:Status-Status} dokku", "-W -f ${db:Status-Status}\n dokku":
		fmt.Println("installed")
		return nil
	case "--show --showformat ${Status} ${Version} dokku":
		fmt.Print("install ok installed " + h.version())
		return nil
	}
	return notHere("dpkg-query", args)
}

// sites shows which app answers under each domain: what visitors would see.
func (h Host) sites([]string) error {
	tw := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "APP\tDOMAIN\tSCALE\tSITE")
	for _, name := range h.apps() {
		scale := strings.TrimSpace(h.scale(name).String())
		if scale == "" {
			scale = "none"
		}
		b, _ := os.ReadFile(h.path("home/dokku", name, "VHOST"))
		domains := strings.Fields(string(b))
		if len(domains) == 0 {
			domains = []string{"-"}
		}
		for _, domain := range domains {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", name, domain, scale, h.site(name, domain))
		}
	}
	return tw.Flush()
}

func (h Host) site(name, domain string) string {
	if _, err := os.Stat(h.path("home/dokku", name, "refs/heads/master")); err != nil {
		return "not deployed"
	}
	by, err := h.Answers(domain)
	processes := h.scale(name).Processes
	switch {
	case err == nil && by == name:
		return "up"
	case err == nil:
		return "answered by " + by
	// All at zero is what a lost scale ends as, and workers alone are an app without a site.
	case slices.ContainsFunc(processes, func(p app.Process) bool { return p.Type != "web" && p.Quantity > 0 }) &&
		slices.ContainsFunc(processes, func(p app.Process) bool { return p.Type == "web" && p.Quantity == 0 }):
		return "has none"
	}
	return "DOWN"
}
