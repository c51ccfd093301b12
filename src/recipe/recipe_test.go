package recipe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"upgrade-guard/src/app"
)

// at is a file of a host.
func at(path, text string) app.File {
	return app.File{Path: path, Mode: 0o600, Data: []byte(text), Size: len(text), SHA256: app.Digest([]byte(text))}
}

// env is an environment as a Dokku writes it.
func env(t *testing.T, dokku string, values map[string]string) string {
	t.Helper()
	text, left := app.WriteEnv(values, dokku)
	if len(left) > 0 {
		t.Fatalf("%s cannot be written", left)
	}
	return text
}

const token = "CANARY-3f9a"

// rich is a host of 0.38 with something of each kind, and a token in each place where a
// secret may be.
func rich(t *testing.T) *app.Files {
	t.Helper()
	certificate, key := pair(t)
	list := []app.File{
		at("root/VHOST", "host.example\n"), at("facts/letsencrypt-plugin", "0.25.0"),
		at("lib/config/--global/ENV", env(t, "0.38.27", map[string]string{"HOST_WIDE": token})), at("lib/config/config/--global/env-migrated", "true"),
		at("lib/config/nginx/--global/client-max-body-size", "7m"), at("lib/config/traefik/--global/basic-auth-password", token),
		at("lib/config/scheduler-k3s/--global/token", token), at("lib/config/letsencrypt/--global/dns-provider-API", token),
		at("lib/config/blog/ENV", env(t, "0.38.27", map[string]string{"A": token, "B": "b"})), at("lib/config/config/blog/env-migrated", "true"),
		at("root/blog/VHOST", "b.example\na.example\nno_name.example\n"), at("root/blog/HEAD", "ref: refs/heads/master\n"),
		at("root/blog/CONTAINER.web.1", "0123456789ab"), at("root/blog/tls/server.crt", certificate), at("root/blog/tls/server.key", key),
		at("root/blog/nginx.conf.d/auth.conf", "# "+token+"\n"), at("root/blog/htpasswd", token+"\n"), at("root/blog/list", "["+token+"]"),
		at("lib/config/ps/blog/scale", "web=2\nworker=0\n"), at("lib/config/ports/blog/map", "http:80:5000\nhttps:443:5000\n"),
		at("lib/config/docker-options/blog/_default_.deploy", "-e T="+token+"\n--link dokku.postgres.db:dokku-postgres-db\n$("+token+"\n"),
		at("lib/config/docker-options/blog/_default_.build", "--build-arg T="+token+"\n"), at("lib/config/docker-options/blog/web.deploy", "--label t="+token+"\n"),
		at("lib/config/storage/blog/mounts", `{"entry_name":"data","container_path":"/data","phases":["deploy"],"process_type":"_default_","readonly":true}`+"\n"+
			`{"entry_name":"legacy-0123456789","container_path":"/both","phases":["deploy","run"],"process_type":"_default_"}`+"\n"+
			`{"entry_name":"legacy-0123456789","container_path":"/run","phases":["run"],"process_type":"_default_"}`+"\n"+
			`{"entry_name":"data","container_path":"/nfs","phases":["deploy"],"process_type":"_default_","volume_options":"password=`+token+`"}`+"\n"),
		at("lib/data/storage-registry/entries/data.json", `{"name":"data","scheduler":"docker-local","host_path":"/srv/data"}`),
		at("lib/data/storage-registry/entries/legacy-0123456789.json", `{"name":"legacy-0123456789","scheduler":"docker-local","host_path":"/srv/old"}`),
		at("lib/config/buildpacks/blog/buildpacks", "https://example.com/a.git\nhttps://u:"+token+"@example.com/b.git\n"), at("lib/config/buildpacks/blog/stack", "x/y:latest"),
		at("lib/config/checks/blog/disabled", "web"), at("lib/config/checks/blog/skipped", "worker"), at("lib/config/checks/blog/wait", "5"), at("lib/config/checks/blog/wait-to-retire", "7"),
		at("lib/config/proxy/blog/disabled", "true"), at("lib/config/proxy/blog/type", "nginx"), at("lib/config/network/blog/attach-post-create", "backbone"),
		at("lib/config/nginx/blog/x-forwarded-for-value", "$http_x"), at("lib/config/nginx/blog/hsts", "true"), at("lib/config/letsencrypt/blog/email", token+"@example.com"),
		at("lib/config/ps/blog/start-cmd", "web --token "+token), at("lib/config/ps/blog/restore", "false"), at("lib/config/logs/blog/vector-sink", "x://?t="+token),
		at("lib/config/resource/blog/_default_.limit.memory", "256"), at("lib/config/resource/blog/web.reserve.cpu", "2"), at("lib/config/resource/blog/web.reserve.memory", "20"),
		at("lib/config/git/blog/rev-env-var", ""), at("lib/config/git/blog/source-image", "team/"+token+"@sha256:0"), at("lib/config/scheduler-k3s/blog/annotations.deployment", `{"a":"`+token+`"}`),
		at("lib/config/http-auth/blog/password", token), at("lib/config/upgrade-guard/blog/auto-rename", token), at("lib/config/registry/blog/image-repo", "team/x?token="+token),
		at("root/off/HEAD", ""), at("lib/config/off/ENV", "NO_VHOST=\"1\"\n"), at("lib/config/checks/off/disabled", "_all_"),
		at("root/none/HEAD", ""), at("root/none/VHOST", ""),
	}
	return app.NewFiles("0.38.27", []string{"blog", "none", "off"}, nil, list)
}

