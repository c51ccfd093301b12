package hazard

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// snippetDuplicate is about what people have put into an app's nginx.conf.d, as Dokku's
// own guide told them to up to 0.22 (the size of uploads) and from 0.23 to 0.37 (a
// timeout), and what Dokku's template sets itself from some version on
// (docs/dokku-versions.md#directives-of-the-template). nginx takes each of these once in a
// server; so the next build of that app's configuration is one that nginx refuses, and
// nothing of any app is loaded any more.
//
// The file is a person's, or a plugin's that writes it at each build. It is set now, so it
// is not changed (law 2): it is told, before the upgrade and as long as it stands there,
// with the command that says the same to Dokku. And nothing of the guard's asks Dokku for
// a build of which this is known (Subject.built).
var snippetDuplicate = Hazard{
	Name:    "snippet-duplicate",
	About:   AboutNginx,
	Threads: "Zeilenwerk/dokku-nginx-max-upload-size#3, dokku/dokku#5277",
	Guide:   "https://dokku.com/docs/networking/proxies/nginx/",
	Reads:   []app.Part{app.PartPorts, app.PartProxy},

	Foresee: func(s Subject) []Finding {
		return s.duplicateFinding(newIn(s.duplicates(s.To), s.duplicates(s.From)),
			"Do it after the upgrade, before the app is deployed or its configuration is built.")
	},
	Detect: func(s Subject) []Finding {
		return s.duplicateFinding(s.duplicates(s.To), "Do it before the app is deployed or its configuration is built.")
	},
}

// server is a kind of the servers in Dokku's template.
type serverKind int

const (
	plainServer    serverKind = 1 << iota // http
	redirectServer                        // http on port 80 of an app with a certificate
	secureServer                          // https
	grpcServer                            // grpc
	grpcsServer                           // grpcs
)

// templateDirective is one that Dokku's template sets in a server itself, from a version on.
type templateDirective struct {
	name, property string
	variable       string // by which a template of the app's own would set it
	in             serverKind
	from           string
	// whenSet is from when on it is set where the app has the property.
	whenSet string
}

// ever is before each version that the guard knows.
const ever = "0.0.1"

// What Dokku's template sets within locations (proxy_read_timeout, ...) is none of these:
// snippets are included in the server, and the one in the location has its way.
var templateDirectives = []templateDirective{
	{name: "client_max_body_size", property: "client-max-body-size", variable: "CLIENT_MAX_BODY_SIZE", in: plainServer | secureServer | grpcServer | grpcsServer, from: "0.33.4", whenSet: "0.23.0"},
	{name: "underscores_in_headers", property: "underscore-in-headers", variable: "NGINX_UNDERSCORE_IN_HEADERS", in: plainServer | redirectServer | secureServer | grpcServer | grpcsServer, from: "0.33.8"},
	{name: "client_body_timeout", property: "client-body-timeout", variable: "CLIENT_BODY_TIMEOUT", in: plainServer | redirectServer | secureServer, from: "0.35.6"},
	{name: "client_header_timeout", property: "client-header-timeout", variable: "CLIENT_HEADER_TIMEOUT", in: plainServer | redirectServer | secureServer, from: "0.35.6"},
	{name: "keepalive_timeout", property: "keepalive-timeout", variable: "KEEPALIVE_TIMEOUT", in: plainServer | redirectServer | secureServer, from: "0.35.6"},
	{name: "keepalive_timeout", in: secureServer, from: ever}, // 70 for every app
	{name: "lingering_timeout", property: "lingering-timeout", variable: "LINGERING_TIMEOUT", in: plainServer | redirectServer | secureServer, from: "0.35.6"},
	{name: "send_timeout", property: "send-timeout", variable: "SEND_TIMEOUT", in: plainServer | redirectServer | secureServer, from: "0.35.6"},
	{name: "ssl_prefer_server_ciphers", in: secureServer | grpcsServer, from: ever},
	{name: "http2", in: secureServer | grpcServer | grpcsServer, from: "0.36.10"}, // where nginx knows it: 1.25.1 and later
}

// includedTwice is the version that includes an app's snippets twice in the server that
// redirects to https (dokku/dokku#5277).
const includedTwice = "0.27.9"

// duplicate is a directive that nginx finds twice in a server.
type duplicate struct {
	nginx.Directive
	file, text string // as it is called before a person; its content
	path       string // on the host; "" for what is not there to be changed
	by         templateDirective
	why        string
}

// duplicates are the directives of an app's snippets, and of its own template, that nginx
// would find twice in what a version builds.
func (s Subject) duplicates(version string) []duplicate {
	if byNginx, _ := s.Now.Proxy.ByNginx(); !byNginx {
		return nil
	}
	template, own, known := s.ownTemplate(version)
	switch {
	case !known:
		return nil
	case own:
		return s.duplicatesByTemplate(template, version)
	}
	kinds := s.serverKinds()
	var found []duplicate
	for _, snippet := range s.snippets() {
		for _, d := range snippet.directives {
			if by := s.setByTemplate(d.Name, version, kinds); by != nil {
				found = append(found, snippet.duplicate(d, *by, "which Dokku's own template sets "+s.since(*by)))
			} else if version == includedTwice && kinds&redirectServer != 0 && nginx.Once(d) {
				found = append(found, snippet.duplicate(d, templateDirective{}, "and "+includedTwice+" includes the file twice in the server that redirects to https"))
			}
		}
	}
	return found
}

