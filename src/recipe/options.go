package recipe

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

var phases = []string{"build", "deploy", "run"}

// dockerOptions has them as 0.38 keeps them: mounts and the restart policy apart. What they
// are is secret, as everywhere in this program: -e TOKEN=... is one.
func (l *list) dockerOptions(s app.State) {
	old := app.Before(s.Dokku, "0.38.0")
	var mounts []Mount
	links := l.services(s.Name)
	for _, phase := range phases {
		options := slices.DeleteFunc(slices.Clone(l.files.DockerOptions(s.Name, phase)), func(o string) bool { return slices.Contains(links, o) })
		if app.Before(s.Dokku, "0.38.9") { // up to 0.38.8 the restart policy is one of them
			stay, mounted, policy := hazard.OptionsOf(options, phase)
			options = stay
			if _, set := l.files.Text("lib/config/ps/" + s.Name + "/restart-policy"); policy != "" && policy != defaultPolicy && !set {
				l.property(s.Name, "ps/restart-policy", policy)
			}
			for _, m := range mounted {
				mounts = withPhase(mounts, colonMount(m), phase)
			}
		}
		for _, o := range options {
			l.dockerOption(s.Name, phase, "", o)
		}
	}
	for _, list := range l.files.ProcessDockerOptions(s.Name) {
		if old {
			break
		}
		for _, o := range l.files.Lines("lib/config/docker-options/" + s.Name + "/" + list) {
			l.dockerOption(s.Name, "deploy", strings.TrimSuffix(list, ".deploy"), o)
		}
	}
	if !old {
		mounts = append(mounts, l.attachments(s.Name)...)
	}
	for _, m := range mounts {
		l.mount(s.Name, m)
	}
}

var processName = pattern.Of(`^[A-Za-z0-9_.-]+$`)

func (l *list) dockerOption(name, phase, process, option string) {
	words_, ok := app.OptionWords(option)
	if !ok || len(words_) == 0 || words_[0][:min(1, len(words_[0]))] != "-" || process != "" && !processName().MatchString(process) {
		l.note(name, "one of its docker options for %s is none that Dokku %s takes, and not in here", phase, Target)
		return
	}
	v := l.secret(option, name, "option", phase+process)
	command := func(verb string) []Text {
		if process != "" {
			return append(words("docker-options:"+verb, "--process", process, name, phase), v)
		}
		return append(words("docker-options:"+verb, name, phase), v)
	}
	// From 0.38.0 on each add puts in one more, and a remove takes all, and none without an error.
	l.add(Item{Scope: name, Kind: DockerOption, Name: phase, Of: process, Values: []Text{v}, Commands: [][]Text{command("remove"), command("add")}})
}

var serviceContainer = pattern.Of(`^dokku\.([a-z0-9-]+)\.([A-Za-z0-9_-]+)$`)

// services names those that the app is linked to. They, and their data, are not in a
// snapshot, and plugins make them. Their docker options are not in here: no deploy comes to
// its end with a link to what is not there, and the plugin's link adds it.
func (l *list) services(name string) (links []string) {
	values, _ := l.files.Environment(name)
	var told []string
	for _, n := range l.files.Needs(name) {
		m := serviceContainer().FindStringSubmatch(n.Name)
		if n.Kind != app.NeedContainer || m == nil {
			continue
		}
		if n.Flag == "--link" && n.Line != "" {
			links = append(links, n.Line)
		}
		if slices.Contains(told, n.Name) {
			continue
		}
		told = append(told, n.Name)
		l.note(name, "it is linked to the service %s of the plugin %s: neither that nor its data nor the link is in here. To make it and link it, after this: %s",
			m[2], m[1], hazard.LinkAnew(name, values, m[1], m[2]))
	}
	return links
}

// Mount is what an app's containers have mounted.
type Mount struct {
	Source  string // a directory of the host, or a volume; "" for an entry with a name
	Entry   string
	At      string
	Phases  []string
	Process string
	Subpath string
	Chown   string
	Options string
	Only    bool // it is read-only
}

