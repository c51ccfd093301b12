package recipe

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// list is a recipe that is being made.
type list struct {
	files *app.Files
	now   app.Host
	names map[string]bool // of secrets that are taken
	Recipe
	propertyFiles map[string][]app.File // by scope
	networks      map[string][]string   // by the apps that are in them
	entries       map[string][]string   // storage entries, by the apps that mount them
}

func (l *list) add(i Item) { l.Items = append(l.Items, i) }

func (l *list) note(scope, format string, args ...any) {
	l.add(Item{Scope: scope, Kind: Note, Why: fmt.Sprintf(format, args...)})
}

// secret keeps a value under a name that is free.
func (l *list) secret(value, scope string, parts ...string) Text {
	name := secretName(scope, parts...)
	for n := 2; l.names[name]; n++ {
		name = secretName(scope, append(slices.Clone(parts), strconv.Itoa(n))...)
	}
	l.names[name], l.Secrets[name] = true, value
	return Text{Secret: name}
}

var noName = pattern.Of(`[^A-Za-z0-9]+`)

// secretName is a name that docket, Ansible and a shell all take, and that is none of their own.
func secretName(scope string, parts ...string) string {
	of := "app_" + noName().ReplaceAllString(scope, "_")
	if scope == host.GlobalScope {
		of = "host"
	}
	for _, p := range parts {
		of += "_" + noName().ReplaceAllString(p, "_")
	}
	return of
}

func (l *list) app(s app.State) {
	if !sayable(s.Name) {
		l.note(s.Name, "its name cannot be written in a recipe")
		return
	}
	name := s.Name
	l.add(Item{Scope: name, Kind: App, Name: name, Values: words(name), Commands: [][]Text{words("apps:create", name)}, Unless: words("apps:exists", name)})
	if !app.CreatesName(Target, name) {
		why := "Dokku %s makes no app of this name: where it is not there already, it has to have another one"
		if near := app.NearestName(name); near != "" {
			why += " (--valid-names has " + near + ")"
		}
		l.note(name, why, Target)
	}
	l.unknown(s)
	moved := l.environment(name, s.Unknown)
	l.properties(name, moved)
	if s.Unknown[app.PartDockerOptions] == "" {
		l.dockerOptions(s)
	}
	l.scale(s)
	l.domains(s)
	if s.Unknown[app.PartPorts] == "" {
		l.ports(s)
	}
	l.certificate(s)
	if s.Stopped {
		l.add(Item{Scope: name, Kind: Stopped, Commands: [][]Text{words("ps:stop", name)}, Why: "a person has stopped it; where it is not deployed yet this does nothing, and its first deploy starts it"})
	}
	l.kept(name)
}

// sayable tells whether a name can stand in a text, whatever it is quoted with: one that a
// terminal would act on, or that is somebody's address, is written nowhere.
func sayable(name string) bool {
	return name != "" && say.Plain(name) == name && say.Redact(name) == name
}

// unknown tells what was not captured, so that it is not taken for unset.
func (l *list) unknown(s app.State) {
	for _, part := range app.Parts {
		if why := s.Unknown[part]; why != "" && part != app.PartProxy {
			l.note(s.Name, "its %s is not known (%s), and not in here", part, why)
		}
	}
	for _, p := range s.Problems {
		l.note(s.Name, "%s", p)
	}
}

// host is what belongs to no app.
func (l *list) host() {
	scope := host.GlobalScope
	if l.files.Partial {
		return
	}
	g := l.now.Global
	if g.Unknown[app.PartDomains] != "" {
		l.note(scope, "its domains are not known (%s), and not in here", g.Unknown[app.PartDomains])
	} else if names := l.validDomains(scope, g.Domains); len(names) > 0 {
		l.add(Item{Scope: scope, Kind: Domains, Values: words(names...), Commands: [][]Text{words(append([]string{"domains:set-global"}, names...)...)}})
	}
	if l.letsencrypt() {
		l.note(scope, "the letsencrypt plugin has to be there before its properties are set")
	}
	l.properties(scope, l.environment(scope, g.Unknown))
	if len(g.Crontab) > 0 {
		l.note(scope, "the Dokku user's crontab is Dokku's own from 0.23 on; what was put into it by hand is in the snapshot, and not in here")
	}
}

