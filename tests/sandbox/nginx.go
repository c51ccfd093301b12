package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/nginx"
)

// buildConfig plays proxy-build-config as the versions were seen to behave
// (docs/dokku-versions.md#what-each-way-to-it-does): what comes of a missing scale, a
// scale without web, and missing listener files, and that another app's broken file
// keeps everything from being loaded.
func (h Host) buildConfig(name string) error {
	v, dir := h.version(), h.path("home/dokku", name)
	conf := filepath.Join(dir, "nginx.conf")
	_, ipErr := os.Stat(filepath.Join(dir, "IP.web.1"))
	_, portErr := os.Stat(filepath.Join(dir, "PORT.web.1"))
	listens := ipErr == nil && portErr == nil
	if h.proxyDisabled(name) {
		return remove(conf)
	}
	if !listens && !app.Before(v, "0.29.0") && app.Before(v, "0.38.0") {
		return remove(conf)
	}
	if !app.Before(v, "0.38.0") {
		// Without the first, whatever others there are; and none is refreshed.
		any, err := filepath.Glob(filepath.Join(dir, "IP.web.*"))
		if err != nil {
			return err
		}
		if !listens && len(any) > 0 {
			return h.writeConfig(name, h.scale(name), true)
		}
	}
	scale := h.scale(name)
	if scale.Empty() && !app.ScaleInFile(v) {
		return errors.New("invalid scale output stored by dokku: ")
	}
	if err := h.refreshAddresses(name); err != nil {
		return err
	}
	return h.writeConfig(name, scale, listens)
}

// proxyDisabled is proxy:disable, where each version keeps it.
func (h Host) proxyDisabled(name string) bool {
	if !app.Before(h.version(), "0.38.0") {
		b, _ := os.ReadFile(h.path("var/lib/dokku/config/proxy", name, "disabled"))
		return string(b) == "true"
	}
	env, _ := h.readEnv(name)
	return env["DOKKU_DISABLE_PROXY"] != ""
}

// writeConfig is what builds a configuration directly, without a look at the
// scale's being there: domains:add and its like.
func (h Host) writeConfig(name string, scale *app.Scale, listens bool) error {
	web := slices.ContainsFunc(scale.Processes, func(p app.Process) bool { return p.Type == "web" })
	text, err := h.render(name, web && listens)
	if err != nil {
		return err
	}
	if err := os.WriteFile(h.path("home/dokku", name, "nginx.conf"), []byte(text), 0o644); err != nil {
		return err
	}
	// By sudo, as Dokku does: it may be a real one (tests/nginx).
	if out, err := exec.Command("sudo", "-n", "/usr/sbin/nginx", "-t").CombinedOutput(); err != nil {
		return errors.New(strings.TrimSpace(string(out)))
	}
	return exec.Command("sudo", "-n", "/usr/bin/systemctl", "reload", "nginx").Run()
}

func (h Host) addDomain(name, domain string) error {
	vhost := h.path("home/dokku", name, "VHOST")
	b, err := os.ReadFile(vhost)
	if err != nil {
		return err
	}
	if err := os.WriteFile(vhost, []byte(string(b)+domain+"\n"), 0o644); err != nil {
		return err
	}
	_, err = os.Stat(h.path("home/dokku", name, "IP.web.1"))
	if err := h.writeConfig(name, h.scale(name), err == nil); err != nil {
		return err
	}
	return h.plugn([]string{"trigger", "post-domains-update", name, "add", domain})
}

