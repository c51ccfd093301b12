package recipe

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
)

// harmless are words that the modules of ansible-dokku may be given: some of them put what
// they get into a shell's command as it is. Ansible's own command expands $ and ~.
var harmless = pattern.Of(`^[A-Za-z0-9_./:=@%+,-]+$`)

// forAnsible is a text as a scalar that Ansible does not take for a template.
func forAnsible(text string) string {
	if strings.Contains(text, "{{") || strings.Contains(text, "{%") || strings.Contains(text, "{#") {
		return "!unsafe " + quoted(text)
	}
	return quoted(text)
}

// Ansible is the recipe as a playbook, of ansible-dokku's modules where they do what they
// say on today's Dokku and cannot be led astray, and of commands for the rest.
func (r Recipe) Ansible(about About) string {
	p := &page{}
	for _, l := range about.header(r, "a module or a command",
		"ansible-galaxy role install dokku_bot.ansible_dokku; its modules are in library, which Ansible looks for by ANSIBLE_LIBRARY, and ANSIBLE_MODULE_UTILS for module_utils.",
		"ansible-playbook -i INVENTORY -e @VARS FILE") {
		p.comment("", l)
	}
	p.line("---")
	p.line("- name: %s", forAnsible("Dokku"))
	p.line("  hosts: dokku\n  become: true\n  gather_facts: false")
	blocks := 0
	for _, items := range r.parts() {
		scope := items[0].Scope
		a := &playbook{items: items, secrets: r.Secrets, scope: scope}
		for _, group := range r.apart(items, inYAML) {
			a.item(group)
		}
		if a.tasks.Len() == 0 {
			p.WriteString(a.notes.String())
			continue
		}
		if blocks++; blocks == 1 {
			p.line("  tasks:")
		}
		p.WriteString("\n" + a.notes.String())
		p.line("    - name: %s", forAnsible(called(scope)))
		if harmless().MatchString(scope) && !strings.Contains(scope, ",") {
			p.line("      tags: [%s]", quoted(strings.TrimPrefix(scope, "--")))
		}
		p.line("      block:")
		p.WriteString(a.tasks.String())
	}
	if blocks == 0 {
		p.line("  tasks: []")
	}
	return p.String()
}

// playbook is what is written for one scope.
type playbook struct {
	items        []Item
	secrets      map[string]string
	scope        string
	tasks, notes page
}

// task writes one. Where a value of it is a secret Ansible is to show nothing of it.
func (a *playbook) task(title, module string, secret bool, lines []string, more ...string) {
	a.tasks.line("        - name: %s", forAnsible(called(a.scope)+": "+title))
	a.tasks.line("          %s:", module)
	for _, l := range lines {
		a.tasks.line("            %s", l)
	}
	if secret {
		more = append(more, "no_log: true")
	}
	for _, l := range more {
		a.tasks.line("          %s", l)
	}
}

// isNow is what a look has found.
const isNow = "upgrade_guard_is"

// look asks for what is there, so that what is right is not done again.
func (a *playbook) look(title string, secret bool, words []Text) {
	a.run(title+", as it is", words, secret, "register: "+isNow, "changed_when: false", "failed_when: false", "check_mode: false")
}

// run writes a command of Dokku's. A word that is not harmless goes through a shell in
// quotes, which neither Ansible nor the shell looks into.
func (a *playbook) run(title string, words []Text, secret bool, more ...string) {
	safe := true
	for _, w := range words {
		safe = safe && w.Secret == "" && harmless().MatchString(w.Plain)
	}
	if safe {
		a.task(title, "ansible.builtin.command", secret, []string{"argv: " + sequence(append([]Text{{Plain: "dokku"}}, words...), func(t Text) string { return quoted(t.Plain) })}, more...)
		return
	}
	text, vars := "dokku", []string{}
	for _, w := range words {
		text += " "
		switch {
		case w.Plain == "" && w.Secret == "":
			text += "''"
		case harmless().MatchString(w.Plain):
			text += w.Plain
		case w.Plain != "":
			name := fmt.Sprintf("upgrade_guard_word_%d", len(vars)+1)
			vars = append(vars, name+": !unsafe "+quoted(w.Plain))
			text += "{{ " + name + " | quote }}"
		}
		if w.Secret != "" {
			text += "{{ " + w.Secret + " | quote }}"
		}
	}
	for n, m := range more {
		if rest, is := strings.CutPrefix(m, "vars: {"); is {
			vars = append(vars, strings.TrimSuffix(rest, "}"))
			more = slices.Delete(slices.Clone(more), n, n+1)
			break
		}
	}
	if len(vars) > 0 {
		more = append(slices.Clone(more), "vars: {"+strings.Join(vars, ", ")+"}")
	}
	a.task(title, "ansible.builtin.shell", secret, []string{"cmd: " + quoted(text)}, more...)
}