func TestNoSecretIsInARecipe(t *testing.T) {
	r := Of(rich(t))
	_, key := pair(t)
	for _, format := range Formats {
		text, err := r.Write(format, false, About{Again: "again"})
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range append(strings.Split(key, "\n")[1:3], token) {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s: a secret is in it: ...%s", format, text[max(0, i-80):i])
			}
		}
		vars, _ := r.Write(format, true, About{Again: "again"})
		for _, of := range []string{
			"app_blog_env_A", "host_env_HOST_WIDE", "app_blog_option_deploy", "app_blog_option_build", "app_blog_option_deployweb", "app_blog_letsencrypt_email", "host_traefik_basic_auth_password",
			"host_scheduler_k3s_token", "host_letsencrypt_dns_provider_API", "app_blog_buildpack", "app_blog_ps_start_cmd", "app_blog_logs_vector_sink", "app_blog_registry_image_repo",
			"app_blog_file_nginx_conf_d_auth_conf", "app_blog_file_htpasswd",
		} {
			i := strings.Index(vars, of+map[bool]string{true: "=", false: ": "}[format == "shell"])
			if i < 0 || !strings.Contains(strings.SplitN(vars[i:], "\n", 2)[0], token) {
				t.Errorf("%s: the variables have no %s", format, of)
			}
			if !strings.Contains(text, of) && !strings.Contains(of, "_file_") {
				t.Errorf("%s: the recipe does not name %s", format, of)
			}
		}
	}
}

// What is played twice is there once: from 0.38.0 on docker-options:add adds the same once more
// each time. An app that is stopped and not deployed is not stopped again and again.
func TestASecondRunChangesNothing(t *testing.T) {
	r := Of(rich(t))
	var added int
	for _, i := range r.Items {
		if i.Kind != DockerOption {
			continue
		}
		added++
		if len(i.Commands) != 2 || i.Commands[0][0].Plain != "docker-options:remove" || i.Commands[1][0].Plain != "docker-options:add" || !slices.Equal(i.Commands[0][1:], i.Commands[1][1:]) {
			t.Errorf("%v", i.Commands)
		}
	}
	if added < 3 {
		t.Errorf("%d options", added)
	}
	shell := r.Shell(About{})
	if n := strings.Count(shell, "docker-options:add"); n != added || strings.Count(shell, "docker-options:remove") != n {
		t.Errorf("%d of %d options", n, added)
	}
	ansible := r.Ansible(About{})
	if !strings.Contains(ansible, `argv: ["dokku", "--quiet", "ps:report", "blog", "--running"]`) || !strings.Contains(ansible, "blog: a person has stopped it; where it is not deployed yet") {
		t.Error("a stopped app")
	}
}

