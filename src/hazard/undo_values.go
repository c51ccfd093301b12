package hazard

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// becameProperty is a variable that 0.38 has moved into a property.
type becameProperty struct {
	variable, namespace, property string
	onlyGlobal, onlyApp           bool
	back                          func(string) string // nil: as it is
}

func (v becameProperty) path(scope string) string {
	return "lib/config/" + v.namespace + "/" + scope + "/" + v.property
}

func exactly(want, value string) func(string) string {
	return func(property string) string {
		if property == want {
			return value
		}
		return ""
	}
}

// As 0.38.27's installation moves them, the other way round.
var becameProperties = []becameProperty{
	{variable: "DOKKU_APP_PROXY_TYPE", namespace: "proxy", property: "type", onlyApp: true},
	{variable: "DOKKU_PROXY_TYPE", namespace: "proxy", property: "type", onlyGlobal: true},
	{variable: "DOKKU_DISABLE_PROXY", namespace: "proxy", property: "disabled", onlyApp: true, back: exactly("true", "1")},
	{variable: "DOKKU_PROXY_PORT", namespace: "proxy", property: "proxy-port"},
	{variable: "DOKKU_PROXY_SSL_PORT", namespace: "proxy", property: "proxy-ssl-port"},
	{variable: "DOKKU_APP_RESTORE", namespace: "ps", property: "restore", onlyApp: true, back: exactly("false", "0")},
	{variable: "DOKKU_SKIP_DEPLOY", namespace: "ps", property: "skip-deploy"},
	{variable: "DOKKU_START_CMD", namespace: "ps", property: "start-cmd", onlyApp: true},
	{variable: "DOKKU_DOCKERFILE_START_CMD", namespace: "ps", property: "dockerfile-start-cmd", onlyApp: true},
	{variable: "DOKKU_DOCKER_STOP_TIMEOUT", namespace: "ps", property: "stop-timeout-seconds", onlyApp: true},
	{variable: "DOKKU_APP_TYPE", namespace: "builder", property: "detected", onlyApp: true},
	{variable: "DOKKU_SKIP_CLEANUP", namespace: "builder", property: "skip-cleanup"},
	{variable: "DOKKU_APP_SHELL", namespace: "scheduler", property: "shell"},
	{variable: "DOKKU_DISABLE_APP_AUTOCREATION", namespace: "apps", property: "disable-autocreation", onlyGlobal: true},
	{variable: "DOKKU_CHECKS_DISABLED", namespace: "checks", property: "disabled", onlyApp: true},
	{variable: "DOKKU_CHECKS_SKIPPED", namespace: "checks", property: "skipped", onlyApp: true},
	{variable: "DOKKU_CHECKS_WAIT", namespace: "checks", property: "wait"},
	{variable: "DOKKU_CHECKS_TIMEOUT", namespace: "checks", property: "timeout"},
	{variable: "DOKKU_CHECKS_ATTEMPTS", namespace: "checks", property: "attempts"},
	{variable: "DOKKU_DEFAULT_CHECKS_WAIT", namespace: "checks", property: "default-wait"},
}

// read tells whether files could be read, right after the upgrade and now: what cannot be is
// not known to be unset.
func (h hopOf) read(paths ...string) bool {
	return !slices.ContainsFunc(paths, func(path string) bool {
		return fileOf(h.After, path).Error+fileOf(h.now, path).Error != ""
	})
}

// environment gives the older version the variables that it had, with what was set since.
func (h hopOf) environment() {
	values, err := whole(h.Before, h.scope)
	after, err1 := whole(h.After, h.scope)
	now, err2 := whole(h.now, h.scope)
	place := h.Before.EnvPath(h.scope)
	if err != nil || err1 != nil || err2 != nil {
		h.u.want[place] = fileOf(h.Before, place)
		if now := h.now.EnvPath(h.scope); now != place { // what nobody can read is not thrown away
			h.u.want[now] = fileOf(h.now, now)
		}
		h.u.left = append(h.u.left, "the environment as it was set since, which cannot be read")
		return
	}
	values = maps.Clone(values)
	if values == nil {
		values = map[string]string{}
	}
	var names []string
	set := func(name, value string, there bool) {
		if old, had := values[name]; had == there && old == value {
			return // it was so before the upgrade
		}
		if names = append(names, name); there {
			values[name] = value
		} else {
			delete(values, name)
		}
	}
	for name := range both(after, now) {
		was, had := after[name]
		value, has := now[name]
		if had != has || was != value {
			set(name, value, has)
		}
	}
	if h.passes("0.38.0") {
		for _, v := range becameProperties {
			if v.onlyApp && h.scope == host.GlobalScope || v.onlyGlobal && h.scope != host.GlobalScope {
				continue
			}
			was, _ := h.After.Text(v.path(h.scope))
			text, _ := h.now.Text(v.path(h.scope))
			if !h.read(v.path(h.scope)) || was == text || there(fileOf(h.Before, v.path(h.scope))) {
				continue
			}
			value := strings.TrimSpace(text)
			if v.back != nil {
				value = v.back(value)
			}
			set(v.variable, value, value != "")
		}
	}
	if ports := "lib/config/ports/" + h.scope + "/map"; h.passes("0.31.0") && h.scope != host.GlobalScope {
		was, is := h.After.Lines(ports), h.now.Lines(ports)
		if h.read(ports) {
			if !slices.Equal(was, is) {
				set("DOKKU_PROXY_PORT_MAP", strings.Join(is, " "), len(is) > 0)
			}
			h.asBefore(ports) // which may have had one that the older version does not read
		}
	}
	if len(names) == 0 {
		h.u.want[place] = fileOf(h.Before, place)
		h.u.left = slices.DeleteFunc(h.u.left, func(l string) bool { return l == app.Shown(place) })
		return
	}
	text, left := app.WriteEnv(values, h.Before.Dokku)
	for _, name := range left {
		h.u.left = append(h.u.left, "the variable "+name)
	}
	var told []string
	for _, name := range names {
		if !slices.Contains(left, name) && name != "GIT_REV" {
			told = append(told, "the variable "+name)
		}
	}
	h.put(place, text, told...)
}

