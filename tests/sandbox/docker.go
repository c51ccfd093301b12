package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"upgrade-guard/src/app"
)

// dockerHas plays what docker says of itself, of images, networks, volumes and all
// containers, and what makes and removes them, as docker 20.10 of the recorded hosts does
// it. Another version is in the file docker-version of the sandbox. Networks and volumes
// are lines of the files docker-networks and docker-volumes; the recorded hosts had the
// networks that every docker has. To the commands in the file docker-fails it answers nothing.
func (h Host) dockerHas(args []string, containers []inspected) (answered bool, err error) {
	if len(args) == 0 {
		return false, nil
	}
	if slices.Contains(h.lines("docker-fails"), args[0]) {
		return true, errors.New("Error response from daemon: i/o timeout")
	}
	command := strings.Join(args[:min(2, len(args))], " ")
	format := ""
	if i := slices.Index(args, "--format"); i >= 0 && i+1 < len(args) {
		format = args[i+1]
	}
	last := args[len(args)-1]
	switch {
	case command == "version --format" && format == "{{.Client.Version}} {{.Server.Version}}":
		fmt.Println(h.dockerVersion(), h.daemonVersion())
	case command == "info --format" && format == "{{range .ClientInfo.Plugins}}{{.Name}} {{end}}":
		fmt.Println(strings.Join(h.lines("docker-plugins"), " "))
	case command == "info --format" && format == "{{json .}}":
		driver := "overlay2"
		if lines := h.lines("docker-driver"); len(lines) == 1 {
			driver = lines[0]
		}
		fmt.Printf("{\"Driver\":%q}\n", driver)
	case command == "image ls" && format == "{{.ID}} {{.Repository}}:{{.Tag}}":
		return true, h.listImages(containers)
	case command == "image rm" || args[0] == "rmi":
		return true, h.removeImages(args, containers)
	case command == "image tag" && len(args) == 4:
		return true, h.tagImage(args[2], args[3], containers)
	case command == "network ls" && format == "{{.ID}} {{.Name}}":
		for _, name := range h.networks() {
			fmt.Println(idOf(name), name)
		}
	case command == "network ls" && format == "json" && app.Major(h.dockerVersion()) < 23:
		for range h.networks() {
			fmt.Println("json") // a template without any field
		}
	case command == "network create":
		return true, h.writeLines("docker-networks", append(h.networks(), last))
	case command == "network rm":
		if !slices.Contains(h.networks(), last) {
			return true, fmt.Errorf("Error: No such network: %s", last)
		}
		return true, h.writeLines("docker-networks", slices.DeleteFunc(h.networks(), func(n string) bool { return n == last }))
	case command == "volume ls" && format == "{{.Name}}":
		for _, name := range h.lines("docker-volumes") {
			fmt.Println(name)
		}
	case command == "volume create":
		return true, h.writeLines("docker-volumes", append(h.lines("docker-volumes"), last))
	case args[0] == "ps" && format == "{{.ID}} {{.Names}} {{.Status}}":
		for _, c := range containers {
			status := map[bool]string{true: "Up 2 hours", false: "Exited (0) 2 hours ago"}[c.State.Running]
			fmt.Println(c.ID, strings.TrimPrefix(c.Name, "/"), status)
		}
	case args[0] == "run" && len(args) == 5 && args[1] == "--detach" && args[2] == "--name":
		return true, h.runContainer(args[3])
	default:
		return false, nil
	}
	return true, nil
}

// dockerVersion is the program's, and the daemon's too where docker-version names no other.
func (h Host) dockerVersion() string {
	if lines := h.lines("docker-version"); len(lines) > 0 {
		return lines[0]
	}
	return "20.10.24+dfsg1"
}

func (h Host) daemonVersion() string {
	if lines := h.lines("docker-version"); len(lines) == 2 {
		return lines[1]
	}
	return h.dockerVersion()
}

// lines are those of a file of the sandbox.
func (h Host) lines(name string) []string {
	b, _ := os.ReadFile(h.path(name))
	return strings.Fields(string(b))
}