// A link to a service is not in a recipe: no deploy comes to its end with one to what is not
// there. It is named, with the command that links it by the variable that the app knows it by.
func TestLinksToServices(t *testing.T) {
	const link = "--link dokku.postgres.main_db:dokku-postgres-main-db\n"
	for _, c := range []struct {
		about, env, options, command string
		stays                        []string
	}{
		{"by its own name", `DATABASE_URL="postgres://postgres:x@dokku-postgres-main-db:5432/main"`, link, "dokku postgres:create main_db && dokku config:unset --no-restart blog DATABASE_URL && dokku postgres:link main_db blog --alias DATABASE", nil},
		{"by another", `ORDERS_URL="postgres://postgres:x@dokku-postgres-main-db:5432/main"`, "-m 1g\n" + link, "dokku config:unset --no-restart blog ORDERS_URL && dokku postgres:link main_db blog --alias ORDERS", []string{"-m 1g"}},
		{"by a name that is part of another", "DATABASE_URL=\"postgres://postgres:x@dokku-postgres-main-db:5432/main\"\nREPLICA_DATABASE_URL=\"postgres://elsewhere\"", link,
			`dokku config:unset --no-restart blog DATABASE_URL && dokku --no-restart postgres:link main_db blog && dokku config:set blog DATABASE_URL="$(dokku postgres:info main_db --dsn)"`, nil},
		{"by a name that another value has", "DATABASE_URL=\"postgres://postgres:x@dokku-postgres-main-db:5432/main\"\nPRISMA=\"env(DATABASE_URL)\"", link,
			`dokku --no-restart postgres:link main_db blog && dokku config:set blog DATABASE_URL="$(dokku postgres:info main_db --dsn)"`, nil},
		{"by none", `A="1"`, link, "dokku postgres:create main_db && dokku postgres:link main_db blog", nil},
		{"a container that is none of a plugin's", `A="1"`, "--link other:other\n", "", []string{"--link other:other"}},
		{"among others in one line", `A="1"`, "-m 1g --link dokku.postgres.main_db:db\n", "dokku postgres:create main_db", []string{"-m 1g --link dokku.postgres.main_db:db"}},
	} {
		t.Run(c.about, func(t *testing.T) {
			r := Of(app.NewFiles("0.38.27", []string{"blog"}, nil, []app.File{
				at("lib/config/blog/ENV", c.env+"\n"), at("lib/config/config/blog/env-migrated", "true"), at("root/blog/HEAD", ""),
				at("lib/config/docker-options/blog/_default_.deploy", c.options), at("lib/config/docker-options/blog/_default_.run", c.options),
			}))
			var options []string
			notes := ""
			for _, i := range r.Items {
				switch i.Kind {
				case DockerOption:
					options = append(options, r.Secrets[i.Values[0].Secret])
				case Note:
					notes += i.Why + "\n"
				}
			}
			if want := append(slices.Clone(c.stays), c.stays...); !slices.Equal(options, want) {
				t.Errorf("options %q, not %q", options, want)
			}
			if !strings.Contains(notes, c.command) || c.command == "" && strings.Contains(notes, "service") {
				t.Errorf("notes %q, not %q", notes, c.command)
			}
		})
	}
}

// Of each thing there is something in each format.
func TestNothingIsDropped(t *testing.T) {
	for _, i := range Of(rich(t)).Items {
		one := Recipe{Items: []Item{i}, Secrets: map[string]string{}}
		for _, name := range i.secrets() {
			one.Secrets[name] = "x"
		}
		for _, format := range Formats {
			text, _ := one.Write(format, false, About{})
			lines := 0
			for _, l := range strings.Split(text, "\n") {
				if strings.Contains(l, i.Scope) || strings.Contains(l, called(i.Scope)) || strings.Contains(l, "global") || i.Why != "" && strings.Contains(l, i.Why) {
					lines++
				}
			}
			if lines == 0 {
				t.Errorf("%s: nothing of %+v:\n%s", format, i, text)
			}
		}
	}
}

