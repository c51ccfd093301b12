package app

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"upgrade-guard/src/host"
)

// Host is the state of a whole host.
type Host struct {
	// Dokku is the version that wrote this state, without a leading v.
	Dokku  string           `json:"dokku"`
	Apps   map[string]State `json:"apps"`
	Global Global           `json:"global"`
	// Strays are directories that are no apps, but may be taken for some.
	Strays []string `json:"strays,omitempty"`
	// DockerMissing says why nothing is known of containers; "" when docker
	// answered.
	DockerMissing string `json:"docker_missing,omitempty"`
	// Has is what the apps' next containers are started with, as far as it was asked for.
	Has DockerHas `json:"-"`
}

// Global is what belongs to the host rather than to an app.
type Global struct {
	Domains     []string          `json:"domains,omitempty"`
	DomainsFile bool              `json:"domains_file,omitempty"` // there is a VHOST file, if an empty one
	Hostname    string            `json:"hostname,omitempty"`
	Letsencrypt Letsencrypt       `json:"letsencrypt"`
	Env         map[string]string `json:"env,omitempty"` // name to fingerprint
	Crontab     []string          `json:"crontab,omitempty"`
	Problems    []string          `json:"problems,omitempty"`
	// Unknown is State.Unknown for the host.
	Unknown map[Part]string `json:"unknown,omitempty"`
}

// State is the state of one app. It holds no secret: of the app's environment
// only names and fingerprints, of its certificate everything but the key.
type State struct {
	Name        string       `json:"name"`
	Dokku       string       `json:"dokku"`
	Scale       ScaleState   `json:"scale"`
	Domains     Domains      `json:"domains"`
	Ports       Ports        `json:"ports"`
	Proxy       Proxy        `json:"proxy"`
	Letsencrypt Letsencrypt  `json:"letsencrypt"`
	Certificate *Certificate `json:"certificate,omitempty"`
	Containers  []Container  `json:"containers,omitempty"`
	// Variables are the names of those that its running containers have.
	Variables []string `json:"variables,omitempty"`
	// Stopped tells that a person has stopped the app (ps:stop): it is to stay
	// down.
	Stopped bool              `json:"stopped,omitempty"`
	Git     Git               `json:"git"`
	Image   string            `json:"image,omitempty"`
	Env     map[string]string `json:"env,omitempty"` // name to fingerprint
	// Unreadable are the app's files that could not be read, a sentence each.
	// What they hold is not known to be lost, so nothing is repaired.
	Unreadable []string `json:"unreadable,omitempty"`
	// LeftOut are those of its files that were not read on purpose, a sentence each.
	LeftOut []string `json:"left_out,omitempty"`
	// Problems are files that were read and could not be understood.
	Problems []string `json:"problems,omitempty"`
	// Unknown are the parts of the state that were not captured, each with the
	// reason. What stands for them here is empty, and says nothing.
	Unknown map[Part]string `json:"unknown,omitempty"`
}

// Deployed tells whether the app has been deployed, by its container files.
// It never asks Dokku's own IsDeployed, which writes what it reads: under a
// version before 0.23.4 that would plant a value which the new one believes.
func (s State) Deployed() bool { return len(s.Containers) > 0 }

// Serves tells whether the app has a web container, by its container files.
func (s State) Serves() bool {
	return slices.ContainsFunc(s.Containers, func(c Container) bool { return c.Type == "web" })
}

// Running is how many of the app's containers run.
func (s State) Running() int {
	n := 0
	for _, c := range s.Containers {
		if c.Running {
			n++
		}
	}
	return n
}

// Read reads a host's state out of its files, once.
func Read(f *Files) Host {
	if h := f.host.Load(); h != nil {
		return *h
	}
	h := read(f)
	f.host.Store(&h)
	return h
}

func read(f *Files) Host {
	facts := readDocker(f)
	_, domainsFile := f.Get("root/VHOST")
	global := readEnv(f, host.GlobalScope)
	unreadable := unreadableOf(f)
	h := Host{
		Dokku: f.Dokku, Apps: make(map[string]State, len(f.Apps)), Strays: f.Strays,
		DockerMissing: facts.missing, Has: readHas(f),
		Global: Global{
			Domains:     f.Lines("root/VHOST"),
			DomainsFile: domainsFile,
			Hostname:    strings.TrimSpace(text(f, "root/HOSTNAME")),
			Letsencrypt: readLetsencrypt(f, host.GlobalScope, global),
			Env:         global.fingerprints(),
			Crontab:     f.Lines(cronFacts),
			Problems:    global.problems,
			Unknown:     f.Unknown(host.GlobalScope),
		},
	}
	states := make([]State, len(f.Apps))
	Together(len(f.Apps), func(i int) {
		name, s := f.Apps[i], &states[i]
		*s = readApp(f, name, global, facts, h.Global.Letsencrypt)
		s.Unreadable, s.Unknown = unreadable[name], f.Unknown(name)
		s.Proxy.Unknown = s.Unknown[PartProxy]
		f.failedNear(name, func(file File) {
			if file.LeftOut() && f.ofPart(file.Path, name) {
				s.LeftOut = append(s.LeftOut, fmt.Sprintf("%s is not read: %s", Shown(file.Path), file.Reason()))
			}
		})
		slices.Sort(s.LeftOut)
	})
	for i, name := range f.Apps {
		h.Apps[name] = states[i]
	}
	return h
}

// unreadableOf sorts the files that could not be read by the app they belong
// to. What a command did not answer is no file of an app, whatever the app's name.
func unreadableOf(f *Files) map[string][]string {
	found := map[string][]string{}
	for _, file := range f.All() {
		if file.Error == "" || file.LeftOut() || strings.HasPrefix(file.Path, "facts/") {
			continue
		}
		if name := Scope(file.Path); name != "" {
			found[name] = append(found[name], fmt.Sprintf("%s cannot be read: %s", file.Path, file.Error))
		}
	}
	return found
}

func readApp(f *Files, name string, global env, facts docker, letsencrypt Letsencrypt) State {
	env := readEnv(f, name)
	s := State{
		Name: name, Dokku: f.Dokku,
		Scale:       readScale(f, name),
		Domains:     readDomains(f, name, env),
		Ports:       readPorts(f, name, env),
		Proxy:       readProxy(f, name, env, global),
		Letsencrypt: readLetsencrypt(f, name, env),
		Git:         readGit(f, name, env),
		Env:         env.fingerprints(),
		Problems:    env.problems,
		Stopped:     env.values["DOKKU_APP_RESTORE"] == "0",
	}
	if v, _ := property(f, "ps", name, "restore"); v == "false" && !Before(f.Dokku, "0.38.0") {
		s.Stopped = true
	}
	s.Containers, s.Image = readContainers(f, name, facts)
	s.Variables = readVariables(s.Containers, facts)
	for _, line := range append(s.Scale.File.MalformedLines(), s.Scale.Property.MalformedLines()...) {
		s.Problems = append(s.Problems, fmt.Sprintf("its scale has an invalid line: %s", line))
	}
	certificate, err := readCertificate(f, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Problems = append(s.Problems, err.Error())
	}
	s.Certificate = certificate
	s.Letsencrypt.readActive(f, name, s.Domains, certificate, letsencrypt)
	return s
}

// text is a file's content, "" when there is none.
func text(f *Files, path string) string {
	t, _ := f.Text(path)
	return t
}

// property is the raw value of a property.
func property(f *Files, namespace, scope, name string) (string, bool) {
	return f.Text("lib/config/" + namespace + "/" + scope + "/" + name)
}
