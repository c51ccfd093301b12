package app

import (
	"path"
	"slices"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// NeedKind is what sort of thing a container is started with.
type NeedKind string

// The kinds.
const (
	NeedNetwork   NeedKind = "network"
	NeedContainer NeedKind = "container"
	NeedVolume    NeedKind = "volume"
	NeedDirectory NeedKind = "directory" // or a file, of the machine
)

// Need is one thing outside of the app that the next containers of it are started with.
// What runs does not show that it is gone.
type Need struct {
	Kind NeedKind
	Name string
	// By is what asks for it, in words: a property of network, a docker option.
	By string
	// Flag is the option's: --link. Phase is when it is needed: deploy, build, run; ""
	// for a property, which counts in deploys.
	Flag, Phase string
	// Line is the option's line where it holds nothing else, so that it can be named
	// whole; "" else.
	Line string
	// Made tells that docker makes it, empty, where it is missing.
	Made bool
}

// Needs are what the app's settings name. What cannot be read, or is only known to a
// shell, is not among them, nor what is more than anybody has.
func (f *Files) Needs(app string) []Need {
	if read, ok := f.needs.Load(app); ok {
		return read.([]Need)
	}
	needs := f.readNeeds(app)
	needs = needs[:min(len(needs), maxNeeds)]
	f.needs.Store(app, needs)
	return needs
}

// maxNeeds is as much as is looked at of one app.
const maxNeeds = 500

func (f *Files) readNeeds(app string) []Need {
	needs := f.networkNeeds(app)
	for _, phase := range []string{"deploy", "build", "run"} {
		for _, line := range f.DockerOptions(app, phase) {
			needs = append(needs, optionNeeds(line, phase, " for "+phase)...)
		}
	}
	// Of a build of these, and in a list for one process type, Dokku drops some.
	dropped := func(n Need) bool { return slices.Contains([]string{"--link", "-v", "--volume"}, n.Flag) }
	if !slices.Contains([]string{"dockerfile", "nixpacks", "railpack"}, f.builtBy(app)) {
		dropped = func(Need) bool { return false }
	}
	needs = slices.DeleteFunc(needs, func(n Need) bool { return n.Phase == "build" && dropped(n) })
	if Before(f.Dokku, "0.38.0") {
		return needs
	}
	for _, list := range f.ProcessDockerOptions(app) {
		for _, line := range f.optionLines("lib/config/docker-options/" + app + "/" + list) {
			own := optionNeeds(line, "deploy", " of the process type "+strings.TrimSuffix(list, ".deploy"))
			needs = append(needs, slices.DeleteFunc(own, dropped)...)
		}
	}
	return append(needs, f.storageNeeds(app)...)
}

// networkNeeds are the networks of the plugin network
// (docs/dokku-versions.md#what-a-container-is-started-with).
func (f *Files) networkNeeds(app string) []Need {
	var needs []Need
	for _, name := range []string{"attach-post-create", "attach-post-deploy", "initial-network"} {
		if name == "initial-network" && Before(f.Dokku, "0.25.0") {
			continue
		}
		by, value := "network property "+name, strings.TrimSpace(text(f, "lib/config/network/"+app+"/"+name))
		if _, known := f.known("lib/config/network/" + app + "/" + name); !known {
			continue // what is not known may stand before the host's
		}
		if value == "" && !Before(f.Dokku, "0.25.0") {
			by, value = "global network property "+name, strings.TrimSpace(text(f, "lib/config/network/"+host.GlobalScope+"/"+name))
		}
		names := []string{value}
		if !Before(f.Dokku, "0.31.0") && name != "initial-network" {
			names = strings.Split(value, ",")
		}
		if name == "attach-post-create" {
			names = names[:1] // the others are never looked at
		}
		for _, n := range names {
			if n = strings.TrimSpace(n); n != "" && !ownNetwork(n) {
				needs = append(needs, Need{Kind: NeedNetwork, Name: n, By: by})
			}
		}
	}
	return needs
}

// builtBy is the builder of the app's image, "" where it is not known.
func (f *Files) builtBy(app string) string {
	if detected, ok := property(f, "builder", app, "detected"); ok {
		return strings.TrimSpace(detected)
	}
	return readEnv(f, app).values["DOKKU_APP_TYPE"]
}

// known tells whether a file is there, and whether that is known.
func (f *Files) known(path string) (there, known bool) {
	file, there := f.Get(path)
	return there, !there || file.Error == ""
}

// ownNetwork tells the networks that every docker has.
func ownNetwork(name string) bool {
	return slices.Contains([]string{"", "default", "bridge", "host", "none"}, name)
}

// storageNeeds are the mounts that 0.38 and later keep beside the docker options.
func (f *Files) storageNeeds(app string) []Need {
	var needs []Need
	mounts, _ := f.Mounts(app)
	for _, m := range mounts {
		if at := f.HostPath(m.Entry); at != "" {
			if n, ok := mountNeed(at, true); ok {
				n.By, n.Flag = "storage entry "+m.Entry, "-v"
				needs = append(needs, n)
			}
		}
	}
	return needs
}

// optionNeeds are what one line of docker options needs; of is which options these are.
func optionNeeds(line, phase, of string) []Need {
	words, ok := OptionWords(line)
	if !ok {
		return nil
	}
	var needs []Need
	whole := true // the line is this one option
	for i := 0; i < len(words); i++ {
		flag, value, equals := cutFlag(words[i])
		if flag == "" {
			whole = whole && i == 0
			continue
		}
		first := i == 0
		if !equals {
			if i++; i == len(words) {
				break
			}
			value = words[i]
		}
		if shells(value) {
			continue
		}
		n, ok := flagNeed(flag, value)
		if !ok {
			continue
		}
		n.Flag, n.Phase, n.By = flag, phase, "docker option "+flag+of
		if whole && first && i == len(words)-1 {
			n.Line = line
		}
		needs = append(needs, n)
	}
	return needs
}

// cutFlag is a word of docker's command line where it is one of the flags that name
// something, with the value that stands in the same word.
func cutFlag(word string) (flag, value string, equals bool) {
	flag, value, equals = strings.Cut(word, "=")
	switch flag {
	case "--link", "--volumes-from", "--network", "--net", "--ipc", "--pid", "-v", "--volume", "--mount":
		return flag, value, equals
	}
	if strings.HasPrefix(word, "-v/") {
		return "-v", strings.TrimPrefix(word, "-v"), true
	}
	return "", "", false
}

// shells tells that only a shell knows what a value is.
func shells(value string) bool { return strings.ContainsAny(value, "$`") }

// flagNeed is what a flag needs.
func flagNeed(flag, value string) (Need, bool) {
	switch flag {
	case "--link":
		name, _, _ := strings.Cut(value, ":")
		return Need{Kind: NeedContainer, Name: name}, name != ""
	case "--volumes-from":
		name, _, _ := strings.Cut(value, ":")
		return Need{Kind: NeedContainer, Name: name}, name != ""
	case "--ipc", "--pid":
		name, of := strings.CutPrefix(value, "container:")
		return Need{Kind: NeedContainer, Name: name}, of && name != ""
	case "--network", "--net":
		if name, of := strings.CutPrefix(value, "container:"); of {
			return Need{Kind: NeedContainer, Name: name}, name != ""
		}
		if strings.Contains(value, "=") { // name=backbone,alias=x
			value = fields(value)["name"]
		}
		return Need{Kind: NeedNetwork, Name: value}, !ownNetwork(value)
	case "--mount":
		mount := fields(value)
		source := mount["source"] + mount["src"]
		switch mount["type"] {
		case "bind":
			n, ok := mountNeed(source, false)
			return n, ok && n.Kind == NeedDirectory
		case "volume", "":
			n, ok := mountNeed(source, true)
			return n, ok && n.Kind == NeedVolume
		}
		return Need{}, false
	}
	source, _, more := strings.Cut(value, ":")
	if !more {
		return Need{}, false // a volume without a name
	}
	return mountNeed(source, true)
}

// mountNeed is what is mounted: a place of the machine, or a volume of docker's.
func mountNeed(source string, made bool) (Need, bool) {
	switch {
	case strings.HasPrefix(source, "/"):
		return Need{Kind: NeedDirectory, Name: path.Clean(source), Made: made}, true
	case volumeName().MatchString(source):
		return Need{Kind: NeedVolume, Name: source, Made: true}, true
	}
	return Need{}, false
}

var volumeName = pattern.Of(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// fields are the pairs of an option like type=bind,source=/a.
func fields(value string) map[string]string {
	found := map[string]string{}
	for _, field := range strings.Split(value, ",") {
		name, v, _ := strings.Cut(field, "=")
		found[strings.TrimSpace(name)] = v
	}
	return found
}