// Every kind there is, is in the host that the other tests go by.
func TestRichIsRich(t *testing.T) {
	have := map[Kind]bool{}
	for _, i := range Of(rich(t)).Items {
		have[i.Kind] = true
	}
	for _, kind := range []Kind{App, Network, Entry, Variable, Property, Buildpacks, DockerOption, Mounted, Limits, Reservations, ChecksOff, ChecksSkipped, Scale,
		ProxyOff, Domains, DomainsNone, DomainsOff, Ports, Certificate, Stopped, File, Note} {
		if !have[kind] {
			t.Errorf("there is no %s", kind)
		}
	}
}

// hostile are values that have broken somebody's configuration.
var hostile = []string{
	"plain", "it's", `"double"`, `back\slash`, `\`, "a\nb", "\n", "ends\n", "ends\n\n", "\ttab", "  blanks  ", "#comment", "a #comment", "a: b", "- a", "{a: b}", `{"a": 1}`, "[1, 2]", "{{ x }}", "{{{{", "}}",
	"{%", "%}", "{#", "{{`x`}}", "`id`", "$(id)", "$HOME", "${HOME}", "~/x", "yes", "no", "on", "null", "~", "1e3", "0o7", "0x10", "1_000", "012", "1:30", ".inf", "True", "False", "2001-01-01", "@x", "%x", "!x", "!!int 3",
	"&x", "*x", "|", ">", "?", ":", "-", "--", "---", "...", "=", "<<", "ünïcode 🎉", "\u2028", "\ufeffx", "\u0085", "\x7f", "\x1b[31m", "'", "''", `"`, "a'b\"c`d$e\\f", strings.Repeat("long ", 5000), "%s %d", "* ? [a]", "a\rb", "\r\n", "!unsafe x",
}

func hostileValues(t *testing.T) []string {
	list := slices.Clone(hostile)
	random := rand.New(rand.NewSource(7))
	alphabet := []rune("ab '\"\\\n\t{}%#$`~!@&*|>:-?[](),=;<é🎉\u0001\u007f\u2028")
	for range 300 {
		var b strings.Builder
		for range random.Intn(12) + 1 {
			b.WriteRune(alphabet[random.Intn(len(alphabet))])
		}
		list = append(list, b.String())
	}
	return list
}

// hostileRecipe has them wherever a value can be, secret and not.
func hostileRecipe(t *testing.T) (r Recipe, values []string) {
	values = hostileValues(t)
	r = Recipe{Secrets: map[string]string{}}
	for n, v := range values {
		name := fmt.Sprintf("app_x_env_V%d", n)
		r.Secrets[name] = v
		s := Text{Secret: name}
		r.Items = append(r.Items, Item{Scope: "x", Kind: Variable, Name: fmt.Sprintf("V%d", n), Values: []Text{s}, Commands: [][]Text{append(words("config:set", "--no-restart", "x"), Text{fmt.Sprintf("V%d=", n), name})}})
	}
	for n, v := range values {
		name := fmt.Sprintf("app_x_other_%d", n)
		r.Secrets[name] = v
		for _, t := range []Text{{Plain: v}, {Secret: name}} {
			if t.Plain != "" || v != "" {
				r.Items = append(r.Items, Item{Scope: "x", Kind: Property, Of: "nginx", Name: "hsts", Values: []Text{t}, Commands: [][]Text{append(words("nginx:set", "x", "hsts"), t)}, Shows: words("nginx:report", "x", "--nginx-hsts")})
			}
		}
		r.Items = append(r.Items, Item{Scope: "x", Kind: Note, Why: v})
	}
	return r, values
}

// meant are the commands of a recipe, with the secrets in them.
func meant(r Recipe) (all [][]string) {
	for _, items := range r.parts() {
		for _, group := range r.grouped(items) {
			list := group[0].Commands
			if group[0].Kind == Variable {
				joined := slices.Clone(list[0])
				for _, g := range group[1:] {
					joined = append(joined, g.Commands[0][len(g.Commands[0])-1])
				}
				list = [][]Text{joined}
			}
			if group[0].Unless != nil {
				all = append(all, plainOf(group[0].Unless))
			}
			for _, c := range list {
				var out []string
				for _, w := range c {
					out = append(out, w.Plain+r.Secrets[w.Secret])
				}
				all = append(all, out)
			}
		}
	}
	return all
}

