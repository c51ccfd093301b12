package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// portMap is the step for the ports, in the environment up to 0.30.
func (r Restoration) portMap() *plan.Step {
	was, now := r.was.Ports.Map, r.Now.Ports.Map
	if len(was) == 0 || slices.Equal(was, now) {
		return nil
	}
	return r.from(hazard.PutPorts(r.Subject, was), strings.Join(now, " "), strings.Join(was, " "))
}

// vhosts is the step that has domains enabled or disabled as they were.
func (r Restoration) vhosts() *plan.Step {
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
			return hazard.Config(ctx, h, "config:set", "--no-restart", r.Now.Name, "NO_VHOST="+value)
		},
	}
}

// environment is the step that gives the app the variables of the snapshot. What it has
// beside them stays, and is named, or goes where the restore is to be exact. Dokku's own
// are as they are now, where the snapshot is another version's: that one kept settings there
// which this one keeps elsewhere.
func (r Restoration) environment() (step *plan.Step, notes []string, err error) {
	was, err := r.old.Environment(r.Now.Name)
	if err != nil {
		return nil, nil, err
	}
	now, readable := hazard.PresentEnv(r.Context, r.Now.Name)
	if now == nil && !readable {
		return nil, nil, say.Hint(errors.New("what it is at present cannot be read"), "What is not known is not replaced. To begin anew: mv %s %s.old", app.RealPath(r.paths, r.Files.EnvPath(r.Now.Name)), app.RealPath(r.paths, r.Files.EnvPath(r.Now.Name)))
	}
	// What Dokku cannot read is in no environment, and belongs to it all the same.
	unread := hazard.KeptOut(r.Files, r.Now.Name)
	now = merged(now, unread)
	maps.Copy(unread, hazard.KeptOut(r.old, r.Now.Name))
	was = merged(was, hazard.KeptOut(r.old, r.Now.Name))
	stays := func(name string) bool {
		switch name {
		case "GIT_REV", "NO_VHOST", "DOKKU_PROXY_PORT_MAP":
			return true // what is deployed; domains; ports
		}
		if strings.HasPrefix(name, "DOKKU_LETSENCRYPT_") && r.Files.LetsencryptPlugin() == (app.LetsencryptPlugin{}) {
			return false // its installation reads them, once it is installed
		}
		return strings.HasPrefix(name, "DOKKU_") && app.OwnVariable(name) && r.was.Dokku != r.Now.Dokku
	}
	wanted := merged(now, nil)
	var changed, added, beside []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, had := was[name]; !had && !stays(name) {
			beside = append(beside, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		present, has := now[name]
		switch {
		case stays(name) || has && present == was[name]:
			continue
		case has:
			changed = append(changed, name)
		default:
			added = append(added, name)
		}
		wanted[name] = was[name]
	}
	var removed []string
	switch {
	case r.Exact:
		removed = beside
		maps.DeleteFunc(wanted, func(name, _ string) bool { return slices.Contains(removed, name) })
	case len(beside) > 0:
		notes = append(notes, fmt.Sprintf("Not in the snapshot, and left as set: %s. To take them away: %s",
			strings.Join(beside, ", "), say.Command("dokku upgrade-guard:restore", r.Now.Name, "--only", "env", "--exact", "--snapshot", r.id)))
	}
	if len(changed)+len(added)+len(removed) == 0 && readable {
		return nil, notes, nil
	}
	inFile := maps.Clone(wanted)
	maps.DeleteFunc(inFile, func(name, value string) bool {
		return unread[name] != "" && !app.Writable(name, value, r.Now.Dokku)
	})
	text, left := app.WriteEnv(inFile, r.Now.Dokku)
	if len(left) > 0 {
		return nil, notes, fmt.Errorf("%s of it cannot be written so that Dokku %s reads it", strings.Join(left, ", "), r.Now.Dokku)
	}
	var what []string
	for _, c := range []struct {
		names []string
		done  string
	}{{changed, "changed"}, {added, "put back"}, {removed, "removed"}} {
		if n := len(c.names); n > 0 {
			what = append(what, fmt.Sprintf("%s %s (%s)", say.Plural(n, "variable"), c.done, strings.Join(c.names, ", ")))
		}
	}
	if !readable {
		what = append(what, "written so that Dokku reads it")
	}
	title, path := "environment: "+strings.Join(what, ", "), r.Files.EnvPath(r.Now.Name)
	var file *plan.Step
	if written, err := r.Files.Environment(r.Now.Name); err != nil || !maps.Equal(written, inFile) {
		if file = r.file(title, path, 0o600, []byte(text)); file == nil {
			return nil, append(notes, fmt.Sprintf("The environment is not restored: %s is a link, or leads through one.", app.RealPath(r.paths, path))), nil
		}
	}
	return hazard.HoldRestored(r.Subject, title, file, wanted), notes, nil
}

// became are the variables of the snapshot that are something else on this Dokku. What its
// installation found on this host it has moved, once; not what is another host's, or was set
// otherwise since.
func (r Restoration) became() (list []hazard.Counterpart) {
	was, _ := r.old.Environment(r.Now.Name)
	for _, variable := range slices.Sorted(maps.Keys(was)) {
		if _, then := hazard.CounterpartOf(r.Now.Name, variable, was[variable], r.was.Dokku); then {
			continue
		}
		c, moved := hazard.CounterpartOf(r.Now.Name, variable, was[variable], r.To)
		if moved && (c.Path == "" || c.Value != "" && hazard.Restored(strings.TrimPrefix(c.Path, "lib/config/"))) {
			list = append(list, c)
		}
	}
	return list
}

// notRead is what is said of a variable that this Dokku has nothing in the place of.
func (r Restoration) notRead(c hazard.Counterpart) string {
	return fmt.Sprintf("The variable %s is not put back, since %s does not read it. In its place: %s", c.Variable, r.To, c.Instead)
}

// property is the step that sets one in the place of a variable.
func (r Restoration) property(c hazard.Counterpart) *plan.Step {
	return r.file("property "+strings.TrimPrefix(c.Path, "lib/config/")+", which was the variable "+c.Variable, c.Path, 0o600, []byte(c.Value))
}

// merged are the values of two environments; the second one's come first.
func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return all
}

