package recipe

import (
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// keys are the properties that a command of Dokku 0.38 sets, by namespace: those of an app
// and of the host, of an app alone, and of the host alone
// (docs/dokku-versions.md#what-a-command-sets).
type keys struct{ both, app, host string }

var served = "access-log-format access-log-path bind-address-ipv4 bind-address-ipv6 client-body-timeout client-header-timeout client-max-body-size error-log-path " +
	"hsts hsts-include-subdomains hsts-max-age hsts-preload keepalive-timeout lingering-timeout proxy-buffer-size proxy-buffering proxy-buffers proxy-busy-buffers-size " +
	"proxy-connect-timeout proxy-read-timeout proxy-send-timeout send-timeout underscore-in-headers x-forwarded-for-value x-forwarded-port-value x-forwarded-proto-value x-forwarded-ssl"

var settable = map[string]keys{
	"app-json":               {both: "appjson-path"},
	"apps":                   {host: "disable-autocreation"},
	"builder":                {both: "build-dir selected skip-cleanup"},
	"builder-dockerfile":     {both: "dockerfile-path"},
	"builder-herokuish":      {both: "allowed"},
	"builder-lambda":         {both: "lambdayml-path"},
	"builder-nixpacks":       {both: "nixpackstoml-path"},
	"builder-pack":           {both: "projecttoml-path"},
	"builder-railpack":       {both: "railpackjson-path"},
	"buildpacks":             {both: "stack"},
	"builds":                 {both: "retention"},
	"caddy":                  {both: "tls-internal", host: "image letsencrypt-email letsencrypt-server log-level polling-interval"},
	"checks":                 {both: "wait-to-retire"},
	"cron":                   {both: "maintenance", host: "mailfrom mailto"},
	"git":                    {both: "deploy-branch keep-git-dir", app: "rev-env-var", host: "archive-max-files archive-max-size"},
	"haproxy":                {host: "image letsencrypt-email letsencrypt-server log-level refresh-conf"},
	"letsencrypt":            {both: "dns-provider email graceperiod lego-args lego-docker-options server"},
	"logs":                   {both: "app-label-alias max-size vector-cron-sink vector-sink", host: "vector-image vector-networks"},
	"network":                {both: "attach-post-create attach-post-deploy bind-all-interfaces initial-network tld", app: "static-web-listener"},
	"nginx":                  {both: served + " disable-custom-config nginx-conf-sigil-path nginx-service-command proxy-keepalive"},
	"openresty":              {both: served, host: "allowed-letsencrypt-domains-func-base64 image letsencrypt-email letsencrypt-server log-level"},
	"proxy":                  {both: "proxy-port proxy-ssl-port type"},
	"ps":                     {both: "procfile-path restart-policy skip-deploy stop-timeout-seconds", app: "dockerfile-start-cmd start-cmd"},
	"registry":               {both: "image-repo-template push-extra-tags push-on-release server", app: "image-repo"},
	"scheduler":              {both: "selected shell"},
	"scheduler-docker-local": {both: "init-process parallel-schedule-count"},
	"scheduler-k3s": {both: "cert-issuer-kind cert-issuer-name deploy-timeout image-pull-secrets kustomize-root-path letsencrypt-server letsencrypt-email-prod letsencrypt-email-stag namespace rollback-on-failure shm-size",
		host: "ingress-class kube-context kubeconfig-path network-interface node-sysctls-image token"},
	"traefik": {host: "api-enabled api-entry-point api-entry-point-address api-vhost basic-auth-password basic-auth-username challenge-mode dashboard-enabled dns-provider http-entry-point " +
		"https-entry-point image letsencrypt-email letsencrypt-server log-level"},
}

// family is what begins alike, of names that people choose.
var family = pattern.Of(`^(cron/maintenance\.|letsencrypt/dns-provider-|traefik/dns-provider-)[A-Za-z0-9_.-]+$`)

// sets tells whether a command sets a property in a scope.
func sets(scope, namespace, key string) bool {
	k, global := settable[namespace], scope == host.GlobalScope
	list := k.both + " " + k.app
	if global {
		list = k.both + " " + k.host
	}
	return slices.Contains(strings.Fields(list), key) || family().MatchString(namespace+"/"+key) && (global || namespace != "traefik")
}

// properties has those of a scope: as they are, and those that were variables where they
// are none yet.
func (l *list) properties(scope string, moved map[string]string) {
	ours, found := 0, map[string]string{}
	for _, file := range l.propertyFiles[scope] {
		parts := strings.Split(file.Path, "/") // lib/config/namespace/scope/key
		name := parts[2] + "/" + parts[4]
		switch {
		case parts[2] == host.Plugin:
			ours++
		case parts[2] == "letsencrypt" && parts[4] != "ENV":
			if name == "letsencrypt/lego-docker-args" {
				name = "letsencrypt/lego-args"
			}
		case name == "git/source-image":
			l.sourceImage(scope, file)
			continue
		case !hazard.Restored(parts[2] + "/" + scope + "/" + parts[4]):
			continue
		}
		switch {
		case parts[2] == host.Plugin:
		case file.SHA256 == "":
			l.note(scope, "its property %s was not captured, and is not in here", shownName(name))
		default:
			found[name] = string(file.Data)
		}
	}
	for name, value := range moved {
		if _, is := found[name]; !is {
			found[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		l.property(scope, name, found[name])
	}
	l.resources(scope, found)
	if ours > 0 {
		l.note(scope, "upgrade-guard's own properties are not in here: see dokku upgrade-guard:set")
	}
}

func shownName(name string) string {
	if !sayable(name) || len(name) > 120 {
		return "of an odd name"
	}
	return name
}

// sourceImage names the image that an app is made of.
func (l *list) sourceImage(scope string, file app.File) {
	if text, ok := l.setting(scope, "git", "source-image", string(file.Data)); ok && text != "" {
		l.note(scope, "it is made of an image: %s", say.Command("dokku git:from-image", scope, text))
		return
	}
	l.note(scope, "it is made of an image: %s", say.Command("dokku git:from-image", scope)+" ...")
}

// memory are properties that are there without having been set.
var memory = pattern.Of(`^(apps/deploy-source.*|builder/detected|checks/(disabled|skipped)|proxy/disabled|ps/restore|buildpacks/buildpacks|network/web-listeners|storage/.*|resource/.*)$`)

// property has one, by the command that sets it.
func (l *list) property(scope, name, value string) {
	namespace, key, _ := strings.Cut(name, "/")
	value = strings.TrimRight(value, "\n")
	switch name {
	case "checks/disabled", "checks/skipped":
		l.checks(scope, key, value)
	case "proxy/disabled":
		if value == "true" {
			l.add(Item{Scope: scope, Kind: ProxyOff, Commands: [][]Text{words("proxy:disable", scope)}})
		}
	case "buildpacks/buildpacks":
		l.buildpacks(scope, value)
	}
	switch {
	case memory().MatchString(name), value == "" && name != "git/rev-env-var":
		return
	case namespace == "network" && slices.Contains([]string{"attach-post-create", "attach-post-deploy", "initial-network"}, key):
		l.network(scope, value)
	}
	if namespace == "letsencrypt" && !l.letsencrypt() {
		l.note(scope, "its property %s is of a plugin that is not there, and is not in here", shownName(name))
		return
	}
	if !sets(scope, namespace, key) || app.IsK3sMap("lib/config/"+namespace+"/"+scope+"/"+key) {
		l.note(scope, "its property %s is set by no command of Dokku %s that this release knows, and is not in here", shownName(name), Target)
		return
	}
	if strings.Contains(value, "\x00") || len(value) > longestWord {
		l.note(scope, "its property %s is longer than a command takes, or no text, and is not in here", name)
		return
	}
	v, plain := l.setting(scope, namespace, key, value)
	text := Text{Plain: v}
	if !plain && value != "" {
		text = l.secret(value, scope, namespace, key)
	}
	command := namespace + ":set"
	if namespace == "buildpacks" {
		command = "buildpacks:set-property"
	}
	flag := "--" + strings.Replace(namespace, "apps", "app", 1) + "-"
	if scope == host.GlobalScope {
		flag += "global-"
	}
	l.add(Item{Scope: scope, Kind: Property, Of: namespace, Name: key, Values: []Text{text},
		Commands: [][]Text{append(words(command, scope, key), text)}, Shows: words("--quiet", namespace+":report", scope, flag+key)})
}

// setting is a value that may be shown, whole, by the rule of show and diff.
func (l *list) setting(scope, namespace, key, value string) (string, bool) {
	text, ok := hazard.Setting(namespace+"/"+scope+"/"+key, []byte(value))
	if namespace == "letsencrypt" && app.PlainSetting(key) {
		text, ok = value, plainWord().MatchString(value) && say.Redact(value) == value
	}
	return text, ok && text == value
}

var networkName = pattern.Of(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)

// network has the networks that a scope is to be in.
func (l *list) network(scope, value string) {
	for _, name := range strings.Split(value, ",") {
		name = strings.TrimSpace(name)
		if !networkName().MatchString(name) || slices.Contains([]string{"bridge", "host", "none", "default"}, name) {
			continue
		}
		if l.networks == nil {
			l.networks = map[string][]string{}
		}
		if !slices.Contains(l.networks[name], scope) {
			l.networks[name] = append(l.networks[name], scope)
		}
	}
}

var processTypes = pattern.Of(`^[A-Za-z0-9_-]+(,[A-Za-z0-9_-]+)*$`)

func (l *list) checks(scope, what, value string) {
	kind, command := ChecksOff, "checks:disable"
	if what == "skipped" {
		kind, command = ChecksSkipped, "checks:skip"
	}
	switch {
	case value == "" || value == "none":
	case value == "_all_":
		l.add(Item{Scope: scope, Kind: kind, Commands: [][]Text{words(command, scope)}, Shows: words("--quiet", "checks:report", scope, "--checks-"+what+"-list"), Values: words(value)})
	case processTypes().MatchString(value):
		l.add(Item{Scope: scope, Kind: kind, Name: value, Commands: [][]Text{words(command, scope, value)}, Shows: words("--quiet", "checks:report", scope, "--checks-"+what+"-list"), Values: words(value)})
	default:
		l.note(scope, "what its checks are %s for is no list of process types, and not in here", what)
	}
}

// buildpacks are URLs, which may have a token in them.
func (l *list) buildpacks(scope, value string) {
	i := Item{Scope: scope, Kind: Buildpacks, Commands: [][]Text{words("buildpacks:clear", scope)}}
	for _, url := range strings.Fields(value) {
		text, plain := l.setting(scope, "buildpacks", "buildpacks", url)
		v := Text{Plain: text}
		if !plain {
			v = l.secret(url, scope, "buildpack")
		}
		i.Values = append(i.Values, v)
		i.Commands = append(i.Commands, append(words("buildpacks:add", scope), v))
	}
	if len(i.Values) > 0 {
		l.add(i)
	}
}

var resourceKey = pattern.Of(`^(.+)\.(limit|reserve)\.(cpu|memory|memory-swap|network|network-ingress|network-egress|nvidia-gpu)$`)

// resources are the limits and reservations, by process type.
func (l *list) resources(scope string, found map[string]string) {
	at := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		value := strings.TrimRight(found[name], "\n")
		if !strings.HasPrefix(name, "resource/") || value == "" {
			continue
		}
		m := resourceKey().FindStringSubmatch(strings.TrimPrefix(name, "resource/"))
		if m == nil || !processName().MatchString(m[1]) || !plainWord().MatchString(value) {
			l.note(scope, "its property %s is none that a command sets, and is not in here", shownName(name))
			continue
		}
		kind, command := Limits, words("resource:limit")
		if m[2] == "reserve" {
			kind, command = Reservations, words("resource:reserve")
		}
		n, there := at[m[1]+m[2]]
		if !there {
			process := strings.TrimSuffix(m[1], defaultProcess)
			if process != "" {
				command = append(command, words("--process-type", process)...)
			}
			n = len(l.Items)
			at[m[1]+m[2]] = n
			l.add(Item{Scope: scope, Kind: kind, Of: process, Commands: [][]Text{append(command, words(scope)...)}})
		}
		i := &l.Items[n]
		i.Values = append(i.Values, Text{Plain: m[3] + "=" + value})
		c := i.Commands[0]
		i.Commands[0] = slices.Concat(c[:len(c)-1], words("--"+m[3], value), c[len(c)-1:])
	}
}