// both tells that it is mounted as Dokku does by default.
func (m Mount) both() bool {
	return len(m.Phases) == 0 || slices.Contains(m.Phases, "deploy") && slices.Contains(m.Phases, "run")
}

// colon is a mount in docker's form.
func (m Mount) colon() string {
	var options []string
	if m.Only {
		options = append(options, "ro")
	}
	if m.Options != "" {
		options = append(options, m.Options)
	}
	text := m.Source + ":" + m.At
	if len(options) > 0 {
		text += ":" + strings.Join(options, ",")
	}
	return text
}

func colonMount(text string) Mount {
	if list, ok := app.OptionWords(text); ok && len(list) == 1 {
		text = list[0]
	}
	parts := strings.SplitN(text, ":", 3)
	m := Mount{Source: parts[0]}
	if len(parts) > 1 {
		m.At = parts[1]
	}
	if len(parts) > 2 {
		var rest []string
		for _, o := range strings.Split(parts[2], ",") {
			switch o {
			case "ro":
				m.Only = true
			case "":
			default:
				rest = append(rest, o)
			}
		}
		m.Options = strings.Join(rest, ",")
	}
	return m
}

// withPhase adds a mount, or a phase to one that is there.
func withPhase(mounts []Mount, m Mount, phase string) []Mount {
	for i := range mounts {
		if mounts[i].colon() == m.colon() {
			mounts[i].Phases = append(mounts[i].Phases, phase)
			return mounts
		}
	}
	m.Phases = []string{phase}
	return append(mounts, m)
}

const (
	defaultPolicy  = "on-failure:10"
	legacyEntry    = "legacy-"
	defaultProcess = "_default_"
)

// attachments are the mounts of 0.38 and later.
func (l *list) attachments(name string) (mounts []Mount) {
	list, ok := l.files.Mounts(name)
	if !ok {
		l.note(name, "one of its mounts cannot be read, and is not in here")
	}
	for _, a := range list {
		var more struct {
			Subpath string `json:"subpath"`
			Only    bool   `json:"readonly"`
			Options string `json:"volume_options"`
			Chown   string `json:"volume_chown"`
		}
		_ = json.Unmarshal([]byte(a.Line), &more) // it was read before
		m := Mount{Entry: a.Entry, At: a.At, Phases: a.Phases, Process: a.Process, Subpath: more.Subpath, Only: more.Only, Options: more.Options, Chown: more.Chown}
		if m.Process == defaultProcess {
			m.Process = ""
		}
		if strings.HasPrefix(m.Entry, legacyEntry) {
			if m.Source = l.files.HostPath(m.Entry); m.Source == "" {
				l.note(name, "the storage entry %s, which one of its mounts names, is not known", m.Entry)
				continue
			}
			m.Entry = ""
		}
		mounts = append(mounts, m)
	}
	return mounts
}

var (
	plainPath    = pattern.Of(`^/[A-Za-z0-9_./@+-]*$`)
	plainVolume  = pattern.Of(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)
	plainOptions = pattern.Of(`^((z|Z|rw|nocopy|cached|delegated|consistent|noexec|nosuid|nodev|r?(shared|slave|private))(,|$))*$`)
	plainChown   = pattern.Of(`^[a-z]{0,20}[0-9]{0,5}$`)
)

