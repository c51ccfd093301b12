package sandbox

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"upgrade-guard/src/app"
	"upgrade-guard/tests/truth"
)

// Commands are the stand-ins, by the name of the program they stand for. Each
// works on the sandbox that the variable SANDBOX names, with os.Args.
func Commands() map[string]func() {
	commands := map[string]func(Host, []string) error{
		"dokku": Host.dokku, "plugn": Host.plugn, "docker": Host.docker, "crontab": Host.crontab,
		"apt-get": Host.aptGet, "apt-cache": Host.aptCache, "sudo": Host.sudo,
	}
	return mains(commands)
}

func mains(commands map[string]func(Host, []string) error) map[string]func() {
	mains := map[string]func(){}
	for name, run := range commands {
		mains[name] = func() {
			err := run(Host{os.Getenv("SANDBOX")}, os.Args[1:])
			var exit *exec.ExitError
			switch {
			case errors.As(err, &exit):
				os.Exit(exit.ExitCode())
			case errors.Is(err, errNotRecorded):
				err = notHere(name, os.Args[1:])
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, " !     "+err.Error())
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	return mains
}

// errNotRecorded is the end of what no recording shows: notHere says it.
var errNotRecorded = errors.New("the sandbox has no recording of this")

// dokku plays the commands that the story needs.
func (h Host) dokku(args []string) error {
	if slices.Contains(args, "--quiet") { // wherever it stands, as in Dokku
		os.Setenv("DOKKU_QUIET_OUTPUT", "1")
	}
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--quiet" })
	if len(args) > 2 && args[0] == "--app" {
		os.Setenv("DOKKU_APP_NAME", args[1])
		args = args[2:]
	}
	if len(args) == 0 {
		return errNotRecorded
	}
	if err := h.called(args); err != nil {
		return err
	}
	plugin, command, _ := strings.Cut(args[0], ":")
	own := h.path("var/lib/dokku/plugins/enabled", plugin, "subcommands", command)
	if _, err := os.Stat(own); err == nil && plugin == "upgrade-guard" {
		return truth.Around(truthful{h}, args, func() error { return stream(own, args...) })
	} else if err == nil {
		return stream(own, args...)
	}
	if name := os.Getenv("DOKKU_APP_NAME"); name != "" {
		return fmt.Errorf("dokku --app %s was meant for another command than %s", name, strings.Join(args, " "))
	}
	switch {
	case args[0] == "apps:list" && len(args) == 1:
		fmt.Println(strings.Join(h.apps(), "\n"))
		return nil
	case slices.Contains([]string{"domains:report", "ports:report", "certs:report"}, args[0]):
		return h.report(plugin, args[1:])
	case args[0] == "ps:scale" && len(args) == 2:
		fmt.Printf("-----> Scaling for %s\n-----> proctype: qty\n-----> --------: ---\n", args[1])
		for _, p := range h.scale(args[1]).Processes {
			fmt.Printf("-----> %s: %d\n", p.Type, p.Quantity)
		}
		return nil
	case args[0] == "ps:scale":
		return h.setScale(slices.DeleteFunc(slices.Clone(args[1:]), func(a string) bool { return a == "--skip-deploy" }))
	case args[0] == "ps:rebuild" && len(args) == 2 && args[1] == "--all":
		for _, name := range h.apps() {
			if err := h.rebuild(name); err != nil {
				return err
			}
		}
		return nil
	case args[0] == "ps:rebuild" && len(args) == 2:
		return h.rebuild(args[1])
	case (args[0] == "config:set" || args[0] == "config:unset") && len(args) > 2:
		return h.config(args[0], slices.DeleteFunc(slices.Clone(args[1:]), func(a string) bool { return a == "--no-restart" }))
	case args[0] == "letsencrypt:active" && len(args) == 2:
		fmt.Println(h.letsencryptActive(args[1]))
		return nil
	case args[0] == "letsencrypt:enable" && len(args) == 2:
		return h.enableLetsencrypt(args[1])
	case args[0] == "ps:restart" && len(args) == 2, args[0] == "ps:start" && len(args) == 2:
		return h.restart(args[1])
	case args[0] == "ps:stop" && len(args) == 2:
		return h.stop(args[1])
	case args[0] == "apps:rename" && len(args) == 3:
		return h.renameApp(args[1], args[2])
	case args[0] == "--force" && len(args) == 3 && args[1] == "apps:destroy":
		return h.destroy(args[2])
	case args[0] == "proxy:build-config" && len(args) == 2 && !app.Before(h.version(), "0.21.0"),
		args[0] == "nginx:build-config" && len(args) == 2 && app.Before(h.version(), "0.30.0"):
		return h.buildConfig(args[1])
	case args[0] == "apps:create" && len(args) == 2:
		return h.createApp(args[1])
	case args[0] == "storage:mount" && len(args) == 3 && !app.Before(h.version(), "0.38.0"):
		return h.mountStorage(args[1], args[2])
	case args[0] == "domains:add" && len(args) == 3:
		return h.addDomain(args[1], args[2])
	case args[0] == "network:create" && len(args) == 2:
		return h.docker([]string{"network", "create", "--attachable", "--label", "com.dokku.network-name=" + args[1], args[1]})
	case args[0] == "plugin:disable" && len(args) == 2:
		return os.Remove(h.path("var/lib/dokku/plugins/enabled", args[1]))
	case args[0] == "report" && len(args) == 2:
		return h.plugn([]string{"trigger", "report", args[1]})
	}
	return errNotRecorded
}

func stream(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// plugn fires a trigger in every enabled plugin, and answers for core where a
// recording shows what core answers.
func (h Host) plugn(args []string) error {
	if len(args) < 2 || args[0] != "trigger" {
		return errNotRecorded
	}
	if args[1] == "ps-current-scale" && len(args) == 3 {
		lines := strings.Fields(h.scale(args[2]).String())
		slices.Sort(lines)
		if len(lines) > 0 {
			fmt.Println(strings.Join(lines, "\n"))
		}
		return nil
	}
	if args[1] == "ports-get" && len(args) == 3 {
		b, err := os.ReadFile(h.path("var/lib/dokku/config/ports", args[2], "map"))
		fmt.Print(string(b))
		return err
	}
	switch {
	case args[1] == "config-get" && len(args) == 4:
		return h.printVariable(args[2], args[3])
	case args[1] == "config-get-global" && len(args) == 3:
		return h.printVariable("--global", args[2])
	case args[1] == "cron-write" && !app.Before(h.version(), "0.23.2") && app.Before(h.version(), "0.36.0"),
		args[1] == "scheduler-cron-write" && len(args) == 3 && args[2] == "" && !app.Before(h.version(), "0.36.0"):
		return h.writeCrontab()
	case args[1] == "proxy-build-config" && len(args) == 3:
		return h.buildConfig(args[2])
	}
	hooks, err := filepath.Glob(h.path("var/lib/dokku/plugins/enabled/*", args[1]))
	if err != nil {
		return err
	}
	switch {
	case args[1] == "pre-upgrade" && len(args) == 4:
		truth.Foretell(truthful{h}, args[3])
	case args[1] == "post-upgrade" && len(args) == 4:
		defer truth.Foretold(truthful{h}, args[3])
	}
	for _, hook := range hooks {
		if err := stream(hook, args[2:]...); err != nil {
			return err
		}
	}
	return nil
}

// envFile is where this host keeps an environment.
func (h Host) envFile(scope string) string {
	switch {
	case !app.Before(h.version(), "0.38.0"):
		return h.path("var/lib/dokku/config", scope, "ENV")
	case scope == "--global":
		return h.path("home/dokku/ENV")
	}
	return h.path("home/dokku", scope, "ENV")
}

func (h Host) printVariable(scope, name string) error {
	env, err := h.readEnv(scope)
	fmt.Print(env[name])
	return err
}

// writeCrontab plays what core writes from 0.23.2 on: what the plugins have to add
// (the apps of the recordings have no tasks), and nothing else.
func (h Host) writeCrontab() error {
	crontab := "PATH=/usr/local/bin:/usr/bin:/bin\nSHELL=/bin/bash\n\n"
	hooks, err := filepath.Glob(h.path("var/lib/dokku/plugins/enabled/*/cron-entries"))
	if err != nil {
		return err
	}
	none := true
	for _, hook := range hooks {
		out, err := exec.Command(hook, "docker-local").Output()
		if err != nil {
			return err
		}
		for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if parts := strings.Split(line, ";"); len(parts) == 3 {
				crontab += fmt.Sprintf("%s %s &>> %s\n", parts[0], parts[1], parts[2])
				none = false
			}
		}
	}
	if none {
		return remove(h.path("crontab"))
	}
	return os.WriteFile(h.path("crontab"), []byte(crontab), 0o600)
}

func (h Host) scaleFile(name string) string {
	if app.ScaleInFile(h.version()) {
		return h.path("home/dokku", name, "DOKKU_SCALE")
	}
	if moved := h.path("var/lib/dokku/config/ps", name, futureScale); !app.Before(h.version(), future) {
		if _, err := os.Stat(moved); err == nil {
			return moved
		}
	}
	return h.path("var/lib/dokku/config/ps", name, "scale")
}

// scale is what this host's Dokku goes by.
func (h Host) scale(name string) *app.Scale {
	s := &app.Scale{}
	b, _ := os.ReadFile(h.scaleFile(name))
	for _, l := range strings.Split(string(b), "\n") {
		processType, quantity, _ := strings.Cut(l, "=")
		if n, err := strconv.Atoi(quantity); err == nil {
			s.Processes = append(s.Processes, app.Process{Type: processType, Quantity: n})
		}
	}
	return s
}

func (h Host) writeScale(name string, s *app.Scale) error {
	if err := os.MkdirAll(filepath.Dir(h.scaleFile(name)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(h.scaleFile(name), s.Lines(), 0o600)
}

func (h Host) setScale(args []string) error {
	s := h.scale(args[0])
	for _, a := range args[1:] {
		processType, quantity, _ := strings.Cut(a, "=")
		n, err := strconv.Atoi(quantity)
		if err != nil {
			return fmt.Errorf("Invalid count for process type %s", processType)
		}
		i := slices.IndexFunc(s.Processes, func(p app.Process) bool { return p.Type == processType })
		if i < 0 {
			s.Processes, i = append(s.Processes, app.Process{Type: processType}), len(s.Processes)
		}
		s.Processes[i].Quantity = n
	}
	if err := h.writeScale(args[0], s); err != nil {
		return err
	}
	return h.plugn([]string{"trigger", "post-deploy", args[0]})
}

// rebuild plays ps:rebuild of 0.30 and later, as issue7253-0.38.27-rebuilt
// shows it: a process type of the Procfile that has no scale gets 0; what is at
// 0 is stopped, and without a web process nginx.conf goes. Containers of types
// that keep their scale are replaced by ones that serve as they did.
func (h Host) rebuild(name string) error {
	if app.ScaleInFile(h.version()) {
		return fmt.Errorf("%w: ps:rebuild on %s", errNotRecorded, h.version())
	}
	if _, err := os.Stat(h.path("home/dokku", name, "refs/heads/master")); err != nil {
		fmt.Printf(" !     App %s has not been deployed\n", name)
		return nil
	}
	fmt.Printf("-----> Rebuilding %s...\n", name)
	if err := h.plugn([]string{"trigger", "post-extract", name, "/tmp/work", "master"}); err != nil {
		return err
	}
	// The build makes the image, whether it was there before or not.
	if err := h.changeImages(func(images map[string]string) error { images["dokku/"+name+":latest"] = name; return nil }); err != nil {
		return err
	}
	if err := h.startable(name); err != nil {
		return err
	}
	s := h.scale(name)
	for _, processType := range []string{"web", "worker"} { // the Procfile of all recorded apps
		if !slices.ContainsFunc(s.Processes, func(p app.Process) bool { return p.Type == processType }) {
			s.Processes = append(s.Processes, app.Process{Type: processType})
		}
	}
	if err := h.writeScale(name, s); err != nil {
		return err
	}
	var stopped []string
	for _, p := range s.Processes {
		fmt.Printf("-----> Deploying %s (count=%d)\n", p.Type, p.Quantity)
		for n := p.Quantity + 1; n < 20; n++ {
			suffix := fmt.Sprintf(".%s.%d", p.Type, n)
			id, _ := os.ReadFile(h.path("home/dokku", name, "CONTAINER"+suffix))
			stopped = append(stopped, strings.TrimSpace(string(id)))
			for _, f := range []string{"CONTAINER", "IP", "PORT"} {
				if err := remove(h.path("home/dokku", name, f+suffix)); err != nil {
					return err
				}
			}
		}
		if p.Type == "web" && p.Quantity == 0 {
			if err := remove(h.path("home/dokku", name, "nginx.conf")); err != nil {
				return err
			}
		}
	}
	if err := h.removeContainers(func(c inspected) bool { return slices.Contains(stopped, c.ID) }); err != nil {
		return err
	}
	return h.plugn([]string{"trigger", "post-deploy", name})
}

// config plays config:set and config:unset, which write the whole ENV anew, with the
// trigger that follows.
func (h Host) config(command string, args []string) error {
	env, err := h.readEnv(args[0])
	if err != nil {
		return err
	}
	var names []string
	for _, a := range args[1:] {
		name, value, _ := strings.Cut(a, "=")
		names = append(names, name)
		if env[name] = value; command == "config:unset" {
			delete(env, name)
		}
	}
	if err := h.writeEnv(args[0], env); err != nil {
		return err
	}
	return h.plugn(append([]string{"trigger", "post-config-update", args[0], strings.TrimPrefix(command, "config:")}, names...))
}

// destroyed are the namespaces whose plugins have a post-delete.
var destroyed = []string{"app-json", "apps", "builder", "buildpacks", "config", "cron", "docker-options", "domains", "git", "logs", "network", "nginx",
	"ports", "proxy", "ps", "registry", "resource", "scheduler", "scheduler-docker-local", "storage"}

func (h Host) destroy(name string) error {
	if err := h.plugn([]string{"trigger", "post-delete", name}); err != nil {
		return err
	}
	// From 0.31.0 on containers are found by their label, and those that never ran
	// are not looked for (docs/dokku-versions.md#appsrename).
	forgotten := func(c inspected) bool { return c.State.Status == "created" && !app.Before(h.version(), "0.31.0") }
	if err := h.removeContainers(func(c inspected) bool { return c.app() == name && !forgotten(c) }); err != nil {
		return err
	}
	_, left, err := h.containers()
	if err != nil {
		return err
	}
	if err := h.changeImages(func(images map[string]string) error {
		maps.DeleteFunc(images, func(image, label string) bool {
			return label == name && !slices.ContainsFunc(left, func(c inspected) bool { return c.image() == image })
		})
		return nil
	}); err != nil {
		return err
	}
	scopes, err := filepath.Glob(h.path("var/lib/dokku/config/*", name))
	if err != nil {
		return err
	}
	if !app.Before(h.version(), "0.38.0") {
		scopes = append(scopes, h.path("var/lib/dokku/config", name)) // its ENV is there
	}
	// Each plugin destroys its own, and Dokku forgets some
	// (docs/dokku-versions.md#appsrename).
	scopes = slices.DeleteFunc(scopes, func(dir string) bool {
		namespace := filepath.Base(filepath.Dir(dir))
		_, err := os.Stat(h.path("var/lib/dokku/config", namespace, name))
		return err == nil && !slices.Contains(destroyed, namespace)
	})
	for _, dir := range append(scopes, h.path("home/dokku", name)) {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// inspected is the part of a recorded container that the stand-ins look at.
type inspected struct {
	ID    string `json:"Id"`
	Name  string
	Image string
	State struct {
		Running bool
		Status  string
	}
	Config struct {
		Image  string
		Labels map[string]string
	}
	Net struct {
		Networks map[string]struct{ IPAddress string }
	} `json:"NetworkSettings"`
}

func (c inspected) image() string { return c.Config.Image }

func (c inspected) app() string { return c.Config.Labels["com.dokku.app-name"] }

func (h Host) containers() (raw []json.RawMessage, parsed []inspected, err error) {
	b, err := os.ReadFile(h.path("docker-inspect.json"))
	if err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, nil, err
	}
	return raw, parsed, json.Unmarshal(b, &parsed)
}

func (h Host) removeContainers(gone func(inspected) bool) error {
	raw, parsed, err := h.containers()
	if err != nil {
		return err
	}
	kept := []json.RawMessage{}
	for i, c := range parsed {
		if !gone(c) {
			kept = append(kept, raw[i])
		}
	}
	b, err := json.MarshalIndent(kept, "", "    ") // as docker writes it
	if err != nil {
		return err
	}
	return os.WriteFile(h.path("docker-inspect.json"), b, 0o644)
}

// startContainers plays docker start and docker stop. The containers keep their
// addresses, which docker does not promise.
func (h Host) startContainers(raw []json.RawMessage, parsed []inspected, ids []string, running bool) error {
	status := map[bool]string{true: "running", false: "exited"}[running]
	for i, c := range parsed {
		if !slices.Contains(ids, c.ID) {
			continue
		}
		var v map[string]any
		if err := json.Unmarshal(raw[i], &v); err != nil {
			return err
		}
		state, _ := v["State"].(map[string]any)
		state["Running"], state["Status"] = running, status
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		raw[i] = b
	}
	b, err := json.MarshalIndent(raw, "", "    ")
	if err != nil {
		return err
	}
	return os.WriteFile(h.path("docker-inspect.json"), b, 0o644)
}

// docker answers docker ps --filter label=..., docker inspect --format, docker start
// and stop, and docker cp of a file that a scenario has put into images/<app>, or
// images/<container id>, of the sandbox: recordings hold no images.
// The file docker-is-down in the sandbox makes it answer nothing.
func (h Host) docker(args []string) error {
	if _, err := os.Stat(h.path("docker-is-down")); err == nil {
		return errors.New("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
	}
	raw, parsed, err := h.containers()
	if err != nil {
		return err
	}
	if answered, err := h.dockerHas(args, parsed); answered {
		return err
	}
	switch {
	case len(args) > 1 && args[0] == "ps":
		_, name, one := strings.Cut(args[len(args)-1], "label=com.dokku.app-name=")
		all := slices.Contains(args, "--all")
		for _, c := range parsed {
			if c.app() != "" && (!one || c.app() == name) && (all || c.State.Running) {
				fmt.Println(c.ID)
			}
		}
		return nil
	case len(args) > 1 && (args[0] == "start" || args[0] == "stop"):
		return h.startContainers(raw, parsed, args[1:], args[0] == "start")
	case len(args) > 1 && slices.Contains([]string{"images", "build", "rmi", "rm", "create"}, args[0]):
		return h.dockerImage(args)
	case len(args) == 3 && args[0] == "cp" && args[2] == "-":
		id, file, _ := strings.Cut(args[1], ":")
		i := slices.IndexFunc(parsed, func(c inspected) bool { return c.ID == id })
		if i < 0 {
			return fmt.Errorf("No such container: %s", id)
		}
		f, err := os.Open(h.path("images", id, file))
		if err != nil {
			f, err = os.Open(h.path("images", parsed[i].app(), file))
		}
		if err != nil {
			return fmt.Errorf("Error response from daemon: Could not find the file %s in container %s", file, id)
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		tw := tar.NewWriter(os.Stdout)
		if err := tw.WriteHeader(&tar.Header{Name: filepath.Base(file), Mode: 0o644, Size: st.Size()}); err != nil {
			return err
		}
		if _, err := io.Copy(tw, f); err != nil {
			return err
		}
		return tw.Close()
	case len(args) > 3 && args[0] == "image" && args[1] == "inspect" && args[2] == "--format":
		// As the containers that were made from it have it: recordings hold no images.
		var images []json.RawMessage
		var ids []inspected
		for i, c := range parsed {
			var v map[string]any
			if err := json.Unmarshal(raw[i], &v); err != nil {
				return err
			}
			id, _ := v["Image"].(string)
			if slices.ContainsFunc(ids, func(c inspected) bool { return c.ID == id }) {
				continue
			}
			b, err := json.Marshal(map[string]any{"Id": id, "Config": v["Config"]})
			if err != nil {
				return err
			}
			c.ID = id
			images, ids = append(images, b), append(ids, c)
		}
		return printed(args[3], args[4:], images, ids)
	case len(args) > 2 && args[0] == "inspect" && args[1] == "--format":
		return printed(args[2], args[3:], raw, parsed)
	}
	return errNotRecorded
}

// printed is docker's --format of the things of some ids.
func printed(format string, ids []string, raw []json.RawMessage, parsed []inspected) error {
	t, err := template.New("").Funcs(template.FuncMap{"split": strings.Split, "json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	}}).Parse(format)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for i, c := range parsed {
		if !slices.Contains(ids, c.ID) {
			continue
		}
		var v map[string]any
		if err := json.Unmarshal(raw[i], &v); err != nil {
			return err
		}
		if err := t.Execute(os.Stdout, v); err != nil {
			return err
		}
		fmt.Println()
		known[c.ID] = true
	}
	for _, id := range ids {
		if !known[id] {
			return fmt.Errorf("Error: No such object: %s", id)
		}
	}
	return nil
}

func (h Host) crontab(args []string) error {
	if len(args) == 1 && args[0] != "-l" {
		b, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		return os.WriteFile(h.path("crontab"), b, 0o600)
	}
	b, err := os.ReadFile(h.path("crontab"))
	if err != nil || !slices.Equal(args, []string{"-l"}) {
		return errors.New("no crontab for dokku")
	}
	_, err = os.Stdout.Write(b)
	return err
}

var pinned = regexp.MustCompile(`^dokku=(.+)$`)

func (h Host) aptGet(args []string) error {
	if slices.Equal(args, simulation) {
		return h.simulate()
	}
	for _, a := range args {
		if m := pinned.FindStringSubmatch(a); m != nil {
			return h.Upgrade(m[1])
		}
	}
	return errNotRecorded
}

// simulation is what asks apt for its plan.
var simulation = []string{"--simulate", "-qq", "dist-upgrade"}

// simulate prints what apt-get --simulate dist-upgrade would, from the file apt-ahead: of a
// host whose packages are the newest there are nothing.
func (h Host) simulate() error {
	b, err := os.ReadFile(h.path("apt-ahead"))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	_, err = os.Stdout.Write(b)
	return err
}

// aptCache knows one record, from the file apt-docker.
func (h Host) aptCache(args []string) error {
	if b, err := os.ReadFile(h.path("apt-docker")); err == nil && slices.Equal(args, []string{"show", "--no-all-versions", "docker.io"}) {
		_, err = os.Stdout.Write(b)
		return err
	}
	return errors.New("no packages in the sandbox")
}

var serverName = regexp.MustCompile(`(?m)^\s*server_name\s+([^;]*);`)
var upstreamServer = regexp.MustCompile(`(?m)^\s*server\s+([0-9.]+):[0-9]+;`)

// Answers tells which app answers under a domain: the one whose nginx.conf has
// the name and whose upstream is a running container. An app's own container
// answers with the app's name, whoever asks for it.
func (h Host) Answers(domain string) (string, error) {
	_, containers, err := h.containers()
	if err != nil {
		return "", err
	}
	confs, err := filepath.Glob(h.path("home/dokku/*/nginx.conf"))
	if err != nil {
		return "", err
	}
	for _, conf := range confs {
		b, err := os.ReadFile(conf)
		if err != nil {
			return "", err
		}
		names := serverName.FindAllStringSubmatch(string(b), -1)
		if !slices.ContainsFunc(names, func(m []string) bool { return slices.Contains(strings.Fields(m[1]), domain) }) {
			continue
		}
		for _, m := range upstreamServer.FindAllStringSubmatch(string(b), -1) {
			for _, c := range containers {
				for name, n := range c.Net.Networks {
					// In the machine's own network a container has no address of its own.
					host := name == "host" && m[1] == "127.0.0.1" && c.app() == filepath.Base(filepath.Dir(conf))
					if c.State.Running && (n.IPAddress == m[1] || host) {
						return c.app(), nil
					}
				}
			}
		}
		return "", fmt.Errorf("%s: the upstream of %s is no running container", domain, filepath.Base(filepath.Dir(conf)))
	}
	return "", fmt.Errorf("no app serves %s", domain)
}

// Main is what a program that carries the stand-ins calls first: it plays the
// stand-in it was called as, or returns.
func Main() { MainOf(Commands()) }

// MainOf is Main of other stand-ins.
func MainOf(commands map[string]func()) {
	if play := commands[filepath.Base(os.Args[0])]; play != nil && os.Getenv("SANDBOX") != "" {
		play()
	}
}

// InstallCommands puts the stand-ins into a directory, as links to a program
// that calls Main.
func InstallCommands(dir, program string) error { return Link(dir, program, Commands()) }

// Link is InstallCommands of other stand-ins.
func Link(dir, program string, commands map[string]func()) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name := range commands {
		if err := os.Symlink(program, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
