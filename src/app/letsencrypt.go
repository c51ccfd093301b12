package app

import (
	"slices"
	"strings"

	"upgrade-guard/src/host"
)

// Letsencrypt are the settings of the letsencrypt plugin for one app, or for
// the host. Whether an app is active is no setting: the plugin works it out
// from the files (LETSENCRYPT 3).
type Letsencrypt struct {
	// Env and Properties are the settings in either place: variables of the
	// environment up to plugin 0.19, properties from 0.20 on. Keys are the
	// property names. Values that may be secrets (credentials of a DNS
	// provider, extra arguments) are fingerprints.
	Env        map[string]string `json:"env,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
	// AutoRenew says by what renewals are asked for: "crontab" up to plugin
	// 0.9, "marker" from 0.10, "marker-global" from 0.25; "" when by nothing.
	// Host only.
	AutoRenew string `json:"auto_renew,omitempty"`
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
		if !slices.Contains([]string{"email", "graceperiod", "server", "dns-provider"}, key) {
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
		l.AutoRenew = autoRenew(f)
	}
	return l
}

func autoRenew(f *Files) string {
	if _, ok := f.Get("lib/data/letsencrypt/--global/autorenew"); ok {
		return "marker-global"
	}
	if _, ok := f.Get("lib/data/letsencrypt/autorenew"); ok {
		return "marker"
	}
	for _, l := range f.Lines(cronFacts) {
		if !strings.HasPrefix(l, "#") && (strings.Contains(l, "letsencrypt/cron-job") || strings.Contains(l, "letsencrypt:auto-renew")) {
			return "crontab"
		}
	}
	return ""
}
