package recipe

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// docket renders the whole file as a template before it reads it as YAML: {{ is to be written
// so that it comes out of that.
var braces = strings.NewReplacer("{{", "{{ `{{` }}")

// forDocket is a value as a scalar. An input's value is put in as it is, so it is escaped
// there for the quotes that it stands in.
func forDocket(t Text) string {
	text := braces.Replace(quoted(t.Plain))
	if t.Secret != "" {
		text = text[:len(text)-1] + "{{ ." + t.Secret + " | dq }}\""
	}
	return text
}

func asDocket(text string) string { return forDocket(Text{Plain: text}) }

// Docket is the recipe as docket's task file (0.8.0 and later): a play for what belongs to
// no app, and one for each app.
func (r Recipe) Docket(about About) string {
	p := &page{}
	for _, l := range about.header(r, "docket", "docket plan --tasks FILE --vars-file VARS", "docket apply --tasks FILE --vars-file VARS") {
		p.comment("", braces.Replace(l))
	}
	p.line("---")
	plays := 0
	for _, items := range r.parts() {
		tasks, notes, inputs := &page{}, &page{}, []string{}
		for _, group := range r.apart(items, docketTakes) {
			why, ok := r.docketTask(tasks, group)
			for _, i := range group {
				if ok {
					inputs = append(inputs, i.secrets()...)
					continue
				}
				notes.left("", why, i)
			}
		}
		if p.WriteString("\n" + braces.Replace(notes.String())); tasks.Len() == 0 {
			continue
		}
		plays++
		name := items[0].Scope
		if name == host.GlobalScope {
			name = "global"
		}
		p.line("- name: %s", asDocket(name))
		if len(inputs) > 0 {
			p.line("  inputs:")
		}
		for _, input := range inputs {
			required := "required: true, "
			if r.Secrets[input] == "" {
				required = "" // which docket takes for missing
			}
			p.line("    - {name: %s, %ssensitive: true}", input, required)
		}
		p.line("  tasks:")
		p.WriteString(tasks.String())
	}
	if plays == 0 {
		p.line("[]")
	}
	return p.String()
}