func (h Host) writeLines(name string, lines []string) error {
	return os.WriteFile(h.path(name), []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

func (h Host) networks() []string {
	if lines := h.lines("docker-networks"); len(lines) > 0 {
		return lines
	}
	return []string{"bridge", "host", "none"}
}

func idOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// imageID is the id of an image: of the containers that were made of it, else one of its
// own. A sandbox knows no others.
func imageID(name string, containers []inspected) string {
	for _, c := range containers {
		if c.Config.Image == name && c.Image != "" {
			return c.Image
		}
	}
	return "sha256:" + idOf(name)
}

// listImages lists the images with a name, and without one those of containers: docker
// keeps them as long as one runs.
func (h Host) listImages(containers []inspected) error {
	images, err := h.images()
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(images)) {
		id := imageID(name, containers)
		named[id] = true
		fmt.Println(id, name)
	}
	for _, c := range containers {
		if c.Image != "" && !named[c.Image] {
			named[c.Image] = true
			fmt.Println(c.Image, "<none>:<none>")
		}
	}
	return nil
}

// removeImages takes names away. The last name of an image that a container is made of goes by
// force alone.
func (h Host) removeImages(args []string, containers []inspected) error {
	force := slices.Contains(args, "--force") || slices.Contains(args, "-f")
	return h.changeImages(func(images map[string]string) error {
		for _, name := range args[1:] {
			if name == "rm" || strings.HasPrefix(name, "-") {
				continue
			}
			if _, ok := images[name]; !ok {
				return fmt.Errorf("Error: No such image: %s", name)
			}
			id := imageID(name, containers)
			others := slices.ContainsFunc(slices.Collect(maps.Keys(images)), func(o string) bool { return o != name && imageID(o, containers) == id })
			if used := slices.IndexFunc(containers, func(c inspected) bool { return c.Image == id }); used >= 0 && !others && !force {
				return fmt.Errorf(`Error response from daemon: conflict: unable to remove repository reference "%s" (must force) - container %.12s is using its referenced image %.12s`, name, containers[used].ID, strings.TrimPrefix(id, "sha256:"))
			}
			delete(images, name)
			fmt.Println("Untagged: " + name)
		}
		return nil
	})
}

var appImage = regexp.MustCompile(`^dokku/(.+):[^:]*$`)

// tagImage gives an image, named or by its id, another name.
func (h Host) tagImage(from, to string, containers []inspected) error {
	return h.changeImages(func(images map[string]string) error {
		_, named := images[from]
		if !named && !slices.ContainsFunc(containers, func(c inspected) bool { return strings.HasPrefix(strings.TrimPrefix(c.Image, "sha256:"), from) }) {
			return fmt.Errorf("Error response from daemon: No such image: %s", from)
		}
		if m := appImage.FindStringSubmatch(to); m != nil {
			images[to] = m[1]
		}
		return nil
	})
}

// runContainer makes a container that is no app's, as a datastore's plugin does.
func (h Host) runContainer(name string) error {
	raw, _, err := h.containers()
	if err != nil {
		return err
	}
	b, err := json.Marshal(map[string]any{"Id": idOf(name), "Name": "/" + name, "State": map[string]any{"Running": true, "Status": "running"}, "Config": map[string]any{"Image": "busybox"}})
	if err != nil {
		return err
	}
	if b, err = json.MarshalIndent(append(raw, b), "", "    "); err != nil {
		return err
	}
	return os.WriteFile(h.path("docker-inspect.json"), b, 0o644)
}

// startable tells what keeps docker or Dokku from making new containers of an app, as
// they say it themselves.
func (h Host) startable(name string) error {
	b, _ := os.ReadFile(h.path("var/lib/dokku/config/network", name, "attach-post-create"))
	network := strings.TrimSpace(string(b))
	switch {
	case network == "":
	case !app.Before(h.version(), "0.35.3") && app.Major(h.dockerVersion()) < 23:
		return errors.New("invalid character 'j' looking for beginning of value")
	case !slices.Contains(h.networks(), network):
		return fmt.Errorf("Network %s does not exist", network)
	}
	_, containers, err := h.containers()
	if err != nil {
		return err
	}
	options, _ := os.ReadFile(h.path("home/dokku", name, "DOCKER_OPTIONS_DEPLOY"))
	for _, m := range linkOption.FindAllStringSubmatch(string(options), -1) {
		switch i := slices.IndexFunc(containers, func(c inspected) bool { return c.Name == "/"+m[1] }); {
		case i < 0:
			return fmt.Errorf("Error: No such container: %s", m[1])
		case !containers[i].State.Running:
			return fmt.Errorf("Error response from daemon: Cannot link to a non running container: /%s", m[1])
		}
	}
	return nil
}

var linkOption = regexp.MustCompile(`(?m)^--link[ =]([^: \n]+)`)
