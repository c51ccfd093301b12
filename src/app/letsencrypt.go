package app

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"upgrade-guard/src/host"
)

// Letsencrypt is what the letsencrypt plugin has of one app, or of the host.
type Letsencrypt struct {
	// Env and Properties are the settings in either place: variables of the
	// environment up to plugin 0.19, properties from 0.20 on. Keys are the
	// property names. Values that may be secrets (credentials of a DNS
	// provider, extra arguments) or are somebody's address are fingerprints.
	Env        map[string]string `json:"env,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`

	// Active tells that the plugin counts the app among those whose certificate
	// it renews. Directory is the one below letsencrypt/certs that the link
	// current names, and RenewsAt is from when on a renewal is due.
	Active    bool      `json:"active,omitempty"`
	Directory string    `json:"directory,omitempty"`
	RenewsAt  time.Time `json:"renews_at,omitzero"`

	// Plugin, AutoRenew and Scheduled are the host's. AutoRenew says by what
	// renewals are asked for: "crontab" up to plugin 0.9, "marker" from 0.10,
	// "marker-global" from 0.25; "" when by nothing. Scheduled tells that they
	// stand in the Dokku user's crontab.
	Plugin    LetsencryptPlugin `json:"plugin,omitzero"`
	AutoRenew string            `json:"auto_renew,omitempty"`
	Scheduled bool              `json:"scheduled,omitempty"`
}

// letsencryptVariables are the environment's names, and the properties that
// took over from them. What took over from ARGS has changed its name since.
var letsencryptVariables = map[string]string{
	"DOKKU_LETSENCRYPT_EMAIL":       "email",
	"DOKKU_LETSENCRYPT_GRACEPERIOD": "graceperiod",
	"DOKKU_LETSENCRYPT_SERVER":      "server",
	"DOKKU_LETSENCRYPT_ARGS":        "lego-args",
}

func readLetsencrypt(f *Files, scope string, e env) Letsencrypt {
	l := Letsencrypt{}
	set := func(m *map[string]string, key, value string) {
		if *m == nil {
			*m = map[string]string{}
		}
		if value = strings.TrimSpace(value); !PlainSetting(key) {
			value = Fingerprint(value)
		}
		(*m)[key] = value
	}
	for variable, key := range letsencryptVariables {
		if v, ok := e.values[variable]; ok {
			set(&l.Env, key, v)
		}
	}
	dir := "lib/config/letsencrypt/" + scope + "/"
	for _, file := range f.Under(dir) {
		// An app that is called letsencrypt has its ENV in this namespace.
		if key := strings.TrimPrefix(file.Path, dir); key != "ENV" && file.Error == "" {
			set(&l.Properties, key, string(file.Data))
		}
	}
	if scope == host.GlobalScope {
		l.Plugin = f.LetsencryptPlugin()
		l.AutoRenew, l.Scheduled = autoRenew(f)
	}
	return l
}

// PlainSetting tells the settings that are kept, and may be shown, as they are.
func PlainSetting(key string) bool {
	return key == "graceperiod" || key == "server" || key == "dns-provider"
}

func autoRenew(f *Files) (by string, scheduled bool) {
	for _, l := range f.Lines(cronFacts) {
		scheduled = scheduled || IsRenewal(l)
	}
	switch {
	case has(f, "lib/data/letsencrypt/--global/autorenew"):
		by = "marker-global"
	case has(f, "lib/data/letsencrypt/autorenew"):
		by = "marker"
	case scheduled:
		by = "crontab"
	}
	return by, scheduled
}

// IsRenewal tells whether a line of the crontab runs the plugin's renewals: of
// its own making up to 0.9 and on a core that does not ask it, or of core's.
func IsRenewal(line string) bool {
	return !strings.HasPrefix(line, "#") && (strings.Contains(line, "letsencrypt/cron-job") || strings.Contains(line, "letsencrypt:auto-renew"))
}