// differs is a condition: what is there is not this.
func differs(t Text) []string {
	switch {
	case t.Secret != "":
		return []string{"when: " + isNow + ".stdout != " + t.Secret}
	case harmless().MatchString(t.Plain):
		return []string{"when: " + isNow + ".stdout != '" + t.Plain + "'"}
	}
	return []string{"vars: {upgrade_guard_wanted: !unsafe " + quoted(t.Plain) + "}", "when: " + isNow + ".stdout != upgrade_guard_wanted"}
}

func (a *playbook) left(i Item, why string) { a.notes.left("    ", why, i) }

// named are a module's arguments for this app.
func (a *playbook) named(lines ...string) []string {
	return append([]string{"app: " + quoted(a.scope)}, lines...)
}

func asVariable(t Text) string {
	if t.Secret != "" {
		return quoted(t.Plain + "{{ " + t.Secret + " }}")
	}
	return forAnsible(t.Plain)
}

func (a *playbook) item(group []Item) {
	i, title := group[0], group[0].title()
	secret := len(i.secrets()) > 0
	for _, name := range i.secrets() {
		if !inYAML(a.secrets[name]) {
			a.left(i, "its value is no text, and YAML has no bytes")
			return
		}
	}
	module := a.scope == host.GlobalScope || harmless().MatchString(a.scope)
	for _, v := range i.Values {
		module = module && (v.Secret != "" || harmless().MatchString(v.Plain))
	}
	switch {
	case i.Kind == Note || len(i.Commands) == 0 && i.Kind != File:
		a.left(i, "")
	case i.Kind == File:
		a.file(i)
	case i.Kind == Certificate && module:
		a.certificate(i)
	case !module:
		a.byCommand(i, group, title, secret)
	case i.Kind == App:
		a.task(title, "dokku_app", false, a.named())
	case i.Kind == Network:
		a.task(title, "dokku_network", false, []string{"name: " + quoted(i.Name)})
	case i.Kind == Variable && a.scope != host.GlobalScope:
		var pairs []string
		for _, g := range group {
			pairs = append(pairs, "'"+g.Name+"': "+g.Values[0].Secret)
		}
		// One expression: of a value by itself Ansible makes a list where it looks like one.
		a.task("variables", "dokku_config", true, a.named("restart: false", "config: "+quoted("{{ {"+strings.Join(pairs, ", ")+"} }}")))
	case i.Kind == Buildpacks:
		a.task(title, "dokku_buildpacks", secret, a.named("buildpacks: "+sequence(i.Values, asVariable)))
	case i.Kind == DockerOption && i.Of == "" && a.alone(i):
		a.task(title, "dokku_docker_options", true, a.named("phase: "+quoted(i.Name), "option: "+asVariable(i.Values[0])))
	case i.Kind == Mounted && i.Mount.Entry == "":
		a.task(title, "dokku_storage", false, a.named("mounts: ["+quoted(i.Mount.colon())+"]"))
		a.attach(i, i.Commands[1:])
	case i.Kind == Mounted:
		a.attach(i, i.Commands)
	case i.Kind == Limits || i.Kind == Reservations:
		lines := []string{}
		if i.Of != "" {
			lines = append(lines, "process_type: "+quoted(i.Of))
		}
		lines = append(lines, "resources:")
		for _, v := range i.Values {
			key, value, _ := strings.Cut(v.Plain, "=")
			lines = append(lines, "  "+quoted(key)+": "+quoted(value))
		}
		a.task(title, map[Kind]string{Limits: "dokku_resource_limit", Reservations: "dokku_resource_reserve"}[i.Kind], false, a.named(lines...))
	case i.Kind == Scale:
		lines := []string{"skip_deploy: true", "scale:"}
		for _, v := range i.Values {
			process, n, _ := strings.Cut(v.Plain, "=")
			lines = append(lines, "  "+quoted(process)+": "+n)
		}
		a.task(title, "dokku_ps_scale", false, a.named(lines...))
	case i.Kind == Domains || i.Kind == DomainsNone:
		a.domains(i)
	case i.Kind == Ports:
		a.task(title, "dokku_ports", false, a.named("mappings: "+sequence(i.Values, asVariable)))
	default:
		a.byCommand(i, group, title, secret)
	}
}

// alone tells that an option is no part of another one: dokku_docker_options takes it for
// there then.
func (a *playbook) alone(i Item) bool {
	option := a.secrets[i.Values[0].Secret]
	for _, o := range a.items {
		if other := ""; o.Kind == DockerOption && o.Values[0] != i.Values[0] {
			if other = a.secrets[o.Values[0].Secret]; strings.Contains(other, option) {
				return false
			}
		}
	}
	return true
}

// attach mounts what has a name, or for some phases only: Dokku says whether it was there.
func (a *playbook) attach(i Item, commands [][]Text) {
	for _, c := range commands {
		a.run(i.title(), c, false, "register: "+isNow, "changed_when: \"' updated' not in "+isNow+".stdout\"")
	}
}