// shared puts what several apps need before all of them, by what they asked for.
func (l *list) shared() {
	var first []Item
	for _, name := range slices.Sorted(maps.Keys(l.networks)) {
		first = append(first, Item{Scope: host.GlobalScope, Kind: Network, Name: name, For: l.networks[name],
			Values: words(name), Commands: [][]Text{words("network:create", name)}, Unless: words("network:exists", name)})
	}
	for _, name := range slices.Sorted(maps.Keys(l.entries)) {
		first = append(first, l.entry(name))
	}
	l.Items = append(first, l.Items...)
}

// letsencrypt tells whether the plugin is there. Without it nothing is set by its commands.
func (l *list) letsencrypt() bool { return l.files.LetsencryptPlugin().From != "" }

// notEnvironment are the variables that a build, a deploy or a setting of its own makes.
var notEnvironment = []string{"GIT_REV", "NO_VHOST", "DOKKU_PROXY_PORT_MAP", "DOKKU_APP_TYPE", "DOKKU_APP_RESTORE",
	"DOKKU_DOCKERFILE_CMD", "DOKKU_DOCKERFILE_ENTRYPOINT", "DOKKU_DOCKERFILE_PORTS"}

// environment has the variables of a scope, and returns those that are properties now.
func (l *list) environment(scope string, unknown map[app.Part]string) (properties map[string]string) {
	properties = map[string]string{}
	values, err := l.files.Environment(scope)
	if unknown[app.PartEnv] != "" {
		return properties
	}
	if err != nil {
		l.note(scope, "its environment cannot be read, and is not in here")
		return properties
	}
	values = maps.Clone(values)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		setting, moved := hazard.CounterpartOf(scope, name, values[name], Target)
		switch {
		case !moved:
			continue
		case setting.Path == "":
			l.note(scope, "%s of its environment is not read by Dokku %s; as docker options for build: %s", name, Target,
				say.Command("dokku docker-options:add", scope, "build")+" ...")
		case setting.Value != "" && name != "DOKKU_APP_TYPE":
			parts := strings.Split(setting.Path, "/")
			properties[parts[2]+"/"+parts[4]] = setting.Value
		}
		delete(values, name)
	}
	if l.letsencrypt() {
		for _, s := range l.files.LetsencryptVariables(scope, app.LetsencryptPlugin{}) {
			properties["letsencrypt/"+s.Property] = s.Value
			delete(values, s.Variable)
		}
	}
	maps.DeleteFunc(values, func(name, value string) bool {
		return slices.Contains(notEnvironment, name) || value == "" && strings.HasPrefix(name, "DOKKU_") && app.OwnVariable(name)
	})
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch {
		case !envName().MatchString(name):
			l.note(scope, "a variable of its environment has a name that Dokku does not take, and is not in here")
		case len(values[name]) > longestWord || strings.Contains(values[name], "\x00"):
			l.note(scope, "the variable %s is longer than a command takes, and not in here: %s", name, say.Command("dokku config:import", scope)+" < file")
		default:
			v := l.secret(values[name], scope, "env", name)
			command := words("config:set", "--no-restart", scope)
			l.add(Item{Scope: scope, Kind: Variable, Name: name, Values: []Text{v}, Commands: [][]Text{append(command, Text{name + "=", v.Secret})}})
		}
	}
	if names := app.Unkept(values, Target); len(names) > 0 {
		l.note(scope, "Dokku %s does not keep what it is given for %s: a double quote or a backslash at the end, or a number with zeros before it", Target, strings.Join(names, ", "))
	}
	return properties
}