// runShell runs a recipe under sh with a dokku that writes down what it is given.
func runShell(t *testing.T, r Recipe, there bool) (calls [][]string) {
	t.Helper()
	dir := t.TempDir()
	script, vars, log := filepath.Join(dir, "recipe"), filepath.Join(dir, "vars"), filepath.Join(dir, "log")
	text, _ := r.Write("shell", false, About{})
	secrets, _ := r.Write("shell", true, About{})
	fake := "#!/bin/sh\n{ printf '%d\\0' $#; printf '%s\\0' \"$@\"; } >>" + log + "\ncase $1 in *:exists|*:info) exit " + map[bool]string{true: "0", false: "1"}[there] + ";; certs:add) cat >/dev/null;; esac\n"
	for name, content := range map[string]string{script: text, vars: secrets, filepath.Join(dir, "dokku"): fake} {
		if err := os.WriteFile(name, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("sh", "recipe", "vars")
	command.Dir, command.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
	for len(words) > 0 {
		n, err := strconv.Atoi(words[0])
		if err != nil {
			t.Fatal(err)
		}
		calls, words = append(calls, words[1:n+1]), words[n+1:]
	}
	return calls
}

func TestShellGivesDokkuWhatIsMeant(t *testing.T) {
	r, _ := hostileRecipe(t)
	if diff := cmp.Diff(meant(r), runShell(t, r, false)); diff != "" {
		t.Errorf("dokku is given something else (-want +got):\n%.3000s", diff)
	}
}

func TestShellOfARichHost(t *testing.T) {
	r := Of(rich(t))
	if diff := cmp.Diff(meant(r), runShell(t, r, false)); diff != "" {
		t.Errorf("dokku is given something else (-want +got):\n%.3000s", diff)
	}
	for _, call := range runShell(t, r, true) {
		if slices.Contains([]string{"apps:create", "network:create", "storage:create"}, call[0]) {
			t.Errorf("where it is there already: %q", call)
		}
	}
}

func TestShellIsClean(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("no shellcheck")
	}
	for name, r := range map[string]Recipe{"rich": Of(rich(t)), "none": {}} {
		text, _ := r.Write("shell", false, About{})
		command := exec.Command("shellcheck", "--shell=sh", "-")
		command.Stdin = strings.NewReader(text)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// rendered is a task file of docket's as docket reads it: as a template first.
func rendered(t *testing.T, text string, vars map[string]string) []any {
	t.Helper()
	dq := func(v any) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(fmt.Sprint(v)); err != nil {
			t.Fatal(err)
		}
		quoted := strings.TrimSuffix(b.String(), "\n")
		return quoted[1 : len(quoted)-1]
	}
	var unrendered any
	if err := yaml.Unmarshal([]byte(text), &unrendered); err != nil {
		t.Fatalf("it is no YAML before it is rendered: %v", err)
	}
	tmpl, err := template.New("").Funcs(template.FuncMap{"dq": dq}).Option("missingkey=error").Parse(text)
	if err != nil {
		t.Fatalf("it is no template: %v", err)
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, vars); err != nil {
		t.Fatal(err)
	}
	var plays []any
	if err := yaml.Unmarshal(b.Bytes(), &plays); err != nil {
		t.Fatalf("it is no YAML: %v", err)
	}
	return plays
}

func TestDocketReadsWhatIsMeant(t *testing.T) {
	r, values := hostileRecipe(t)
	text, _ := r.Write("docket", false, About{})
	vars := map[string]string{}
	if err := yaml.Unmarshal([]byte(must(r.Write("docket", true, About{}))), &vars); err != nil {
		t.Fatal(err)
	}
	taken := maps.Clone(r.Secrets)
	maps.DeleteFunc(taken, func(_, v string) bool { return !docketTakes(v) })
	if diff := cmp.Diff(taken, vars); diff != "" {
		t.Errorf("the variables (-want +got): %.2000s", diff)
	}
	var env []string
	var set []string
	for _, play := range rendered(t, text, vars) {
		for _, task := range play.(map[string]any)["tasks"].([]any) {
			for kind, body := range task.(map[string]any) {
				fields := body.(map[string]any)
				if kind == "dokku_config" {
					for n := range values {
						if v, ok := fields["config"].(map[string]any)[fmt.Sprintf("V%d", n)]; ok {
							env = append(env, v.(string))
						}
					}
					continue
				}
				set = append(set, fields["value"].(string))
			}
		}
	}
	if diff := cmp.Diff(slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !docketTakes(v) }), env); diff != "" {
		t.Errorf("variables (-want +got):\n%.2000s", diff)
	}
	var twice []string
	for _, v := range values {
		if twice = append(twice, v); docketTakes(v) {
			twice = append(twice, v)
		}
	}
	if diff := cmp.Diff(twice, set); diff != "" {
		t.Errorf("properties (-want +got):\n%.2000s", diff)
	}
}

