package app

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/host"
)

// Setting is a letsencrypt setting that stands in the environment, and the
// property that the installed plugin reads instead. Its value may be a secret:
// it is written into the property's file and goes nowhere else.
type Setting struct {
	Variable string
	Property string
	Value    string
}

// LetsencryptSettings are the settings that stand in an app's environment, or in
// the host's, where the installed plugin reads properties (0.20 and later).
func (f *Files) LetsencryptSettings(scope string) []Setting {
	plugin := f.LetsencryptPlugin()
	if !plugin.Is("0.20.0") {
		return nil
	}
	return f.LetsencryptVariables(scope, plugin)
}

// LetsencryptVariables are the settings in an environment, in a fixed order, with
// the properties of some release of the plugin. Up to 0.23 the one for the extra
// arguments is lego-docker-args.
func (f *Files) LetsencryptVariables(scope string, plugin LetsencryptPlugin) []Setting {
	values := readEnv(f, scope).values
	var found []Setting
	for _, variable := range slices.Sorted(maps.Keys(letsencryptVariables)) {
		s := Setting{variable, letsencryptVariables[variable], values[variable]}
		if s.Property == "lego-args" && plugin.IsBefore("0.24.0") {
			s.Property = "lego-docker-args"
		}
		if s.Value != "" {
			found = append(found, s)
		}
	}
	return found
}

// LetsencryptDirectory is the directory in which the installed plugin looks for
// an app's certificate: its name is a hash over everything that is ordered by.
type LetsencryptDirectory struct {
	Name string
	// Files are those that the plugin writes beside the certificate before it
	// orders, by name. They may hold secrets.
	Files map[string][]byte
}

// LetsencryptDirectory works out where the plugin looks for an app's certificate.
// It matters, and is known, where a certificate that lies there is not ordered
// again: up to 0.10 and from 0.25 on. In between, every letsencrypt:enable is an
// order (docs/letsencrypt.md#orders).
func (f *Files) LetsencryptDirectory(app string) (d LetsencryptDirectory, ok bool) {
	plugin := f.LetsencryptPlugin()
	domains := letsencryptDomains(readDomains(f, app, readEnv(f, app)), plugin)
	if plugin.From == "" || len(domains) == 0 {
		return d, false
	}
	setting := func(key string) string { return f.letsencryptSetting(app, key) }
	var hashed string
	switch {
	case plugin.Is("0.25.0"):
		challenge := "--http --http.webroot /webroot"
		// none is how an app refuses the host's provider.
		if p := setting("dns-provider"); p != "" && p != "none" {
			challenge = "--dns " + p
		}
		config := fmt.Sprintf("%s --pem --accept-tos --cert.timeout 30 --path /certs --server %s --email %s %s %s", challenge,
			acmeServer(setting("server")), setting("email"), setting("lego-args"), arguments("--domains", domains))
		options := setting("lego-docker-options")
		hashed = config + " " + options
		d.Files = map[string][]byte{"config": []byte(config + "\n"), "docker_options": []byte(options + "\n")}
	case plugin.IsBefore("0.11.0"):
		values := maps.Clone(readEnv(f, host.GlobalScope).values)
		if values == nil {
			values = map[string]string{}
		}
		maps.Copy(values, readEnv(f, app).values)
		hashed = fmt.Sprintf("--server %s --email %s %s", acmeServer(values["DOKKU_LETSENCRYPT_SERVER"]), values["DOKKU_LETSENCRYPT_EMAIL"], arguments("-d", domains))
		d.Files = map[string][]byte{"config": []byte(hashed + "\n")}
	default:
		return d, false
	}
	sum := sha1.Sum([]byte(hashed + "\n"))
	d.Name = hex.EncodeToString(sum[:])
	return d, true
}

// letsencryptSetting is a setting of an app as the plugin reads it from 0.20 on, or
// will when what is left in the environment and under an old name has been moved.
func (f *Files) letsencryptSetting(app, key string) string {
	for _, scope := range []string{app, host.GlobalScope} {
		names := []string{key}
		if key == "lego-args" {
			names = append(names, "lego-docker-args")
		}
		for _, name := range names {
			if v := strings.TrimRight(text(f, "lib/config/letsencrypt/"+scope+"/"+name), "\n"); v != "" {
				return v
			}
		}
		for variable, property := range letsencryptVariables {
			if property != key {
				continue
			}
			if v, _ := f.Variable(scope, variable); v != "" {
				return v
			}
		}
	}
	return ""
}

// arguments are the domains as the plugin puts them together, with a blank
// before each.
func arguments(flag string, domains []string) string {
	var b strings.Builder
	for _, d := range domains {
		b.WriteString(" " + flag + " " + d)
	}
	return b.String()
}

func acmeServer(name string) string {
	switch name {
	case "", "default":
		return "https://acme-v02.api.letsencrypt.org/directory"
	case "staging":
		return "https://acme-staging-v02.api.letsencrypt.org/directory"
	}
	return name
}

// Issued are the files of a directory below an app's letsencrypt/certs, by their
// path in it.
func (f *Files) Issued(app, directory string) map[string]File {
	prefix := "root/" + app + "/letsencrypt/certs/" + directory + "/"
	issued := map[string]File{}
	for _, file := range f.Under(prefix) {
		issued[strings.TrimPrefix(file.Path, prefix)] = file
	}
	return issued
}

// IssuedDirectories are the directories below an app's letsencrypt/certs.
func (f *Files) IssuedDirectories(app string) []string {
	prefix := "root/" + app + "/letsencrypt/certs/"
	var names []string
	for _, file := range f.Under(prefix) {
		if name, _, ok := strings.Cut(strings.TrimPrefix(file.Path, prefix), "/"); ok {
			names = append(names, name)
		}
	}
	return slices.Compact(names)
}

// IssuedIn is the certificate that the plugin finds in such a directory for an
// app with these domains.
func (f *Files) IssuedIn(app, directory string, domains Domains) (File, bool) {
	dir := "root/" + app + "/letsencrypt/certs/" + directory + "/"
	name := dir + "certificates/" + certificateFile(domains, f.LetsencryptPlugin())
	issued, ok := f.Get(name + ".crt")
	if !has(f, name+".pem") { // up to 0.10 the plugin had another client
		issued, ok = f.Get(dir + "fullchain.pem")
	}
	issued = issued.held()
	return issued, ok && issued.SHA256 != ""
}

// SameOrder tells whether two of the plugin's config files order the same
// certificate: from the same server, for the same account and domains. What else
// is in them has changed from release to release.
func SameOrder(a, b []byte) bool {
	return slices.Equal(orderOf(a), orderOf(b))
}

// orderOf are the arguments in a config file that say what is ordered.
func orderOf(config []byte) []string {
	var order []string
	words := strings.Fields(string(config))
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "--pem", "--http", "--accept-tos":
		case "--http.port", "--http.webroot", "--cert.timeout", "--path":
			i++
		case "-d":
			order = append(order, "--domains")
		default:
			order = append(order, words[i])
		}
	}
	return order
}