var envName = pattern.Of(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// longestWord is as long as the kernel takes a word of a command to be, with room for a name.
const longestWord = 120_000

func (l *list) scale(s app.State) {
	scale, command := s.EffectiveScale(), []string{"ps:scale", "--skip-deploy", s.Name}
	switch can, _ := l.files.Text("lib/config/ps/" + s.Name + "/can-scale"); {
	case s.Unknown[app.PartScale] != "" || scale.Empty():
		return
	case can == "false":
		l.note(s.Name, "its scale (%s) comes from the formation in its app.json", scale)
		return
	}
	values := strings.Fields(scale.String())
	l.add(Item{Scope: s.Name, Kind: Scale, Values: words(values...), Commands: [][]Text{words(append(command, values...)...)}})
}

// takenDomain is what Dokku's commands take for one, but for the names of nginx's own.
var takenDomain = pattern.Of(`(?i)^([a-z0-9.*-]*[a-z0-9*-]|_)$`)

func (l *list) validDomains(scope string, names []string) (valid []string) {
	for _, name := range names {
		if takenDomain().MatchString(name) {
			valid = append(valid, name)
			continue
		}
		shown := "one of its domains"
		if sayable(name) && len(name) < 254 {
			shown = "its domain " + name
		}
		l.note(scope, "%s is none that a command of Dokku takes", shown)
	}
	return valid
}

func (l *list) domains(s app.State) {
	name := s.Name
	if s.Unknown[app.PartDomains]+s.Unknown[app.PartEnv] != "" {
		return
	}
	names := s.Domains.Effective()
	if !s.Domains.File && !s.Deployed() {
		names = nil // it gets its own with its first deploy
	}
	valid := l.validDomains(name, names)
	switch {
	case s.Domains.Disabled:
		l.add(Item{Scope: name, Kind: DomainsOff, Commands: [][]Text{words("domains:disable", name)}})
	case len(valid) > 0:
		i := Item{Scope: name, Kind: Domains, Values: words(valid...), Commands: [][]Text{words(append([]string{"domains:set", name}, valid...)...)}}
		if len(valid) < len(names) {
			i.Name = "not all" // what else it has stays
		}
		l.add(i)
	case len(names) == 0 && (s.Domains.File || s.Deployed() || !app.Before(s.Dokku, "0.29.0")): // from then on a new app has some
		l.add(Item{Scope: name, Kind: DomainsNone, Commands: [][]Text{words("domains:clear", name)}})
	}
}

var validPort = pattern.Of(`^([a-z0-9]{1,20}):([0-9]{1,5}):([0-9]{1,5})$`)

func (l *list) ports(s app.State) {
	var valid []string
	for _, p := range s.Ports.Map {
		if !validPort().MatchString(p) {
			l.note(s.Name, "one of its port mappings is none that Dokku takes")
			continue
		}
		valid = append(valid, p)
	}
	if len(s.Ports.Map) == 0 && s.Ports.Dockerfile != "" && s.Deployed() {
		l.note(s.Name, "its ports were those of its image (DOKKU_DOCKERFILE_PORTS), which Dokku %s does not read: %s", Target, say.Command("dokku ports:set", s.Name, "http:80:5000"))
	}
	if len(valid) > 0 {
		l.add(Item{Scope: s.Name, Kind: Ports, Values: words(valid...), Commands: [][]Text{words(append([]string{"ports:set", s.Name}, valid...)...)}})
	}
}

func (l *list) certificate(s app.State) {
	if s.Certificate == nil || s.Unknown[app.PartCertificate] != "" {
		return
	}
	certificate, _ := l.files.Served(s.Name)
	key, _ := l.files.TLS(s.Name, "server.key")
	switch {
	case !s.Certificate.KeyFits:
		l.note(s.Name, "its certificate has no key that fits, and is not in here")
		return
	case len(certificate.Data)+len(key.Data) > longestWord:
		l.note(s.Name, "its certificate is longer than a recipe takes: %s", say.Command("dokku certs:add", s.Name)+" < archive.tar")
		return
	}
	pair := []Text{l.secret(string(certificate.Data), s.Name, "certificate"), l.secret(string(key.Data), s.Name, "key")}
	l.add(Item{Scope: s.Name, Kind: Certificate, Values: pair, Input: pair, Commands: [][]Text{words("certs:add", s.Name)},
		Why: "until " + s.Certificate.NotAfter.Format("2006-01-02")})
	if s.Letsencrypt.Active {
		l.note(s.Name, "its certificate is the letsencrypt plugin's, which renews it only when it has ordered one itself: %s", say.Command("dokku letsencrypt:enable", s.Name))
	}
}

// kept are the files that no command makes.
func (l *list) kept(name string) {
	for _, file := range l.files.Under("root/" + name + "/nginx.conf.d/") {
		l.file(name, file)
	}
	for _, file := range l.files.Kept(name, app.ByOthers) {
		l.file(name, file)
	}
}

func (l *list) file(name string, file app.File) {
	data, err := file.Content()
	switch {
	case !sayable(file.Path):
		l.note(name, "a file of its directory has a name that cannot be written in a recipe")
	case file.Link != "" || file.SHA256 == "" || err != nil:
		l.note(name, "its file %s is not in here: it is a link, or was not captured", file.Path)
	case len(data) > longestWord || strings.Contains(string(data), "\x00"):
		l.note(name, "its file %s is too large, or no text, and not in here", file.Path)
	default:
		l.add(Item{Scope: name, Kind: File, Name: file.Path, Of: fmt.Sprintf("%04o", file.Mode.Perm()),
			Values: []Text{l.secret(string(data), name, "file", strings.TrimPrefix(file.Path, "root/"+name+"/"))}, Why: "no command of Dokku's writes it"})
	}
}