func TestAnsibleReadsWhatIsMeant(t *testing.T) {
	r, values := hostileRecipe(t)
	var vars yaml.Node
	if err := yaml.Unmarshal([]byte(must(r.Write("ansible", true, About{}))), &vars); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for n := 0; n < len(vars.Content[0].Content); n += 2 {
		key, value := vars.Content[0].Content[n], vars.Content[0].Content[n+1]
		if value.Tag != "!unsafe" {
			t.Fatalf("%s is a template to Ansible", key.Value)
		}
		got[key.Value] = value.Value
	}
	if diff := cmp.Diff(r.Secrets, got); diff != "" {
		t.Errorf("the variables (-want +got): %.2000s", diff)
	}
	var plays []struct {
		Tasks []struct {
			Block []map[string]yaml.Node
		}
	}
	text := must(r.Write("ansible", false, About{}))
	if err := yaml.Unmarshal([]byte(text), &plays); err != nil {
		t.Fatal(err)
	}
	// A plain value is a word of a command, or a variable that is no template.
	var plain []string
	for _, b := range plays[0].Tasks[0].Block {
		var name string
		node := b["name"]
		if err := node.Decode(&name); err != nil {
			t.Fatal(err)
		}
		if command, ok := b["ansible.builtin.command"]; ok && !strings.HasSuffix(name, "as it is") {
			var c struct{ Argv []string }
			if err := command.Decode(&c); err != nil {
				t.Fatal(err)
			}
			plain = append(plain, c.Argv[len(c.Argv)-1])
		}
		if shell, ok := b["ansible.builtin.shell"]; ok {
			var c struct{ Cmd string }
			if err := shell.Decode(&c); err != nil {
				t.Fatal(err)
			}
			if words, ok := b["vars"]; ok {
				for n := 0; n < len(words.Content); n += 2 {
					if words.Content[n+1].Tag != "!unsafe" {
						t.Fatalf("%s is a template to Ansible", words.Content[n+1].Value)
					}
				}
				plain = append(plain, words.Content[1].Value)
			} else if !strings.HasSuffix(c.Cmd, " | quote }}") {
				t.Fatalf("not quoted: %s", c.Cmd)
			}
		}
	}
	if diff := cmp.Diff(values, plain); diff != "" {
		t.Errorf("words (-want +got):\n%.2000s", diff)
	}
}

func must(text string, err error) string {
	if err != nil {
		panic(err)
	}
	return text
}

