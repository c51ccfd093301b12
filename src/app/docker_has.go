package app

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"upgrade-guard/src/host"
)

// Where docker's answers on what the apps' settings name are kept, and what the machine
// has of it.
const (
	imageFacts     = "facts/docker-images"
	networkFacts   = "facts/docker-networks"
	volumeFacts    = "facts/docker-volumes"
	containerFacts = "facts/docker-names"
	versionFacts   = "facts/docker-version"
	pluginFacts    = "facts/docker-plugins"
	placeFacts     = "facts/places"
	serviceFacts   = "facts/services"
	toolFacts      = "facts/tools"
)

// DockerHas is what docker and the machine have of what the apps' next containers are
// started with. A map that is nil is not known: docker was not asked, or did not answer.
type DockerHas struct {
	// Client and Server are docker's versions, "" where they are not known.
	Client, Server string
	Images         map[string]string // id by repository:tag
	ImageIDs       map[string]bool   // whole ones, those without a name too
	Networks       map[string]string // id by name
	Volumes        map[string]bool
	Containers     map[string]ContainerHas // by name
	// Plugins are docker's own, compose among them.
	Plugins map[string]bool
	// Missing are the places of the machine that are not there.
	Missing map[string]bool
	// Services are those of the datastore plugins that have data: postgres/orders.
	Services map[string]bool
	// Tools are the versions of the Tools, as dpkg tells them.
	Tools map[string]string
	// Unknown are sentences on what docker did not tell.
	Unknown []string
}

// ComposeProxies are the proxies that Dokku starts with docker compose.
var ComposeProxies = []string{"caddy", "haproxy", "openresty", "traefik"}

// Tools are programs of Dokku's own packages that its plugins run.
var Tools = []string{"docker-container-healthchecker", "docker-image-labeler"}

// ContainerHas is any container of docker's.
type ContainerHas struct {
	ID      string
	Running bool
}

// Major is the first number of a version of docker's, 0 where there is none.
func Major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(first)
	return n
}

// askNeeds asks docker for what the apps' settings name, once for each kind, and for no
// kind that none names: the images and docker's version always.
func askNeeds(ctx context.Context, h host.Host, f *Files) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if facts, ok := f.Get(dockerFacts); !ok || facts.Error != "" {
		return // docker does not answer, and that is said
	}
	kinds, places := map[NeedKind]bool{}, map[string]bool{}
	services, compose := false, false
	global := readEnv(f, host.GlobalScope)
	for _, name := range f.Apps {
		compose = compose || slices.Contains(ComposeProxies, readProxy(f, name, readEnv(f, name), global).Kind())
		for _, n := range f.Needs(name) {
			kinds[n.Kind] = true
			if n.Kind == NeedDirectory {
				places[n.Name] = true
			}
			services = services || n.Kind == NeedContainer && strings.HasPrefix(n.Name, "dokku.")
		}
	}
	answer := func(path string, data []byte, err error) {
		f.asked = append(f.asked, path)
		f.answered(path, data, err)
	}
	ask := func(path string, wanted bool, args ...string) {
		if !wanted {
			return
		}
		out, err := h.Run(ctx, "docker", args...)
		answer(path, out, err)
	}
	ask(versionFacts, true, "version", "--format", "{{.Client.Version}} {{.Server.Version}}")
	ask(imageFacts, true, "image", "ls", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")
	ask(networkFacts, kinds[NeedNetwork], "network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}")
	ask(volumeFacts, kinds[NeedVolume], "volume", "ls", "--format", "{{.Name}}")
	ask(containerFacts, kinds[NeedContainer], "ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Status}}")
	ask(pluginFacts, compose, "info", "--format", "{{range .ClientInfo.Plugins}}{{.Name}} {{end}}")
	// Where one of them is no package, dpkg-query fails and tells the others.
	if out, _ := h.Run(ctx, "dpkg-query", append([]string{"--show", "--showformat", "${Package} ${Version}\n"}, Tools...)...); len(out) > 0 {
		answer(toolFacts, out, nil)
	}
	if services {
		list, unread := Services(h)
		answer(serviceFacts, []byte(strings.Join(list, "\n")), errors.Join(unread...))
	}
	if len(places) > 0 {
		answer(placeFacts, []byte(strings.Join(missing(ctx, h, places), "\n")), nil)
	}
}