func has(f *Files, path string) bool {
	_, ok := f.Get(path)
	return ok
}

// readActive finds out what the plugin makes of an app's files, by the rule of
// 0.11.8 and later: what nginx serves is, byte for byte, the certificate of the
// app's first domain below letsencrypt/certs/current. Nothing of it is stored, so
// there is nothing to be restored but these files. The installed plugin is not
// asked: 0.11.5 to 0.11.7 and others are wrong about it (docs/letsencrypt.md#active).
func (l *Letsencrypt) readActive(f *Files, app string, domains Domains, certificate *Certificate, global Letsencrypt) {
	l.Directory = f.letsencryptCurrent(app)
	served, ok := f.Served(app)
	if _, key := f.TLS(app, "server.key"); !ok || !key || l.Directory == "" {
		return
	}
	if own, ok := f.Get("root/" + app + "/tls/server.letsencrypt.crt"); ok {
		served = own
	}
	issued, ok := f.IssuedIn(app, l.Directory, domains)
	if l.Active = ok && issued.SHA256 == served.SHA256; l.Active && certificate != nil {
		l.RenewsAt = certificate.NotAfter.Add(-l.grace(global))
	}
}

// letsencryptCurrent is the directory that an app's letsencrypt/certs/current
// names, "current" where it is a directory itself, and "" where there is none or
// it points out of the app: into the app's former directory, after a rename.
func (f *Files) letsencryptCurrent(app string) string {
	certs := "/" + app + "/letsencrypt/certs/"
	current, ok := f.Get("root" + certs + "current")
	if !ok {
		if len(f.Under("root"+certs+"current/")) > 0 {
			return "current"
		}
		return ""
	}
	if path.IsAbs(current.Link) && !strings.HasSuffix(path.Dir(current.Link)+"/", certs) {
		return ""
	}
	name := path.Base(current.Link)
	if current.Link == "" || len(f.Under("root"+certs+name+"/")) == 0 {
		return ""
	}
	return name
}

// Served is the certificate that nginx reads for an app. The plugin up to v0.8.2
// made it a link to its own file.
func (f *Files) Served(app string) (File, bool) {
	file, ok := f.TLS(app, "server.crt")
	if strings.HasSuffix(file.Link, "/"+app+"/letsencrypt/certs/current/fullchain.pem") {
		return f.Get("root/" + app + "/letsencrypt/certs/" + f.letsencryptCurrent(app) + "/fullchain.pem")
	}
	return file, ok
}

// certificateFile is what the files of an app's certificate are called, without
// their ending: by its first domain.
func certificateFile(d Domains, plugin LetsencryptPlugin) string {
	domains := d.Effective()
	for len(domains) > 0 && domains[0] == "_" && !plugin.IsBefore("0.25.0") {
		domains = domains[1:]
	}
	if len(domains) == 0 {
		return ""
	}
	if plugin.IsBefore("0.20.1") {
		return domains[0]
	}
	return strings.Replace(domains[0], "*", "_", 1)
}

// letsencryptDomains are those a certificate is ordered for. 0.25.0 leaves out
// the name of nginx's default server.
func letsencryptDomains(d Domains, plugin LetsencryptPlugin) []string {
	if plugin.IsBefore("0.25.0") {
		return d.Effective()
	}
	return slices.DeleteFunc(slices.Clone(d.Effective()), func(name string) bool { return name == "_" })
}

// grace is how long before a certificate's end it is renewed. Up to plugin 0.19
// the host's setting won over the app's.
func (l Letsencrypt) grace(global Letsencrypt) time.Duration {
	places := []map[string]string{l.Properties, global.Properties}
	if global.Plugin.IsBefore("0.20.0") {
		places = []map[string]string{global.Env, l.Env}
	}
	for _, settings := range places {
		if n, err := strconv.Atoi(strings.TrimSpace(settings["graceperiod"])); err == nil {
			return time.Duration(n) * time.Second
		}
	}
	return 30 * 24 * time.Hour
}