// What comes of one host is the same each time, and of some of its apps the same names.
func TestNamesStay(t *testing.T) {
	list := []app.File{at("root/VHOST", "")}
	for _, name := range []string{"a-b", "a_b", "a.b"} {
		list = append(list, at("root/"+name+"/HEAD", ""), at("root/"+name+"/ENV", "X=\"1\"\n"))
	}
	f := app.NewFiles("0.30.11", []string{"a-b", "a.b", "a_b"}, nil, list)
	all := Of(f)
	if got := slices.Sorted(maps.Keys(all.Secrets)); !slices.Equal(got, []string{"app_a_b_env_X", "app_a_b_env_X_2", "app_a_b_env_X_3"}) {
		t.Errorf("names: %q", got)
	}
	if got := all.Only([]string{"a_b"}).Secrets; len(got) != 1 || got["app_a_b_env_X_3"] != "1" {
		t.Errorf("of one: %q", got)
	}
	renamed, names := ValidNames(f)
	if want := map[string]string{}; !maps.Equal(names, want) || !slices.Equal(renamed.Apps, f.Apps) {
		t.Errorf("a name that is taken is given: %q", names) // a-b and a.b are there
	}
}

func TestOfOlderVersions(t *testing.T) {
	list := []app.File{
		at("root/VHOST", "host.example\n"), at("facts/letsencrypt-plugin", "0.9.4"),
		at("root/blog/HEAD", ""), at("root/blog/CONTAINER.web.1", "0123456789ab"), at("root/blog/DOKKU_SCALE", "web=3\nworker=1\n"), at("root/blog/VHOST", "blog.example\n"),
		at("root/blog/DOCKER_OPTIONS_DEPLOY", "--restart=always\n-v /srv/a:/a\n-v /srv/d:/d:ro\n"), at("root/blog/DOCKER_OPTIONS_RUN", "-v /srv/a:/a\n"),
		at("root/blog/ENV", "DOKKU_PROXY_PORT_MAP=\"http:80:5000 https:443:5000\"\nDOKKU_CHECKS_DISABLED=\"web\"\nDOKKU_WAIT_TO_RETIRE=\"9\"\nDOKKU_APP_RESTORE=\"0\"\nDOKKU_DISABLE_PROXY=\"0\"\n"+
			"DOKKU_LETSENCRYPT_EMAIL=\"a@b.example\"\nGIT_REV=\"x\"\nDOKKU_POSTGRES_AMBER_URL=\"u\"\nDOKKU_DOCKER_STOP_TIMEOUT=\"7\"\n"),
	}
	var got []string
	r := Of(app.NewFiles("0.20.4", []string{"blog"}, nil, list))
	for _, c := range meant(r) {
		got = append(got, strings.Join(c, " "))
	}
	want := []string{
		"domains:set-global host.example", "apps:exists blog", "apps:create blog", "config:set --no-restart blog DOKKU_POSTGRES_AMBER_URL=u",
		"checks:disable blog web", "checks:set blog wait-to-retire 9", "letsencrypt:set blog email a@b.example", "proxy:disable blog", "ps:set blog stop-timeout-seconds 7",
		"ps:set blog restart-policy always", "--quiet storage:list blog", "storage:mount blog /srv/a:/a",
		"--quiet storage:list blog", "storage:mount blog /srv/d:/d:ro", "storage:mount blog " + entryOf("/srv/d") + " --container-dir /d --phase deploy --volume-readonly",
		"ps:scale --skip-deploy blog web=3 worker=1", "domains:set blog blog.example", "ports:set blog http:80:5000 https:443:5000", "ps:stop blog",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What was not captured is not taken for unset.
func TestWhatIsNotKnownIsSaid(t *testing.T) {
	for _, path := range []string{"root/blog/VHOST", "lib/config/blog/ENV", "lib/config/ps/blog/scale", "lib/config/ports/blog/map", "lib/config/nginx/blog/hsts", "root/blog/tls/server.crt", "lib/config/docker-options/blog/_default_.deploy"} {
		var list []app.File
		for _, file := range rich(t).All() {
			if file.Path == path {
				file = app.File{Path: path, Error: "permission denied"}
			}
			list = append(list, file)
		}
		f := app.NewFiles("0.38.27", []string{"blog"}, nil, list)
		text := must(Of(f).Write("shell", false, About{}))
		if !strings.Contains(text, "permission denied") && !strings.Contains(text, "was not captured") {
			t.Errorf("%s: not said:\n%s", path, text)
		}
	}
}
