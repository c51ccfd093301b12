package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upgrade-guard/src/app"
)

// images are the images of this host: the label com.dokku.app-name by name and tag.
// Recordings hold none; each app that has containers has one.
func (h Host) images() (map[string]string, error) {
	found := map[string]string{}
	b, err := os.ReadFile(h.path("docker-images.json"))
	if err == nil {
		return found, json.Unmarshal(b, &found)
	}
	_, containers, err := h.containers()
	for _, c := range containers {
		if c.app() != "" {
			found["dokku/"+c.app()+":latest"] = c.app()
		}
	}
	return found, err
}

func (h Host) changeImages(change func(map[string]string) error) error {
	images, err := h.images()
	if err != nil {
		return err
	}
	if err := change(images); err != nil {
		return err
	}
	b, err := json.Marshal(images)
	if err != nil {
		return err
	}
	return os.WriteFile(h.path("docker-images.json"), b, 0o644)
}

// dockerImage plays docker images, build, rmi and rm as far as a rename needs them.
func (h Host) dockerImage(args []string) error {
	switch {
	case args[0] == "images" && len(args) == 4:
		images, err := h.images()
		for name := range images {
			if repo, tag, _ := strings.Cut(name, ":"); repo == args[3] {
				fmt.Println(tag)
			}
		}
		return err
	case args[0] == "build" && len(args) == 7:
		b, err := os.ReadFile(filepath.Join(args[6], "Dockerfile"))
		if err != nil {
			return err
		}
		from := strings.TrimSpace(strings.TrimPrefix(string(b), "FROM "))
		return h.changeImages(func(images map[string]string) error {
			if _, ok := images[from]; !ok {
				return fmt.Errorf("%s: pull access denied, repository does not exist", from)
			}
			images[args[5]] = strings.TrimPrefix(args[3], "com.dokku.app-name=")
			return nil
		})
	case args[0] == "rm" && len(args) > 1:
		return h.removeContainers(func(c inspected) bool {
			return slices.Contains(args[1:], c.ID) || slices.Contains(args[1:], strings.TrimPrefix(c.Name, "/"))
		})
	case args[0] == "create" && len(args) > 1:
		return h.createContainer(args[1:])
	}
	return errNotRecorded
}

// createContainer plays docker create with --name and -v: the container has the labels
// of its image, and never runs.
func (h Host) createContainer(args []string) error {
	raw, _, err := h.containers()
	if err != nil || len(raw) == 0 {
		return errors.Join(err, errNotRecorded)
	}
	images, err := h.images()
	if err != nil {
		return err
	}
	var c map[string]any
	if err := json.Unmarshal(raw[0], &c); err != nil {
		return err
	}
	image, name, mounts := args[len(args)-1], "quizzical_turing", []any{}
	for i, a := range args[:len(args)-1] {
		switch a {
		case "--name":
			name = args[i+1]
		case "-v":
			mounts = append(mounts, map[string]string{"Source": args[i+1]})
		}
	}
	sum := sha256.Sum256([]byte(name + image))
	config, _ := c["Config"].(map[string]any)
	config["Image"], config["Labels"] = image, map[string]string{"com.dokku.app-name": images[image]}
	// An image of its own: those of the recorded apps are one, which has many names.
	c["Image"] = "sha256:" + idOf(image)
	c["Id"], c["Name"], c["Mounts"] = hex.EncodeToString(sum[:]), "/"+name, mounts
	c["State"] = map[string]any{"Running": false, "Status": "created"}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if b, err = json.MarshalIndent(append(raw, b), "", "    "); err != nil {
		return err
	}
	return os.WriteFile(h.path("docker-inspect.json"), b, 0o644)
}