// setByTemplate is the directive of Dokku's template that a version sets in one of the
// app's servers; nil for none.
func (s Subject) setByTemplate(name, version string, kinds serverKind) *templateDirective {
	for _, d := range templateDirectives {
		if d.name == name && d.in&kinds != 0 && s.isSet(d, version) {
			return &d
		}
	}
	return nil
}

// isSet tells whether a version sets a directive.
func (s Subject) isSet(d templateDirective, version string) bool {
	return !app.Before(version, d.from) || d.whenSet != "" && !app.Before(version, d.whenSet) && s.nginxProperty(d.property) != ""
}

// since says from when on a directive is set.
func (s Subject) since(d templateDirective) string {
	switch {
	case d.from == ever:
		return "for https"
	case d.whenSet != "" && app.Before(s.To, d.from):
		return "because its property " + d.property + " is set"
	}
	return "from " + d.from + " on"
}

// duplicatesByTemplate goes by a template of the app's own, most often an earlier one of
// Dokku's: what stands there only if Dokku hands it a variable is there from that version on.
func (s Subject) duplicatesByTemplate(text, version string) []duplicate {
	list, err := nginx.Template(text)
	if err != nil {
		return nil // what cannot be read is not known to be wrong
	}
	var found []duplicate
	for _, server := range list {
		if server.Name != "server" {
			continue
		}
		includes := slices.ContainsFunc(server.Block, func(d nginx.Directive) bool {
			return d.Name == "include" && len(d.Args) == 1 && strings.HasSuffix(d.Args[0], "/nginx.conf.d/*.conf")
		})
		for _, by := range templateDirectives {
			set := func(d nginx.Directive) bool { return d.Name == by.name && slices.Contains(d.Args, "$."+by.variable) }
			if by.variable == "" || !s.isSet(by, version) || !slices.ContainsFunc(server.Block, set) {
				continue
			}
			why := fmt.Sprintf("which the app's own nginx.conf.sigil sets, too, %s, when Dokku hands it %s", s.since(by), by.variable)
			for _, d := range server.Block {
				if d.Name == by.name && !set(d) {
					found = append(found, duplicate{Directive: d, file: "its nginx.conf.sigil", by: by, why: why})
				}
			}
			for _, snippet := range s.snippets() {
				for _, d := range snippet.directives {
					if includes && d.Name == by.name {
						found = append(found, snippet.duplicate(d, by, why))
					}
				}
			}
		}
	}
	return newIn(found, nil)
}

// ownTemplate is the app's own template by which a version builds, whether it has one, and
// whether that is known. To 0.28 it is in the app's image, where a capture may have fetched
// it from.
func (s Subject) ownTemplate(version string) (text string, own, known bool) {
	if v := s.nginxProperty("disable-custom-config"); v == "true" {
		return "", false, true
	}
	at := "lib/data/nginx-vhosts/app-" + s.Now.Name + "/nginx.conf.sigil"
	file, there := s.Files.Get(at)
	if image, in := s.Files.Get(app.ImageFacts + s.Now.Name + "/nginx.conf.sigil"); !there && in || in && app.Before(version, "0.29.0") {
		file, there = image, true // from 0.29 on imageFiles puts it where it is read
	}
	return string(file.Data), there, file.Error == "" && file.Link == ""
}