// mount has one that a command makes as it is: what else stands in a mount may be a
// password for a share.
func (l *list) mount(name string, m Mount) {
	source := m.Entry != "" || plainPath().MatchString(m.Source) || plainVolume().MatchString(m.Source)
	if !source || !plainPath().MatchString(m.At) || !plainOptions().MatchString(m.Options) || !plainChown().MatchString(m.Chown) ||
		m.Subpath != "" && !plainPath().MatchString("/"+m.Subpath) || m.Process != "" && !processName().MatchString(m.Process) ||
		slices.ContainsFunc(m.Phases, func(p string) bool { return p != "deploy" && p != "run" }) || say.Redact(m.Source+m.At+m.Subpath) != m.Source+m.At+m.Subpath {
		l.note(name, "one of its mounts has something in it that may be a secret, or that no command takes, and is not in here: %s", say.Command("dokku storage:report", name))
		return
	}
	i := Item{Scope: name, Kind: Mounted, Name: m.At, Mount: m}
	entry := m.Entry
	if entry == "" {
		if m.Process+m.Subpath+m.Chown != "" {
			l.note(name, "its mount of %s at %s is for one process type, or has a subpath or an owner, which no command gives it as it is", m.Source, m.At)
			return
		}
		i.Commands = append(i.Commands, words("storage:mount", name, m.colon()))
		i.Unless, i.Line = words("--quiet", "storage:list", name), m.colon()
		entry = entryOf(m.Source)
	} else {
		if l.entries == nil {
			l.entries = map[string][]string{}
		}
		l.entries[entry] = append(l.entries[entry], name)
	}
	if m.Entry != "" || !m.both() {
		named := words("storage:mount", name, entry, "--container-dir", m.At)
		flag := func(flag, value string) {
			if value != "" {
				named = append(named, words(flag, value)...)
			}
		}
		if !m.both() {
			flag("--phase", strings.Join(m.Phases, ","))
		}
		flag("--process-type", m.Process)
		flag("--volume-subpath", m.Subpath)
		flag("--volume-options", m.Options)
		flag("--volume-chown", m.Chown)
		if m.Only {
			named = append(named, words("--volume-readonly")...)
		}
		i.Commands = append(i.Commands, named)
	}
	l.add(i)
}

// entryOf is what Dokku calls the entry that it makes of a mount without one.
func entryOf(source string) string {
	if !path.IsAbs(source) {
		source = "vol:" + source
	}
	sum := sha1.Sum([]byte(source))
	return legacyEntry + hex.EncodeToString(sum[:])[:10]
}

// entryFlags are what storage:create takes, by the keys of an entry.
var entryFlags = [][2]string{
	{"scheduler", "--scheduler"}, {"size", "--size"}, {"access_mode", "--access-mode"}, {"storage_class", "--storage-class-name"},
	{"namespace", "--namespace"}, {"chown", "--chown"}, {"mode", "--mode"}, {"reclaim_policy", "--reclaim-policy"},
}

var plainWord = pattern.Of(`^[A-Za-z0-9_.:/-]{1,80}$`)

// entry is a storage entry that mounts name.
func (l *list) entry(name string) Item {
	i := Item{Scope: host.GlobalScope, Kind: Entry, Name: name, For: l.entries[name], Unless: words("storage:info", name)}
	fields := map[string]any{}
	file, ok := l.files.Entry(name)
	if !ok || json.Unmarshal(file.Data, &fields) != nil {
		return Item{Scope: host.GlobalScope, Kind: Note, For: i.For, Why: "the storage entry " + name + ", which mounts name, is not known"}
	}
	at, _ := fields["host_path"].(string)
	command := words("storage:create", name)
	i.Values = words("path=" + at)
	for _, f := range entryFlags {
		value, _ := fields[f[0]].(string)
		switch {
		case value == "" || f[0] == "scheduler" && value == "docker-local":
		case !plainWord().MatchString(value):
			at = "\x00"
		default:
			command = append(command, words(f[1], value)...)
			i.Values = append(i.Values, Text{Plain: f[0] + "=" + value})
		}
	}
	if at != "" && !plainPath().MatchString(at) && !plainVolume().MatchString(at) {
		return Item{Scope: host.GlobalScope, Kind: Note, For: i.For, Why: "the storage entry " + name + " has something in it that no command takes, and is not in here"}
	}
	if at != "" {
		command = append(command, Text{Plain: at})
	}
	if fields["annotations"] != nil || fields["labels"] != nil {
		i.Why = "its annotations and labels are not in here"
	}
	i.Commands = [][]Text{command}
	return i
}