// refreshAddresses plays network-build-config: the address of each running
// container that is recorded, and nothing else.
func (h Host) refreshAddresses(name string) error {
	files, err := filepath.Glob(h.path("home/dokku", name, "CONTAINER.*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		id, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		out, err := exec.Command("docker", "inspect", "--format", "{{json .}}", strings.TrimSpace(string(id))).Output()
		var c inspected
		if err != nil || json.Unmarshal(out, &c) != nil || !c.State.Running {
			continue
		}
		for _, n := range c.Net.Networks {
			if err := os.WriteFile(strings.Replace(f, "CONTAINER.", "IP.", 1), []byte(n.IPAddress), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// render is an app's configuration with the parts of Dokku's that matter here.
func (h Host) render(name string, listeners bool) (string, error) {
	files := app.NewFiles(h.version(), []string{name}, nil, nil)
	for logical, path := range map[string]string{
		"root/" + name + "/ENV":             h.path("home/dokku", name, "ENV"),
		"root/" + name + "/VHOST":           h.path("home/dokku", name, "VHOST"),
		"lib/config/ports/" + name + "/map": h.path("var/lib/dokku/config/ports", name, "map"),
	} {
		if b, err := os.ReadFile(path); err == nil {
			files.AddFact(logical, b)
		}
	}
	s := app.Read(files).Apps[name]
	ports := s.Ports.Map
	if len(ports) == 0 {
		ports = []string{"http:80:5000"}
	}
	_, tlsErr := os.Stat(h.path("home/dokku", name, "tls/server.crt"))
	ips, err := filepath.Glob(h.path("home/dokku", name, "IP.web.*"))
	if err != nil {
		return "", err
	}
	var out strings.Builder
	upstreams := map[string]bool{}
	for _, m := range ports {
		parts := strings.Split(m, ":")
		if parts[0] == "https" && tlsErr != nil {
			continue
		}
		tls := ""
		if parts[0] == "https" {
			tls = " ssl"
		}
		fmt.Fprintf(&out, "server {\n  listen [::]:%s%s;\n  listen %s%s;\n", parts[1], tls, parts[1], tls)
		if len(s.Domains.Names) > 0 {
			fmt.Fprintf(&out, "  server_name %s;\n", strings.Join(s.Domains.Names, " "))
		}
		redirects := tlsErr == nil && parts[0] == "http" && parts[1] == "80"
		out.WriteString(h.setByTemplate(name, tls != "", redirects))
		if tls != "" {
			fmt.Fprintf(&out, "  ssl_certificate %[1]s/server.crt;\n  ssl_certificate_key %[1]s/server.key;\n", h.path("home/dokku", name, "tls"))
		}
		switch {
		case listeners || app.Before(h.version(), "0.38.0"):
			fmt.Fprintf(&out, "  location / {\n    proxy_pass http://%s-%s;\n  }\n", name, parts[2])
		default:
			out.WriteString("  location / {\n    return 502;\n  }\n")
		}
		fmt.Fprintf(&out, "  include %s/nginx.conf.d/*.conf;\n}\n", h.path("home/dokku", name))
		upstreams[parts[2]] = listeners
	}
	for port, on := range upstreams {
		if !on {
			continue
		}
		fmt.Fprintf(&out, "upstream %s-%s {\n", name, port)
		for _, f := range ips {
			ip, err := os.ReadFile(f)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&out, "  server %s:%s;\n", ip, port)
		}
		out.WriteString("}\n")
	}
	return out.String(), nil
}

// setByTemplate are the directives that Dokku's template sets in a server of http or
// https, and that nginx takes once (its templates of 0.20.4 to 0.38.27).
func (h Host) setByTemplate(name string, https, redirects bool) string {
	v := h.version()
	property := func(key, byDefault string) string {
		if b, err := os.ReadFile(h.path("var/lib/dokku/config/nginx", name, key)); err == nil && len(b) > 0 {
			return strings.TrimSpace(string(b))
		}
		return byDefault
	}
	var out strings.Builder
	set := func(directive, value string) {
		if value != "" {
			fmt.Fprintf(&out, "  %s %s;\n", directive, value)
		}
	}
	switch {
	case redirects:
	case !app.Before(v, "0.33.4"):
		set("client_max_body_size", property("client-max-body-size", "1m"))
	case !app.Before(v, "0.23.0"):
		set("client_max_body_size", property("client-max-body-size", ""))
	}
	if !app.Before(v, "0.33.8") {
		set("underscores_in_headers", property("underscore-in-headers", "off"))
	}
	if app.Before(v, "0.35.6") {
		if https {
			set("keepalive_timeout", "70")
		}
		return out.String()
	}
	for _, timeout := range [][2]string{{"client-body", "60s"}, {"client-header", "60s"}, {"keepalive", "75s"}, {"lingering", "5s"}, {"send", "60s"}} {
		set(strings.ReplaceAll(timeout[0], "-", "_")+"_timeout", property(timeout[0]+"-timeout", timeout[1]))
	}
	return out.String()
}

// duplicateIn is what nginx -t says of a directive that stands twice in a server, its
// snippets included.
func duplicateIn(server nginx.Directive, file string, snippets map[string][]nginx.Directive) string {
	once := []string{"client_max_body_size", "underscores_in_headers", "client_body_timeout", "client_header_timeout", "keepalive_timeout", "lingering_timeout", "send_timeout"}
	seen := map[string]bool{}
	check := func(list []nginx.Directive, file string) string {
		for _, d := range list {
			if slices.Contains(once, d.Name) && seen[d.Name] {
				return fmt.Sprintf("nginx: [emerg] %q directive is duplicate in %s:%d", d.Name, file, d.Line)
			}
			seen[d.Name] = true
		}
		return ""
	}
	for _, d := range server.Block {
		complaint := check([]nginx.Directive{d}, file)
		if d.Name == "include" && len(d.Args) == 1 {
			matches, _ := filepath.Glob(d.Args[0])
			for _, f := range matches {
				if complaint == "" {
					complaint = check(snippets[f], f)
				}
			}
		}
		if complaint != "" {
			return complaint
		}
	}
	return ""
}

// nginxComplaint is what nginx -t would say first: of a file that is not its grammar, of
// an upstream that is not there, of a certificate that is not, of a directive that stands
// twice.
func (h Host) nginxComplaint() string {
	confs, _ := filepath.Glob(h.path("home/dokku/*/nginx.conf"))
	var snippets []string
	for _, f := range confs {
		if b, _ := os.ReadFile(f); strings.Contains(string(b), "/nginx.conf.d/*.conf;") {
			more, _ := filepath.Glob(filepath.Join(filepath.Dir(f), "nginx.conf.d/*.conf"))
			snippets = append(snippets, more...)
		}
	}
	upstreams := map[string]bool{}
	parsed := map[string][]nginx.Directive{}
	for _, f := range append(slices.Clone(confs), snippets...) {
		b, err := os.ReadFile(f)
		if err != nil {
			return fmt.Sprintf("nginx: [emerg] open() %q failed in %s:1", f, f)
		}
		list, err := nginx.Parse(string(b))
		if err != nil {
			return fmt.Sprintf("nginx: [emerg] unexpected end of file, expecting \"}\" in %s:1", f)
		}
		parsed[f] = list
		for _, d := range list {
			if d.Name == "upstream" && len(d.Args) == 1 {
				upstreams[d.Args[0]] = true
			}
		}
	}
	for _, f := range append(slices.Clone(confs), snippets...) {
		if complaint := complaintIn(h.Dir, f, parsed[f], upstreams); complaint != "" {
			return complaint
		}
	}
	for _, f := range confs {
		for _, d := range parsed[f] {
			if complaint := duplicateIn(d, f, parsed); d.Name == "server" && complaint != "" {
				return complaint
			}
		}
	}
	return ""
}

// complaintIn knows of the certificates below dir alone: what a recorded configuration
// names is on the host that was recorded.
func complaintIn(dir, file string, list []nginx.Directive, upstreams map[string]bool) string {
	for _, d := range list {
		if len(d.Args) == 1 {
			switch d.Name {
			case "proxy_pass", "grpc_pass":
				if _, name, ok := strings.Cut(d.Args[0], "://"); ok && !upstreams[name] && !strings.ContainsAny(name, ".:$") {
					return fmt.Sprintf("nginx: [emerg] host not found in upstream %q in %s:%d", name, file, d.Line)
				}
			case "ssl_certificate", "ssl_certificate_key":
				if _, err := os.Stat(d.Args[0]); err != nil && strings.HasPrefix(d.Args[0], dir+"/") {
					return fmt.Sprintf("nginx: [emerg] cannot load certificate %q: BIO_new_file() failed", d.Args[0])
				}
			case "client_max_body_size":
				if strings.Trim(d.Args[0], "0123456789kKmMgG") != "" {
					return fmt.Sprintf("nginx: [emerg] %q directive invalid value in %s:%d", d.Name, file, d.Line)
				}
			case "no_such_directive":
				return fmt.Sprintf("nginx: [emerg] unknown directive %q in %s:%d", d.Name, file, d.Line)
			}
		}
		if complaint := complaintIn(dir, file, d.Block, upstreams); complaint != "" {
			return complaint
		}
	}
	return ""
}

// sudo plays what Dokku's installation lets its user do: nginx -t, and a reload.
func (h Host) sudo(args []string) error {
	switch strings.Join(args, " ") {
	case "-n -l":
		fmt.Println("User dokku may run the following commands on sandbox:")
		fmt.Println("    (ALL) NOPASSWD: /usr/bin/systemctl reload nginx, /usr/bin/systemctl start nginx, /usr/sbin/nginx -t, /usr/sbin/nginx -t -c *")
		return nil
	case "-n /usr/sbin/nginx -t":
		if complaint := h.nginxComplaint(); complaint != "" {
			fmt.Fprintln(os.Stderr, complaint)
			return errors.New("nginx: configuration file /etc/nginx/nginx.conf test failed")
		}
		return nil
	case "-n /usr/bin/systemctl reload nginx":
		return h.reloaded()
	}
	return errors.New("a password is required")
}

// reloaded counts a reload.
func (h Host) reloaded() error {
	f, err := os.OpenFile(h.path("reloads"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("reload\n")
	return err
}