// nginxProperty is a property of nginx's, the app's own or else the host's.
func (s Subject) nginxProperty(name string) string {
	for _, scope := range []string{s.Now.Name, "--global"} {
		if v, _ := s.Files.Text("lib/config/nginx/" + scope + "/" + name); strings.TrimSpace(v) != "" {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// serverKinds are the servers that Dokku's template writes for the app.
func (s Subject) serverKinds() (kinds serverKind) {
	ports := s.Now.Ports.Map
	if len(ports) == 0 {
		ports = withoutMap(s)
	}
	for _, p := range ports {
		parts := strings.Split(p, ":")
		switch {
		case parts[0] == "http" && len(parts) == 3 && parts[1] == "80" && s.Now.Certificate != nil:
			kinds |= redirectServer
		case parts[0] == "http":
			kinds |= plainServer
		case parts[0] == "https" && s.Now.Certificate != nil:
			kinds |= secureServer
		case parts[0] == "grpc":
			kinds |= grpcServer
		case parts[0] == "grpcs":
			kinds |= grpcsServer
		}
	}
	return kinds
}

// snippet is a file of an app's nginx.conf.d.
type snippet struct {
	path, name, text string
	directives       []nginx.Directive // at the level of the server
}

// snippets are those that nginx includes and that can be read.
func (s Subject) snippets() []snippet {
	dir := "root/" + s.Now.Name + "/nginx.conf.d/"
	var found []snippet
	for _, file := range s.Files.Under(dir) {
		name := strings.TrimPrefix(file.Path, dir)
		if name == "" || strings.Contains(name, "/") || name[0] == '.' || path.Ext(name) != ".conf" || file.Error != "" {
			continue
		}
		if list, err := nginx.Parse(string(file.Data)); err == nil {
			found = append(found, snippet{filepath.Join(s.Paths.App(s.Now.Name), "nginx.conf.d", name), "nginx.conf.d/" + name, string(file.Data), list})
		}
	}
	return found
}

func (f snippet) duplicate(d nginx.Directive, by templateDirective, why string) duplicate {
	return duplicate{Directive: d, file: f.name, text: f.text, path: f.path, by: by, why: why}
}

// RefusedBuild says why nginx would refuse what a version builds of an app; "" where
// nothing is known that it would refuse.
func RefusedBuild(p host.Paths, files *app.Files, s app.State, version string) string {
	found := Subject{Context: Context{Paths: p, Files: files, To: version}, Now: s}.duplicates(version)
	if len(found) == 0 {
		return ""
	}
	return "nginx would refuse what Dokku builds of it: " + toldOnce(found)
}

// newIn are the duplicates, each once, that are not among others.
func newIn(found, others []duplicate) []duplicate {
	var list []duplicate
	for _, d := range found {
		same := func(o duplicate) bool { return o.file == d.file && o.Name == d.Name && o.Start == d.Start }
		if !slices.ContainsFunc(others, same) && !slices.ContainsFunc(list, same) {
			list = append(list, d)
		}
	}
	return list
}

// plainSetting is a size, a time, a number or a switch, which is no secret.
var plainSetting = pattern.Of(`^[A-Za-z0-9.]{1,20}( [A-Za-z0-9.]{1,20})?$`)

// String says which directive it is, with its value where that is plain.
func (d duplicate) String() string {
	text := d.Name
	if value := d.value(); value != "" && d.by.name != "" {
		text += " " + value
	}
	return fmt.Sprintf("%s sets %s, %s", d.file, text, d.why)
}

func (d duplicate) value() string {
	if value := strings.Join(d.Args, " "); plainSetting().MatchString(value) {
		return value
	}
	return ""
}

// duplicateFinding is the finding of all of an app's: a build that leaves one of them fails.
func (s Subject) duplicateFinding(found []duplicate, when string) []Finding {
	if len(found) == 0 {
		return nil
	}
	f := Finding{What: toldOnce(found)}
	command, rest := s.commandFor(found)
	f.Command = command
	f.Consequence = "nginx takes it once in a server, and refuses the next build (\"directive is duplicate\"): from then on no change of any app takes effect, and nginx would not start again. "
	if rest {
		f.Consequence += "Take it out of the file by hand. "
	}
	f.Consequence += when
	if s.Plugins.Installed != nil {
		for _, p := range s.Plugins.Installed() {
			if p.Hook("nginx-pre-reload") {
				f.Consequence = f.Consequence + fmt.Sprintf(" The plugin %s has a hook for each build; if it writes the file, take the plugin away first.", p.Name)
			}
		}
	}
	return []Finding{f}
}

func toldOnce(found []duplicate) string {
	texts := make([]string, len(found))
	for i, d := range found {
		texts[i] = d.String()
	}
	return strings.Join(texts, "; ")
}

// commandFor says the same to Dokku, takes the lines out of the files, and builds, and
// whether something is left to be taken out by hand.
func (s Subject) commandFor(found []duplicate) (command string, rest bool) {
	if slices.ContainsFunc(found, func(d duplicate) bool { return d.by.name == "" }) {
		return "apt-get install dokku=0.27.10", false // which includes them once
	}
	var set, lines []string
	for _, d := range found {
		if v := d.value(); d.by.property != "" && v != "" && s.nginxProperty(d.by.property) == "" {
			set = append(set, say.Command("dokku nginx:set", s.Now.Name, d.by.property, v))
		}
		if pattern := d.line(); pattern != "" {
			lines = append(lines, say.Command("sed -i", "/"+pattern+"/d", d.path))
		} else {
			rest = true
		}
	}
	all := append(set, lines...)
	if !rest {
		all = append(all, say.Command("dokku proxy:build-config", s.Now.Name))
	}
	return strings.Join(all, " && "), rest
}

// line is a pattern for the line of a directive that has it for itself, in a file where no
// other line matches; "" where there is none.
func (d duplicate) line() string {
	if d.path == "" {
		return ""
	}
	text := d.text[d.Start:d.End]
	if !plainLine().MatchString(text) {
		return ""
	}
	var behind []string
	for line := range strings.Lines(d.text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), text); ok {
			behind = append(behind, strings.TrimSpace(rest))
		}
	}
	if len(behind) != 1 || behind[0] != "" && behind[0][0] != '#' {
		return ""
	}
	return "^[[:space:]]*" + strings.ReplaceAll(text, ".", `\.`)
}

// plainLine has nothing in it that sed would take for more than itself.
var plainLine = pattern.Of(`^[a-z0-9_]+[ \t]+[A-Za-z0-9. \t]+;$`)