// domains are set where they are others: the module sets them each time.
func (a *playbook) domains(i Item) {
	lines, flag, scope := []string{"app: " + quoted(a.scope)}, "--domains-app-vhosts", a.scope
	if scope == host.GlobalScope {
		lines, flag = []string{"global: true"}, "--domains-global-vhosts"
	}
	state := "set"
	switch {
	case i.Kind == DomainsNone:
		state = "clear"
	case i.Name != "": // not all of them can be said: those that are there stay
		a.task(i.title(), "dokku_domains", false, append(lines, "domains: "+sequence(i.Values, asVariable), "state: present"))
		return
	}
	a.look(i.title(), false, words("--quiet", "domains:report", scope, flag))
	want := strings.Join(plainOf(i.Values), " ")
	a.task(i.title(), "dokku_domains", false, append(lines, "domains: "+sequence(i.Values, asVariable), "state: "+state), "when: "+isNow+".stdout | trim != '"+want+"'")
}

// byCommand is what there is no module for, or none that does it: the state is asked for
// before, where Dokku shows it.
func (a *playbook) byCommand(i Item, group []Item, title string, secret bool) {
	asked := func(show []Text, want Text) {
		a.look(title, secret, show)
		a.commands(title, i.Commands, secret, differs(want))
	}
	switch {
	case i.Kind == Variable:
		for _, g := range group {
			title := g.title()
			a.look(title, true, words("config:get", a.scope, g.Name))
			a.run(title, g.Commands[0], true, differs(g.Values[0])...)
		}
	case i.Shows != nil:
		asked(i.Shows, i.Values[0])
	case i.Kind == ProxyOff:
		asked(words("--quiet", "proxy:report", a.scope, "--proxy-enabled"), Text{Plain: "false"})
	case i.Kind == DomainsOff:
		asked(words("--quiet", "domains:report", a.scope, "--domains-app-enabled"), Text{Plain: "false"})
	case i.Kind == Stopped:
		a.notes.comment("    ", a.scope+": "+i.Why)
		asked(words("--quiet", "ps:report", a.scope, "--running"), Text{Plain: "false"}) // as that of an app that was not deployed
	case i.Unless != nil && i.Line == "":
		a.look(title, secret, i.Unless)
		a.commands(title, i.Commands, secret, []string{"when: " + isNow + ".rc != 0"})
	case i.Unless != nil:
		a.look(title, secret, i.Unless)
		a.commands(title, i.Commands, secret, []string{"when: \"'" + i.Line + "' not in " + isNow + ".stdout_lines\""})
	case i.Kind == Certificate:
		a.left(i, "its name is none that the module takes")
	default: // Dokku does the same once more, and says nothing about it
		for _, c := range i.Commands {
			a.run(title, c, secret, "changed_when: false")
		}
	}
}

func (a *playbook) commands(title string, list [][]Text, secret bool, more []string) {
	for _, c := range list {
		a.run(title, c, secret, slices.Clone(more)...)
	}
}

// certificate: the module takes files of the host, and where there is one already it leaves
// that.
func (a *playbook) certificate(i Item) {
	dir := "/home/dokku/." + a.scope + ".recipe"
	a.task("certificate, a directory for it", "ansible.builtin.file", false, []string{"path: " + quoted(dir), "state: directory", "owner: dokku", "group: dokku", `mode: "0700"`}, "changed_when: false")
	for n, name := range []string{"server.crt", "server.key"} {
		a.task("certificate, "+name, "ansible.builtin.copy", true, []string{"dest: " + quoted(dir+"/"+name), "content: " + asVariable(i.Values[n]), "owner: dokku", "group: dokku", `mode: "0600"`}, "changed_when: false")
	}
	a.task("certificate "+i.Why+", unless it has one", "dokku_certs", false, a.named("cert: "+quoted(dir+"/server.crt"), "key: "+quoted(dir+"/server.key")))
	a.task("certificate, the directory away", "ansible.builtin.file", false, []string{"path: " + quoted(dir), "state: absent"}, "changed_when: false")
}

// file is one that no command makes. Of what looks like a list Ansible makes one.
func (a *playbook) file(i Item) {
	content := strings.TrimSpace(a.secrets[i.Values[0].Secret])
	if strings.HasPrefix(content, "{") || strings.HasPrefix(content, "[") || content == "True" || content == "False" || content == "" {
		a.left(i, "")
		return
	}
	at := realPath(i.Name)
	a.task(i.title()+", its directory", "ansible.builtin.file", false, []string{"path: " + forAnsible(path.Dir(at)), "state: directory", "owner: dokku", "group: dokku"})
	a.task(i.title(), "ansible.builtin.copy", true, []string{"dest: " + forAnsible(at), "content: " + asVariable(i.Values[0]), "owner: dokku", "group: dokku", "mode: " + quoted(i.Of)})
}

// ansibleVars are the secrets as Ansible reads them: as they are, whatever looks like a
// template in them.
func (r Recipe) ansibleVars(p *page) {
	for _, name := range slices.Sorted(maps.Keys(r.Secrets)) {
		if !inYAML(r.Secrets[name]) {
			p.line("# %s is no text, and YAML has no bytes", name)
			continue
		}
		p.line("%s: !unsafe %s", name, quoted(r.Secrets[name]))
	}
}