// WithoutNeeds are the files as a snapshot holds them: without what was asked for the next
// containers alone.
func (f *Files) WithoutNeeds() *Files {
	list := slices.DeleteFunc(slices.Clone(f.list), func(file File) bool { return slices.Contains(f.asked, file.Path) })
	without := NewFiles(f.Dokku, f.Apps, f.Strays, list)
	without.Time, without.Partial = f.Time, f.Partial
	h := Read(f) // what else there is goes by none of these
	h.Has = DockerHas{}
	without.host.Store(&h)
	return without
}

// missing are the places that are known not to be there. A disk that does not answer
// keeps nobody waiting.
func missing(ctx context.Context, h host.Host, places map[string]bool) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	found := make(chan string)
	go func() {
		defer close(found)
		for place := range places {
			if _, err := h.Stat(place); errors.Is(err, fs.ErrNotExist) {
				select {
				case found <- place:
				case <-ctx.Done():
				}
			}
			if ctx.Err() != nil {
				return
			}
		}
	}()
	var list []string
	for {
		select {
		case place, more := <-found:
			if !more {
				slices.Sort(list)
				return list
			}
			list = append(list, place)
		case <-ctx.Done():
			return list
		}
	}
}

// readHas reads docker's answers.
func readHas(f *Files) DockerHas {
	var d DockerHas
	answered := func(path string) ([]string, bool) {
		file, ok := f.Get(path)
		if ok && file.Error != "" {
			what := "docker does not tell its " + strings.TrimPrefix(path, "facts/docker-")
			if path == serviceFacts {
				what = "the services of the datastore plugins cannot be read"
			}
			d.Unknown = append(d.Unknown, what+": "+file.Error)
		}
		return f.Lines(path), ok && file.Error == ""
	}
	listed := func(path string) map[string]bool { // nil where it is not known
		lines, ok := answered(path)
		if !ok {
			return nil
		}
		set := map[string]bool{}
		for _, l := range lines {
			set[l] = true
		}
		return set
	}
	if lines, ok := answered(versionFacts); ok && len(lines) > 0 {
		d.Client, d.Server, _ = strings.Cut(lines[0], " ")
	}
	if lines, ok := answered(imageFacts); ok {
		d.Images, d.ImageIDs = map[string]string{}, map[string]bool{}
		for _, l := range lines {
			id, name, _ := strings.Cut(l, " ")
			d.Images[name], d.ImageIDs[id] = id, true
		}
	}
	if lines, ok := answered(pluginFacts); ok {
		d.Plugins = map[string]bool{}
		for _, name := range strings.Fields(strings.Join(lines, " ")) {
			d.Plugins[name] = true
		}
	}
	if lines, ok := answered(networkFacts); ok {
		d.Networks = map[string]string{}
		for _, l := range lines {
			id, name, _ := strings.Cut(l, " ")
			d.Networks[name] = id
		}
	}
	d.Volumes, d.Missing, d.Services = listed(volumeFacts), listed(placeFacts), listed(serviceFacts)
	if lines, ok := answered(containerFacts); ok {
		d.Containers = map[string]ContainerHas{}
		for _, l := range lines {
			words := strings.SplitN(l, " ", 3)
			if len(words) < 3 {
				continue
			}
			for _, name := range strings.Split(words[1], ",") {
				if !strings.Contains(name, "/") { // a link's: web.1/alias
					d.Containers[name] = ContainerHas{ID: words[0], Running: strings.HasPrefix(words[2], "Up")}
				}
			}
		}
	}
	if lines, ok := answered(toolFacts); ok {
		d.Tools = map[string]string{}
		for _, l := range lines {
			name, version, _ := strings.Cut(l, " ")
			d.Tools[name] = version
		}
	}
	return d
}

// Lacks tells whether a thing is known not to be there, and whether a container that is
// there does not run. Docker takes an id, or its beginning, for a name.
func (d DockerHas) Lacks(n Need) (gone, stopped bool) {
	switch n.Kind {
	case NeedNetwork:
		if d.Networks == nil {
			return false, false
		}
		for name, id := range d.Networks {
			if name == n.Name || n.Phase != "" && isID(n.Name, id) {
				return false, false
			}
		}
		return true, false
	case NeedContainer:
		if d.Containers == nil {
			return false, false
		}
		for name, c := range d.Containers {
			if name == strings.TrimPrefix(n.Name, "/") || isID(n.Name, c.ID) {
				return false, !c.Running
			}
		}
		return true, false
	case NeedVolume:
		return d.Volumes != nil && !d.Volumes[n.Name], false
	case NeedDirectory:
		return d.Missing[n.Name], false
	}
	return false, false
}

func isID(name, id string) bool { return len(name) >= 4 && strings.HasPrefix(id, name) }