// docketVars are the secrets as docket's file of variables. It takes no name that the tasks
// do not have, so those of comments are comments.
func (r Recipe) docketVars(p *page) {
	inputs := map[string]bool{}
	for _, items := range r.parts() {
		for _, group := range r.apart(items, docketTakes) {
			_, ok := r.docketTask(&page{}, group)
			for _, i := range group {
				for _, name := range i.secrets() {
					inputs[name] = inputs[name] || ok
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		switch value := r.Secrets[name]; {
		case !inYAML(value):
			p.line("# %s is no text, and YAML has no bytes", name)
		case !docketTakes(value):
			p.line("# %s: %s", name, quoted(value))
		case inputs[name]:
			p.line("%s: %s", name, quoted(value))
		default:
			p.line("# %s: %s", name, quoted(value))
		}
	}
}

// docketTakes tells whether docket can put an input's value into a recipe: what its filter
// leaves as it is must be what YAML takes for itself between quotes.
func docketTakes(value string) bool {
	return inYAML(value) && !strings.ContainsFunc(value, func(r rune) bool {
		return r >= 0x7f && r < 0xa0 || r == 0xfeff || r == 0xfffe || r == 0xffff
	})
}

// apart are items with a value that a format cannot take each by itself, and what is left.
func (r Recipe) apart(items []Item, takes func(string) bool) (groups [][]Item) {
	var odd []Item
	for _, group := range r.grouped(items) {
		var rest []Item
		for _, i := range group {
			if i.Kind == Variable && !takes(r.Secrets[i.Values[0].Secret]) {
				odd = append(odd, i)
			} else {
				rest = append(rest, i)
			}
		}
		if len(rest) > 0 {
			groups = append(groups, rest)
		}
	}
	for _, i := range odd {
		groups = append(groups, []Item{i})
	}
	return groups
}

// grouped are items that one task, or one command, makes together: the variables, but not
// more of them than a command takes.
func (r Recipe) grouped(items []Item) (groups [][]Item) {
	size := 0
	for _, i := range items {
		more := 0
		if i.Kind == Variable {
			more = len(r.Secrets[i.Values[0].Secret]) + len(i.Name)
		}
		n := len(groups)
		if i.Kind != Variable || n == 0 || groups[n-1][0].Kind != Variable || size+more > longestWord {
			groups, size = append(groups, []Item{i}), 0
		} else {
			groups[n-1] = append(groups[n-1], i)
		}
		size += more
	}
	return groups
}

// docketProperties are those that docket has a task for, where it has not all that Dokku
// sets; docketNone the namespaces that it has none for.
var docketProperties = map[string]keys{
	"logs":                   {both: "app-label-alias max-size vector-sink", host: "vector-image vector-networks"},
	"scheduler-docker-local": {app: "init-process parallel-schedule-count"},
	"cron":                   {both: "maintenance", host: "mailfrom mailto"},
	"letsencrypt":            {both: settable["letsencrypt"].both},
	"scheduler-k3s": {both: "deploy-timeout image-pull-secrets kustomize-root-path letsencrypt-server namespace rollback-on-failure shm-size",
		host: "ingress-class kube-context kubeconfig-path letsencrypt-email-prod letsencrypt-email-stag network-interface token"},
}

func docketSets(i Item) bool {
	k, some := docketProperties[i.Of]
	if !some {
		k = settable[i.Of]
	}
	list := k.both + " " + k.app
	if i.Scope == host.GlobalScope {
		list = k.both + " " + k.host
	}
	return slices.Contains(strings.Fields(list), i.Name) || i.Of == "letsencrypt" && family().MatchString(i.Of+"/"+i.Name)
}

const noTask = "docket has no task for it"

// docketTask writes the task for an item, or for the variables of one; where docket has none
// it says why.
func (r Recipe) docketTask(p *page, group []Item) (why string, ok bool) {
	i := group[0]
	for _, name := range i.secrets() { // a group of several has only such as it takes
		if !docketTakes(r.Secrets[name]) {
			return "docket cannot put its value into a recipe", false
		}
	}
	task := func(name string, lines ...string) (string, bool) {
		p.line("    - %s:", name)
		if i.Scope != host.GlobalScope {
			p.line("        app: %s", asDocket(i.Scope))
		} else if slices.Contains([]Kind{Domains, Property}, i.Kind) {
			p.line("        global: true")
		}
		for _, l := range lines {
			p.line("        %s", l)
		}
		return "", true
	}
	state := func(s string) string { return "state: " + s }
	switch i.Kind {
	case App:
		return task("dokku_app")
	case Network:
		return task("dokku_network", "name: "+asDocket(i.Name))
	case Entry:
		lines := []string{"name: " + asDocket(i.Name)}
		for _, v := range i.Values {
			key, value, _ := strings.Cut(v.Plain, "=")
			if key == "mode" {
				return "docket gives an entry no mode", false
			}
			if value != "" {
				lines = append(lines, key+": "+asDocket(value))
			}
		}
		return task("dokku_storage_entry", lines...)
	case Variable:
		if i.Scope == host.GlobalScope {
			return "docket sets no variables of the host", false
		}
		lines := []string{"restart: false", "config:"}
		for _, g := range group {
			lines = append(lines, "  "+asDocket(g.Name)+": "+forDocket(g.Values[0]))
		}
		return task("dokku_config", lines...)
	case Property:
		if !docketSets(i) || i.Values[0] == (Text{}) {
			return noTask, false
		}
		return task("dokku_"+strings.ReplaceAll(i.Of, "-", "_")+"_property", "property: "+asDocket(i.Name), "value: "+forDocket(i.Values[0]))
	case Buildpacks:
		return task("dokku_buildpacks", "buildpacks: "+sequence(i.Values, forDocket))
	case DockerOption:
		lines := []string{"phase: " + asDocket(i.Name)}
		if i.Of != "" {
			lines = append(lines, "process_type: "+asDocket(i.Of))
		}
		return task("dokku_docker_options", append(lines, "option: "+forDocket(i.Values[0]))...)
	case Mounted:
		return docketMount(i, task)
	case Limits, Reservations:
		lines := []string{}
		if i.Of != "" {
			lines = append(lines, "process_type: "+asDocket(i.Of))
		}
		lines = append(lines, "resources:")
		for _, v := range i.Values {
			key, value, _ := strings.Cut(v.Plain, "=")
			lines = append(lines, "  "+asDocket(key)+": "+asDocket(value))
		}
		return task(map[Kind]string{Limits: "dokku_resource_limit", Reservations: "dokku_resource_reserve"}[i.Kind], lines...)
	case ChecksOff:
		if i.Name != "" {
			return "docket disables the checks of all process types or of none", false
		}
		return task("dokku_checks_toggle", state("absent"))
	case Scale:
		lines := []string{"skip_deploy: true", "scale:"}
		for _, v := range i.Values {
			process, n, _ := strings.Cut(v.Plain, "=")
			lines = append(lines, "  "+asDocket(process)+": "+n)
		}
		return task("dokku_ps_scale", lines...)
	case ProxyOff:
		return task("dokku_proxy_toggle", state("absent"))
	case Domains:
		s := "set"
		if i.Name != "" {
			s = "present"
		}
		return task("dokku_domains", "domains: "+sequence(i.Values, forDocket), state(s))
	case DomainsNone:
		return task("dokku_domains", state("clear"))
	case DomainsOff:
		return task("dokku_domains_toggle", state("absent"))
	case Ports:
		lines := []string{"port_mappings:"}
		seen := map[string]bool{}
		for _, v := range i.Values {
			m := portOf(v.Plain)
			if seen[m[1]+m[2]] {
				return "docket takes no two mappings for one scheme and port", false
			}
			seen[m[1]+m[2]] = true
			lines = append(lines, fmt.Sprintf("  - {scheme: %s, host: %s, container: %s}", asDocket(m[1]), m[2], m[3]))
		}
		return task("dokku_ports", append(lines, state("set"))...)
	case Certificate:
		return task("dokku_certs", "cert_content: "+forDocket(i.Values[0]), "key_content: "+forDocket(i.Values[1]))
	}
	return noTask, false
}

// portOf is a mapping in its parts, without zeros before the numbers, which YAML reads as
// numbers of another kind.
func portOf(mapping string) []string {
	m := validPort().FindStringSubmatch(mapping)
	for i := range m[2:] {
		if m[i+2] = leadingZeros().ReplaceAllString(m[i+2], ""); m[i+2] == "" {
			m[i+2] = "0"
		}
	}
	return m
}

var leadingZeros = pattern.Of(`^0+`)

func docketMount(i Item, task func(string, ...string) (string, bool)) (string, bool) {
	m := i.Mount
	lines := []string{"container_dir: " + asDocket(m.At)}
	add := func(key, value string) {
		if value != "" {
			lines = append(lines, key+": "+asDocket(value))
		}
	}
	switch {
	case m.Entry == "" && (m.Only || !m.both()):
		return "docket mounts a directory for deploy and run alike, and not read-only", false
	case m.Entry != "":
		add("entry_name", m.Entry)
		if !m.both() {
			lines = append(lines, "phases: "+sequence(words(m.Phases...), forDocket))
		}
		add("process_type", m.Process)
		add("subpath", m.Subpath)
		add("volume_chown", m.Chown)
	default:
		add("host_dir", m.Source)
	}
	if m.Only {
		lines = append(lines, "readonly: true")
	}
	add("volume_options", m.Options)
	return task("dokku_storage_mount", lines...)
}

func sequence(list []Text, as func(Text) string) string {
	var out []string
	for _, t := range list {
		out = append(out, as(t))
	}
	return "[" + strings.Join(out, ", ") + "]"
}
