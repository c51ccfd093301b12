package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/joho/godotenv"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
)

// portMap is the step for the ports, in the environment up to 0.30.
func (r restoration) portMap() *plan.Step {
	was, now := r.was.Ports.Map, r.Now.Ports.Map
	if len(was) == 0 || slices.Equal(was, now) {
		return nil
	}
	return replacing(hazard.PutPorts(r.Subject, was), now)
}

// vhosts is the step that has domains enabled or disabled as they were.
func (r restoration) vhosts() *plan.Step {
	if r.was.Domains.Disabled == r.Now.Domains.Disabled {
		return nil
	}
	value, text := "0", "domains enabled"
	if r.was.Domains.Disabled {
		value, text = "1", "domains disabled"
	}
	return &plan.Step{
		Mark: plan.Change, Text: text,
		Do: func(ctx context.Context, h host.Host) error {
			_, err := h.Run(ctx, "dokku", "--quiet", "config:set", "--no-restart", r.Now.Name, "NO_VHOST="+value)
			return err
		},
	}
}

// environment is the step that gives the app the variables of the snapshot, and no
// others. Dokku's own are as they are now, where the snapshot is another version's:
// that one kept settings there which this one keeps elsewhere.
func (r restoration) environment() (*plan.Step, error) {
	was, err := r.old.Environment(r.Now.Name)
	if err != nil {
		return nil, err
	}
	now, err := r.Files.Environment(r.Now.Name)
	if err != nil {
		return nil, err
	}
	stays := func(name string) bool {
		switch name {
		case "GIT_REV", "NO_VHOST", "DOKKU_PROXY_PORT_MAP":
			return true // what is deployed; domains; ports
		}
		return strings.HasPrefix(name, "DOKKU_") && r.was.Dokku != r.Now.Dokku
	}
	wanted := maps.Clone(now)
	var changed, added, removed []string
	for name := range now {
		if _, had := was[name]; !had && !stays(name) {
			removed = append(removed, name)
			delete(wanted, name)
		}
	}
	for name, value := range was {
		present, has := now[name]
		switch {
		case stays(name) || has && present == value:
			continue
		case has:
			changed = append(changed, name)
		default:
			added = append(added, name)
		}
		if wanted == nil {
			wanted = map[string]string{}
		}
		wanted[name] = value
	}
	if len(changed)+len(added)+len(removed) == 0 {
		return nil, nil
	}
	text, err := marshalEnv(wanted)
	if err != nil {
		return nil, err
	}
	var what []string
	for _, c := range []struct {
		names []string
		done  string
	}{{changed, "changed"}, {added, "put back"}, {removed, "removed"}} {
		if n := len(c.names); n > 0 {
			what = append(what, fmt.Sprintf("%s %s", Plural(n, "variable"), c.done))
		}
	}
	return r.file("environment: "+strings.Join(what, ", "), r.Files.EnvPath(r.Now.Name), 0o600, []byte(text)), nil
}

// marshalEnv is an ENV file as Dokku's own config plugin writes it, by the same
// library, but for one thing: the library makes numbers of values that look like
// some, and "0042" would come out as 42. So they are quoted. It is read back before
// it is used.
func marshalEnv(env map[string]string) (string, error) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(env)) {
		line, err := godotenv.Marshal(map[string]string{name: env[name]})
		if err != nil {
			return "", err
		}
		if _, err := strconv.Atoi(env[name]); err == nil {
			line = name + `="` + env[name] + `"`
		}
		b.WriteString(line + "\n")
	}
	back, err := godotenv.Unmarshal(b.String())
	if err != nil || !maps.Equal(back, env) {
		return "", errors.New("it cannot be written so that Dokku reads it as it was")
	}
	return b.String(), nil
}

// dockerOptions are the steps for docker options: a file of the app's directory up to
// 0.37, a property list from 0.38 on, which keeps restart policy and mounts elsewhere.
func (r restoration) dockerOptions() (steps []*plan.Step, note string) {
	listed := !app.Before(r.To, "0.38.0")
	for _, phase := range []string{"build", "deploy", "run"} {
		was, now := r.old.DockerOptions(r.Now.Name, phase), r.Files.DockerOptions(r.Now.Name, phase)
		if listed && app.Before(r.was.Dokku, "0.38.0") {
			kept := slices.DeleteFunc(slices.Clone(was), hazard.MovedOption)
			if len(kept) < len(was) {
				note = "Of the docker options, restart policy and mounts are kept by ps and storage since 0.38.0, and are not restored: see dokku ps:report and storage:report."
			}
			was = kept
		}
		if len(was) == 0 || slices.Equal(was, now) {
			continue
		}
		path, mode := "root/"+r.Now.Name+"/DOCKER_OPTIONS_"+strings.ToUpper(phase), fs.FileMode(0o644)
		if listed {
			path, mode = "lib/config/docker-options/"+r.Now.Name+"/_default_."+phase, 0o600
		}
		// What they are is not said: they may hold secrets.
		steps = append(steps, r.file(fmt.Sprintf("docker options for %s, %d of them", phase, len(was)), path, mode, []byte(strings.Join(was, "\n")+"\n")))
	}
	return steps, note
}

// nginxFiles are the steps for what an app adds to its nginx configuration: the
// snippets of nginx.conf.d and the copy of its own template.
func (r restoration) nginxFiles() (steps []*plan.Step) {
	for _, dir := range []string{"root/" + r.Now.Name + "/nginx.conf.d/", "lib/data/nginx-vhosts/app-" + r.Now.Name + "/nginx.conf.sigil"} {
		for _, was := range r.old.Under(dir) {
			steps = append(steps, r.copy(was, "nginx: "+filepath.Base(was.Path)))
		}
	}
	return steps
}

// properties are the steps for all other properties of the app.
func (r restoration) properties() (steps []*plan.Step) {
	for _, was := range r.old.Properties(r.Now.Name) {
		if name := strings.TrimPrefix(was.Path, "lib/config/"); !hazard.OwnProperty(name) {
			steps = append(steps, r.copy(was, "property "+name))
		}
	}
	return steps
}

// copy is the step that puts back one file of the snapshot as it is; nil where it is
// so, and for what is no regular file. Whatever mode the snapshot says it had, it is no
// program, it can be written by nobody but Dokku, and a property is read by nobody else.
func (r restoration) copy(was app.File, text string) *plan.Step {
	if was.SHA256 == "" {
		return nil
	}
	most := fs.FileMode(0o644)
	if strings.HasPrefix(was.Path, "lib/config/") {
		most = 0o600
	}
	return r.file(text, was.Path, was.Mode.Perm()&most|0o600, was.Data)
}

// file is the step for one file, by its path among the captured ones; nil where it
// holds that already. A file that is there keeps its mode.
func (r restoration) file(text, path string, mode fs.FileMode, data []byte) *plan.Step {
	now, there := r.Files.Get(path)
	if now.SHA256 == app.Digest(data) {
		return nil
	}
	step := &plan.Step{Mark: plan.Add, Text: text, Path: app.RealPath(r.paths, path), Mode: mode, Data: data, Was: now.SHA256}
	if there {
		step.Mark, step.Mode = plan.Change, now.Mode.Perm()
	}
	return step
}
