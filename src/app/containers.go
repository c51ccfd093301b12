package app

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Container is one container of an app: what Dokku's files say of it, and what
// docker said.
type Container struct {
	ID    string `json:"id"`
	Type  string `json:"type"`  // process type
	Index string `json:"index"` // 1, 2, ...
	// IP and Port are what Dokku has noted (IP.<type>.<n>, PORT.<type>.<n>), which
	// nginx's upstream is built from.
	IP   string `json:"ip,omitempty"`
	Port string `json:"port,omitempty"`
	// Running, Addresses and Image are docker's answer.
	Running   bool     `json:"running,omitempty"`
	Status    string   `json:"status,omitempty"` // docker's word: running, exited; "" where docker knows no such container
	Addresses []string `json:"addresses,omitempty"`
	Image     string   `json:"image,omitempty"`
	ImageID   string   `json:"-"`
	// Labels are in the raw facts and not in a manifest: a person may have put a
	// password into one.
	Labels map[string]string `json:"-"`
}

// docker is what docker said about all containers, by id.
type docker struct {
	byID    map[string]inspected
	missing string // why docker said nothing
}

type inspected struct {
	ID       string            `json:"id"`
	Running  bool              `json:"running"`
	Status   string            `json:"status"`
	Image    string            `json:"image"`
	ImageID  string            `json:"image_id"`
	Labels   map[string]string `json:"labels"`
	Workdir  string            `json:"workdir"`
	Env      []string          `json:"env"` // names
	Networks map[string]struct {
		IPAddress string `json:"IPAddress"`
	} `json:"networks"`
}

func readDocker(f *Files) docker {
	d := docker{byID: map[string]inspected{}}
	file, ok := f.Get(dockerFacts)
	switch {
	case !ok:
		d.missing = "docker was not asked"
	case file.Error != "":
		d.missing = file.Error
	}
	var lines [][]byte
	for line := range bytes.Lines(file.Data) {
		if len(bytes.TrimSpace(line)) > 0 {
			lines = append(lines, line)
		}
	}
	containers, errs := make([]inspected, len(lines)), make([]error, len(lines))
	Together(len(lines), func(i int) { errs[i] = json.Unmarshal(lines[i], &containers[i]) })
	for i, c := range containers {
		if errs[i] != nil {
			d.missing = "docker's answer cannot be read"
			continue
		}
		d.byID[c.ID] = c
	}
	return d
}

// Web are the app's web containers, as Dokku has recorded them.
func (s State) Web() []Container {
	return slices.DeleteFunc(slices.Clone(s.Containers), func(c Container) bool { return c.Type != "web" })
}

// readVariables are the names of the variables in an app's first running container.
func readVariables(containers []Container, d docker) []string {
	for _, c := range containers {
		if c.Running {
			names := slices.Clone(d.byID[c.ID].Env)
			slices.Sort(names)
			return names
		}
	}
	return nil
}

// readContainers reads an app's containers from its CONTAINER files, and the
// image that its running ones were made from.
func readContainers(f *Files, app string, d docker) (containers []Container, image string) {
	prefix := "root/" + app + "/CONTAINER."
	for _, file := range f.Under(prefix) {
		processType, index, ok := strings.Cut(strings.TrimPrefix(file.Path, prefix), ".")
		if !ok {
			continue
		}
		suffix := processType + "." + index
		c := Container{
			ID: strings.TrimSpace(string(file.Data)), Type: processType, Index: index,
			IP:   strings.TrimSpace(text(f, "root/"+app+"/IP."+suffix)),
			Port: strings.TrimSpace(text(f, "root/"+app+"/PORT."+suffix)),
		}
		if i, ok := d.byID[c.ID]; ok {
			c.Running, c.Status, c.Image, c.ImageID, c.Labels = i.Running, i.Status, i.Image, i.ImageID, i.Labels
			for name, n := range i.Networks {
				if name == "host" {
					// It shares the machine's own, and Dokku writes that.
					n.IPAddress = "127.0.0.1"
				}
				if n.IPAddress != "" {
					c.Addresses = append(c.Addresses, n.IPAddress)
				}
			}
			slices.Sort(c.Addresses)
		}
		if c.Running {
			image = c.Image
		}
		containers = append(containers, c)
	}
	return containers, image
}