// dockerOptions are the steps for docker options. What 0.38 keeps in another place
// and has there is left where it is; what is in neither is put back.
func (r Restoration) dockerOptions() (steps []*plan.Step, notes []string) {
	name, listed := r.Now.Name, !app.Before(r.To, "0.38.0")
	moved := 0
	for _, phase := range []string{"build", "deploy", "run"} {
		was, now := r.old.DockerOptions(name, phase), r.Files.DockerOptions(name, phase)
		switch {
		case listed && app.Before(r.was.Dokku, "0.38.0"):
			o := hazard.BecameOf(r.Subject, was, phase)
			was, moved = append(o.Stay, o.Lost...), moved+o.Moved
			if o.Restart != "" {
				steps = append(steps, hazard.RestartPolicy(r.Subject, o.Restart))
			}
		case !listed && !app.Before(r.was.Dokku, "0.38.0") && len(was) > 0:
			// The snapshot has its mounts and restart policy elsewhere: those that
			// are in force here are not its to take away.
			was = append(slices.Clone(was), hazard.Missing(slices.DeleteFunc(slices.Clone(now), func(o string) bool { return !hazard.KeptElsewhere(o) }), was)...)
		}
		steps = append(steps, r.optionList(phase, was, now, app.DockerOptionsPath(r.To, name, phase)))
	}
	lists := r.old.ProcessDockerOptions(name)
	for _, list := range lists {
		if path := "lib/config/docker-options/" + name + "/" + list; listed {
			steps = append(steps, r.optionList(strings.TrimSuffix(list, ".deploy"), r.old.Lines(path), r.Files.Lines(path), path))
		}
	}
	if !listed && len(lists) > 0 {
		notes = append(notes, fmt.Sprintf("%s has no docker options for a single process type, which the snapshot has for %s: left there.", r.To, strings.ReplaceAll(strings.Join(lists, ", "), ".deploy", "")))
	}
	if moved > 0 {
		notes = append(notes, fmt.Sprintf("Of the docker options, mounts and the restart policy stay where 0.38 has put them (%d): see %s and %s.", moved,
			say.Command("dokku storage:report", name), say.Command("dokku ps:report", name)))
	}
	return steps, notes
}

// optionList is the step for one list of docker options; nil where it is as it was,
// and where the snapshot has nothing for it.
func (r Restoration) optionList(what string, was, now []string, path string) *plan.Step {
	taken := hazard.Missing(now, was)
	if len(was) == 0 || len(taken) == 0 && len(hazard.Missing(was, now)) == 0 {
		return nil
	}
	// What they are is not said: they may hold secrets.
	text := fmt.Sprintf("docker options for %s, %d of them", what, len(was))
	if len(taken) > 0 {
		text += fmt.Sprintf("; %d that the snapshot does not have are taken away", len(taken))
	}
	mode := fs.FileMode(0o644)
	if strings.HasPrefix(path, "lib/") {
		mode = 0o600
	}
	return r.file(text, path, mode, []byte(strings.Join(was, "\n")+"\n"))
}

// properties are the steps for all other properties of the app.
func (r Restoration) properties() (steps []*plan.Step) {
	for _, was := range r.old.Properties(r.Now.Name) {
		name := strings.TrimPrefix(was.Path, "lib/config/")
		switch {
		case was.Path == app.MountsPath(r.Now.Name):
			steps = append(steps, r.mounts())
		case hazard.Restored(name):
			was.Data = app.K3sProperty(was, r.was.Dokku, r.To)
			steps = append(steps, r.copy(was, "property "+name))
		}
	}
	return steps
}