// whole is an environment with what its Dokku reads in no form.
func whole(f *app.Files, scope string) (map[string]string, error) {
	if file, _ := f.Get(f.EnvPath(scope)); file.Error != "" || file.Link != "" {
		return nil, errors.New("it was not captured") // which is not an empty one
	}
	values, err := f.Environment(scope)
	if err != nil {
		return nil, err
	}
	out := KeptOut(f, scope)
	maps.Copy(out, values)
	return out, nil
}

func both(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// options gives the older version the docker options that it had, mounts and the restart
// policy among them, with what was set since.
func (h hopOf) options() {
	if h.scope == host.GlobalScope {
		return
	}
	mountsBefore, ok := mountOptions(h.After, h.scope)
	mounts, ok2 := mountOptions(h.now, h.scope)
	if !ok || !ok2 {
		h.u.left = append(h.u.left, "mounts, which cannot be read")
		mountsBefore, mounts = nil, nil
	}
	policyPath := "lib/config/ps/" + h.scope + "/restart-policy"
	policyBefore, _ := h.After.Text(policyPath)
	policy, _ := h.now.Text(policyPath)
	for _, phase := range phases {
		was, is := h.After.DockerOptions(h.scope, phase), h.now.DockerOptions(h.scope, phase)
		if phase != "build" {
			was, is = append(slices.Clone(was), mountsBefore...), append(slices.Clone(is), mounts...)
		}
		if phase == "deploy" {
			if policyBefore != "" {
				was = append(was, "--restart="+strings.TrimSpace(policyBefore))
			}
			if policy != "" {
				is = append(is, "--restart="+strings.TrimSpace(policy))
			}
		}
		gone, added := missingFrom(is, was), missingFrom(was, is)
		place := app.DockerOptionsPath(h.Before.Dokku, h.scope, phase)
		known := h.read(app.DockerOptionsPath(h.now.Dokku, h.scope, phase), app.MountsPath(h.scope), policyPath)
		if !known || len(gone)+len(added) == 0 {
			h.u.want[place] = fileOf(h.Before, place)
			continue
		}
		lines := app.CanonicalOptions(h.Before.DockerOptions(h.scope, phase))
		lines = slices.DeleteFunc(lines, func(l string) bool { return slices.ContainsFunc(gone, func(g string) bool { return sameOption(l, g) }) })
		lines = append(lines, missingFrom(lines, added)...)
		text := ""
		if len(lines) > 0 {
			text = strings.Join(lines, "\n") + "\n"
		}
		h.put(place, text, "docker options for "+phase)
	}
	for _, name := range h.now.ProcessDockerOptions(h.scope) {
		path := "lib/config/docker-options/" + h.scope + "/" + name
		if len(fileOf(h.now, path).Data) > 0 {
			h.u.left = append(h.u.left, "docker options for one process type ("+name+")")
		}
	}
}

// sameOption tells whether two docker options say the same: --volume=a:b, -v a:b.
func sameOption(a, b string) bool {
	plain := func(o string) string {
		for _, prefix := range []string{"--volume=", "--volume ", "-v=", "-v "} {
			if rest, ok := strings.CutPrefix(o, prefix); ok {
				return "-v " + rest
			}
		}
		return strings.Replace(o, "--restart ", "--restart=", 1)
	}
	return plain(a) == plain(b)
}

// missingFrom are the options of want that are not in list.
func missingFrom(list, want []string) (missing []string) {
	for _, w := range app.CanonicalOptions(want) {
		if !slices.ContainsFunc(app.CanonicalOptions(list), func(l string) bool { return sameOption(l, w) }) {
			missing = append(missing, w)
		}
	}
	return missing
}

// mountOptions are the mounts of an app as the options that they were to 0.37.
func mountOptions(f *app.Files, name string) (options []string, ok bool) {
	mounts, ok := f.Mounts(name)
	for _, m := range mounts {
		if at := f.HostPath(m.Entry); at != "" {
			options = append(options, fmt.Sprintf("-v %s:%s", at, m.At))
		}
	}
	return options, ok
}

// scale gives a version that reads DOKKU_SCALE its own, as it was, or as it was set since.
func (h hopOf) scale() {
	property, place := "lib/config/ps/"+h.scope+"/scale", "root/"+h.scope+"/DOKKU_SCALE"
	was, _ := h.After.Text(property)
	if text, set := h.now.Text(property); set && text != was {
		h.put(place, text, "scale")
	} else {
		h.u.want[place] = fileOf(h.Before, place)
	}
	h.asBefore(property)
}
