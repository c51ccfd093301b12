package recipe

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// What docket's tasks (0.8.0) and ansible-dokku's modules take, by name: text, number, yes
// (or no), list, map, or one of some words. What has to be there ends in an exclamation mark.
const docketTasks = `
dokku_app                app: text!
dokku_network            name: text!
dokku_storage_entry      name: text!, path: text, scheduler: docker-local|k3s, size: text, access_mode: text, storage_class: text, namespace: text, chown: text, reclaim_policy: Retain|Delete
dokku_config             app: text!, restart: yes, config: map
dokku_buildpacks         app: text!, buildpacks: list
dokku_docker_options     app: text!, phase: build|deploy|run!, process_type: text, option: text!
dokku_storage_mount      app: text!, entry_name: text, host_dir: text, container_dir: text!, phases: list, process_type: text, subpath: text, readonly: yes, volume_chown: text, volume_options: text
dokku_resource_limit     app: text!, process_type: text, resources: map
dokku_resource_reserve   app: text!, process_type: text, resources: map
dokku_checks_toggle      app: text!, state: present|absent
dokku_proxy_toggle       app: text!, state: present|absent
dokku_domains_toggle     app: text!, state: present|absent
dokku_ps_scale           app: text!, scale: map!, skip_deploy: yes
dokku_domains            app: text, global: yes, domains: list, state: present|absent|set|clear
dokku_ports              app: text!, port_mappings: list, state: present|absent|set|clear
dokku_certs              app: text, cert_content: text, key_content: text
dokku_*_property         app: text, global: yes, property: text!, value: text
`

// Of the modules only those that a recipe is written with.
const ansibleModules = `
dokku_app               app: text!
dokku_network           name: text!
dokku_config            app: text!, config: map!, restart: yes
dokku_buildpacks        app: text!, buildpacks: list!
dokku_docker_options    app: text!, phase: build|deploy|run!, option: text!
dokku_storage           app: text!, mounts: list, create_host_dir: yes, user: text, group: text
dokku_resource_limit    app: text!, process_type: text, resources: map, clear_before: yes
dokku_resource_reserve  app: text!, process_type: text, resources: map, clear_before: yes
dokku_ps_scale          app: text!, scale: map!, skip_deploy: yes
dokku_domains           app: text, global: yes, domains: list!, state: present|absent|set|clear
dokku_ports             app: text!, mappings: list, state: present|absent|clear
dokku_certs             app: text!, cert: text, key: text
ansible.builtin.command argv: list!
ansible.builtin.shell   cmd: text!
ansible.builtin.file    path: text!, state: directory|absent, owner: text, group: text, mode: text
ansible.builtin.copy    dest: text!, content: text, owner: text, group: text, mode: text
`

// taken is a table, by task and argument.
func taken(table string) map[string]map[string]string {
	tasks := map[string]map[string]string{}
	for _, l := range strings.Split(strings.TrimSpace(table), "\n") {
		task, args, _ := strings.Cut(l, " ")
		tasks[task] = map[string]string{}
		for _, a := range strings.Split(args, ",") {
			name, kind, _ := strings.Cut(strings.TrimSpace(a), ": ")
			tasks[task][name] = kind
		}
	}
	return tasks
}

// wrong says what of a task's arguments is not in the table.
func wrong(table map[string]map[string]string, task string, args map[string]any) (list []string) {
	known := table[task]
	if known == nil && strings.HasSuffix(task, "_property") {
		known = table["dokku_*_property"]
	}
	if known == nil {
		return []string{"there is no such task"}
	}
	for name, value := range args {
		kind, is := known[name]
		kind = strings.TrimSuffix(kind, "!")
		_, text := value.(string)
		_, number := value.(int)
		_, yes := value.(bool)
		_, items := value.([]any)
		_, pairs := value.(map[string]any)
		switch {
		case !is:
			list = append(list, "it takes no "+name)
		case strings.Contains(kind, "|") && (!text || !slices.Contains(strings.Split(kind, "|"), value.(string))),
			kind == "text" && !text, kind == "number" && !number, kind == "yes" && !yes, kind == "list" && !items,
			kind == "map" && !pairs && !(text && strings.HasPrefix(value.(string), "{{ {")): // an expression of Ansible's
			list = append(list, fmt.Sprintf("%s is %v, and not %s", name, value, kind))
		}
	}
	for name, kind := range known {
		if _, there := args[name]; !there && strings.HasSuffix(kind, "!") {
			list = append(list, "it needs "+name)
		}
	}
	return list
}

func TestDocketTakesTheTasks(t *testing.T) {
	r, table, seen := Of(rich(t)), taken(docketTasks), map[string]bool{}
	for _, play := range rendered(t, must(r.Write("docket", false, About{})), r.Secrets) {
		p := play.(map[string]any)
		inputs := map[string]bool{}
		if list, ok := p["inputs"].([]any); ok {
			for _, i := range list {
				inputs[i.(map[string]any)["name"].(string)] = true
			}
		}
		for key := range p {
			if !slices.Contains([]string{"name", "inputs", "tasks"}, key) {
				t.Errorf("a play has a %s", key)
			}
		}
		for _, task := range p["tasks"].([]any) {
			for name, body := range task.(map[string]any) {
				seen[name] = true
				args := body.(map[string]any)
				for _, w := range wrong(table, name, args) {
					t.Errorf("%s %v: %s", name, args, w)
				}
				if args["app"] == nil && args["global"] != true && name != "dokku_network" && name != "dokku_storage_entry" {
					t.Errorf("%s %v is for no app, and not for the host", name, args)
				}
				if mappings, ok := args["port_mappings"].([]any); ok {
					for _, m := range mappings {
						_, host := m.(map[string]any)["host"].(int)
						_, container := m.(map[string]any)["container"].(int)
						if !host || !container || len(m.(map[string]any)) != 3 {
							t.Errorf("%s %v: no mapping", name, m)
						}
					}
				}
			}
		}
	}
	for task := range table {
		if !seen[task] && task != "dokku_*_property" {
			t.Errorf("%s is tried by no test", task)
		}
	}
}

func TestAnsibleTakesTheTasks(t *testing.T) {
	r, table, seen := Of(rich(t)), taken(ansibleModules), map[string]bool{}
	var plays []map[string]any
	if err := yaml.Unmarshal([]byte(must(r.Write("ansible", false, About{}))), &plays); err != nil {
		t.Fatal(err)
	}
	keywords := []string{"name", "register", "changed_when", "failed_when", "check_mode", "no_log", "when", "vars"}
	for _, block := range plays[0]["tasks"].([]any) {
		for _, task := range block.(map[string]any)["block"].([]any) {
			modules := 0
			for name, body := range task.(map[string]any) {
				if slices.Contains(keywords, name) {
					continue
				}
				modules++
				seen[name] = true
				for _, w := range wrong(table, name, body.(map[string]any)) {
					t.Errorf("%v: %s", task, w)
				}
			}
			if text := fmt.Sprint(task); (strings.Contains(text, "app_blog_") || strings.Contains(text, "host_")) && task.(map[string]any)["no_log"] != true {
				t.Errorf("%v: Ansible would show a secret", task)
			}
			if modules != 1 {
				t.Errorf("%v has %d modules", task, modules)
			}
		}
	}
	for task := range table {
		if !seen[task] {
			t.Errorf("%s is tried by no test", task)
		}
	}
}