// restart plays ps:restart: containers of the app's image for each process of its
// scale, in place of those there are. The file unhealthy in the sandbox names an
// app whose containers fail their checks.
func (h Host) restart(name string) error {
	images, err := h.images()
	if err != nil {
		return err
	}
	if _, ok := images["dokku/"+name+":latest"]; !ok {
		return fmt.Errorf("App image (dokku/%s:latest) not found", name)
	}
	if err := h.startable(name); err != nil {
		return err
	}
	if b, err := os.ReadFile(h.path("unhealthy")); err == nil && strings.TrimSpace(string(b)) == name {
		return errors.New("App container failed to start")
	}
	if err := h.stopProcesses(name); err != nil {
		return err
	}
	raw, _, err := h.containers()
	if err != nil {
		return err
	}
	if len(raw) == 0 {
		return errNotRecorded
	}
	for _, p := range h.scale(name).Processes {
		for n := 1; n <= p.Quantity; n++ {
			suffix := fmt.Sprintf("%s.%d", p.Type, n)
			sum := sha256.Sum256([]byte(name + "." + suffix))
			id, ip := hex.EncodeToString(sum[:]), fmt.Sprintf("172.17.%d.%d", 100+sum[0]%100, sum[1])
			var c map[string]any
			if err := json.Unmarshal(raw[0], &c); err != nil {
				return err
			}
			c["Id"], c["Name"] = id, "/"+name+"."+suffix
			c["State"] = map[string]any{"Running": true}
			config, _ := c["Config"].(map[string]any)
			config["Image"] = "dokku/" + name + ":latest"
			config["Labels"] = map[string]string{"com.dokku.app-name": name}
			networks, _ := c["NetworkSettings"].(map[string]any)
			networks["Networks"] = map[string]any{"bridge": map[string]any{"IPAddress": ip}}
			b, err := json.Marshal(c)
			if err != nil {
				return err
			}
			raw = append(raw, b)
			for file, content := range map[string]string{"CONTAINER.": id, "IP.": ip, "PORT.": "5000"} {
				if err := os.WriteFile(h.path("home/dokku", name, file+suffix), []byte(content), 0o644); err != nil {
					return err
				}
			}
		}
	}
	b, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	if err := os.WriteFile(h.path("docker-inspect.json"), b, 0o644); err != nil {
		return err
	}
	if err := h.buildConfig(name); err != nil {
		return err
	}
	return h.plugn([]string{"trigger", "post-deploy", name})
}

// stopProcesses removes an app's containers and the files that name them.
func (h Host) stopProcesses(name string) error {
	if err := h.removeContainers(func(c inspected) bool { return c.app() == name }); err != nil {
		return err
	}
	return h.removeMatching(h.path("home/dokku", name), `^(CONTAINER|IP|PORT)\.`)
}

func (h Host) removeMatching(dir, pattern string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if regexp.MustCompile(pattern).MatchString(e.Name()) {
			if err := remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// stop plays ps:stop: the containers stay, and do not run.
func (h Host) stop(name string) error {
	raw, parsed, err := h.containers()
	if err != nil {
		return err
	}
	for i, c := range parsed {
		if c.app() != name {
			continue
		}
		var v map[string]any
		if err := json.Unmarshal(raw[i], &v); err != nil {
			return err
		}
		v["State"] = map[string]any{"Running": false}
		if raw[i], err = json.Marshal(v); err != nil {
			return err
		}
	}
	b, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	return os.WriteFile(h.path("docker-inspect.json"), b, 0o644)
}

// renameApp plays apps:rename of 0.34.0 to 0.36.5 up to where the old app is
// destroyed, as issue7253-0.35.5-renamed and the triggers of that version show it:
// the new app gets properties and domains, and nothing of the directory.
func (h Host) renameApp(old, new string) error {
	if app.Before(h.version(), "0.34.0") || !app.Before(h.version(), "0.36.6") {
		return fmt.Errorf("%w: apps:rename on %s", errNotRecorded, h.version())
	}
	if err := os.Mkdir(h.path("home/dokku", new), 0o755); err != nil {
		return err
	}
	env, err := os.ReadFile(h.path("home/dokku", old, "ENV"))
	if err == nil {
		err = os.WriteFile(h.path("home/dokku", new, "ENV"), env, 0o600)
	}
	if err != nil {
		return err
	}
	vhost, err := os.ReadFile(h.path("home/dokku", old, "VHOST"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(h.path("home/dokku", new, "VHOST"), []byte(strings.ReplaceAll(string(vhost), old+".", new+".")), 0o644); err != nil {
		return err
	}
	for _, ns := range []string{"app-json", "apps", "builder", "buildpacks", "cron", "git", "logs", "network", "nginx", "ports", "ps", "resource", "scheduler"} {
		dir := h.path("var/lib/dokku/config", ns)
		if _, err := os.Stat(filepath.Join(dir, old)); err == nil {
			if err := os.Rename(filepath.Join(dir, old), filepath.Join(dir, new)); err != nil {
				return err
			}
		}
	}
	if err := h.plugn([]string{"trigger", "post-app-rename-setup", old, new}); err != nil {
		return err
	}
	if err := h.destroy(old); err != nil {
		return err
	}
	return h.plugn([]string{"trigger", "post-app-rename", old, new})
}
