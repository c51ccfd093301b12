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
	for _, v := range becameProperties {
		if !v.in(h.scope) || !h.passes(v.since) {
			continue
		}
		was, _ := h.After.Text(v.path(h.scope))
		text, _ := h.now.Text(v.path(h.scope))
		if !h.read(v.path(h.scope)) || was == text || there(fileOf(h.Before, v.path(h.scope))) {
			continue
		}
		value := v.asVariable(text)
		set(v.variable, value, value != "")
		h.asBefore(v.path(h.scope))
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
	mountsBefore, ok := MountOptions(h.After, h.scope)
	mounts, ok2 := MountOptions(h.now, h.scope)
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

// MountOptions are the mounts of an app as the options that they were to 0.37.
func MountOptions(f *app.Files, name string) (options []string, ok bool) {
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
