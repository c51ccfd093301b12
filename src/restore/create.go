package restore

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// An app is made anew on a host that does not have it, of whatever Dokku: after
// apps:create everything is written where this version keeps it. What an upgrade's
// installation would move, nothing moves here: its migrations have long run. So what one
// version has as a variable and another as a property, as a docker option and as a mount, is
// put into the other's place by what is known of the versions
// (docs/dokku-versions.md#variables-that-stop-counting, #docker-options-and-storage).

// Left is what is left for a person of an app that was made anew.
type Left struct {
	What    string
	Command string // "" where it is no one command
}

// Creation is what must be written into an app that has just been made for it to be as in
// the snapshot, what is left for a person, and what cannot be written.
func (r Restoration) Creation() (steps plan.Plan, left []Left, failed error) {
	// As it will be when its settings are in place, which come first.
	r.made, r.Now.Proxy.Disabled = true, r.was.Proxy.Disabled
	none := r.ownDomains()
	r.Now.Domains = app.Domains{Disabled: r.Now.Domains.Disabled} // Dokku's default goes with the first of its own
	add := func(list ...*plan.Step) {
		for _, s := range list {
			if s != nil {
				s.App, s.Hazard = r.Now.Name, Name
				steps = append(steps, *s)
			}
		}
	}
	note := func(notes ...string) {
		for _, n := range notes {
			left = append(left, Left{What: n})
		}
	}
	settings, more, failed := r.variables()
	add(settings...)
	left = append(left, more...)
	list, more := r.newProperties()
	add(list...)
	left = append(left, more...)
	list, more = r.newDockerOptions()
	add(list...)
	left = append(left, more...)
	rest, notes, err := r.Plan([]string{"scale", "domains", "ports", "certs", "files", "nginx", "letsencrypt"})
	for i := range rest {
		add(&rest[i])
	}
	add(none)
	note(notes...)
	if failed == nil {
		failed = err
	}
	return steps, append(left, r.elsewhere()...), failed
}

// ownDomains makes the names of the host's that the app answered to its own: the host that it
// is made on has others, or none that an app answers to. Of one that had none it is the step
// that leaves it none, where apps:create has given it one.
func (r *Restoration) ownDomains() *plan.Step {
	d := &r.was.Domains
	switch {
	case r.counts(app.PartDomains) != nil || d.Disabled || len(d.Names) > 0:
		return nil
	case !d.File && r.was.Serves() && len(d.Inherited) > 0:
		d.Names, d.File = d.Inherited, true
		return nil
	case !d.File && app.Before(r.was.Dokku, "0.29.0") && (app.Before(r.was.Dokku, "0.25.0") || !r.was.Deployed()):
		return nil // its first deploy there would have given it the default
	}
	return r.file("no domain", "root/"+r.Now.Name+"/VHOST", 0o644, []byte{})
}

// counts says why a part is not known in the snapshot, "" where it is.
func (r Restoration) counts(p app.Part) []Left {
	if why := r.was.Unknown[p]; why != "" {
		return []Left{{What: fmt.Sprintf("The snapshot does not hold the %s of %s (%s).", p, r.Called, why)}}
	}
	return nil
}

// variables are the steps for the environment, with those settings that one version keeps
// there and the other does not.
func (r Restoration) variables() (steps []*plan.Step, left []Left, err error) {
	if left = r.counts(app.PartEnv); left != nil {
		return nil, left, nil
	}
	was, err := r.old.Environment(r.Now.Name)
	if err != nil {
		return nil, nil, fmt.Errorf("the environment of %s cannot be read in the snapshot: %w", r.Called, err)
	}
	was = merged(was, hazard.KeptOut(r.old, r.Now.Name))
	now, readable := hazard.PresentEnv(r.Context, r.Now.Name)
	if now == nil && !readable {
		return nil, nil, fmt.Errorf("the environment of %s is not written: what it is at present cannot be read, and is not replaced", r.Now.Name)
	}
	wanted := merged(now, nil)
	names := 0
	set := func(name, value string) {
		if old, has := wanted[name]; !has || old != value {
			wanted[name] = value
			names++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if name == "GIT_REV" || name == "NO_VHOST" || name == "DOKKU_PROXY_PORT_MAP" {
			continue // the next deploy's; domains; ports
		}
		other, moved := hazard.CounterpartOf(r.Now.Name, name, was[name], r.To)
		switch {
		case !moved:
			set(name, was[name])
		case other.Path == "":
			set(name, was[name])
			left = append(left, Left{What: fmt.Sprintf("The variable %s is carried over, and %s does not read it. In its place:", name, r.To), Command: other.Instead})
		case other.Value != "" && hazard.Restored(strings.TrimPrefix(other.Path, "lib/config/")):
			steps = append(steps, r.property(other))
		}
	}
	for _, other := range hazard.CounterpartsOf(r.old, r.Now.Name, r.To) {
		if other.Value != "" && hazard.Restored(strings.TrimPrefix(other.Path, "lib/config/")) {
			set(other.Variable, other.Value)
		}
	}
	if names == 0 {
		return steps, left, nil
	}
	text, unwritable := app.WriteEnv(wanted, r.To)
	if len(unwritable) > 0 {
		return steps, left, fmt.Errorf("the environment of %s is not written: %s of it cannot be written so that Dokku %s reads it", r.Now.Name, strings.Join(unwritable, ", "), r.To)
	}
	title := "environment: " + say.Plural(names, "variable")
	file := r.file(title, r.Files.EnvPath(r.Now.Name), 0o600, []byte(text))
	if file == nil && r.Digest(app.RealPath(r.paths, r.Files.EnvPath(r.Now.Name))) != app.Digest([]byte(text)) {
		return steps, left, fmt.Errorf("the environment of %s is not written: its place is a link, leads through one, or cannot be read", r.Now.Name)
	}
	return append([]*plan.Step{hazard.HoldRestored(r.Subject, title, file, wanted)}, steps...), left, nil
}

// newProperties are the steps for the properties of the app. An older Dokku is given none
// that a newer one has written: what it would make of them nobody has looked at.
func (r Restoration) newProperties() (steps []*plan.Step, left []Left) {
	var older, gone []string
	for _, was := range r.old.Properties(r.Now.Name) {
		name := strings.TrimPrefix(was.Path, "lib/config/")
		namespace, _, _ := strings.Cut(name, "/")
		short := namespace + " " + path.Base(name)
		switch {
		case !hazard.Restored(name) || was.Path == app.MountsPath(r.Now.Name):
		case was.Error != "":
			left = append(left, Left{What: fmt.Sprintf("The snapshot does not hold the property %s (%s).", short, was.Reason())})
		case app.Before(r.To, r.was.Dokku) && !hazard.KnowsProperty(was.Path, r.Now.Name, r.To):
			if !slices.ContainsFunc(hazard.CounterpartsOf(r.old, r.Now.Name, r.To), func(c hazard.Counterpart) bool { return c.Path == was.Path }) && name != "ps/"+r.Now.Name+"/restart-policy" {
				older = append(older, short)
			}
		case !slices.Contains(app.Namespaces, namespace) && !r.hasPlugin(namespace):
			if !slices.Contains(gone, namespace) {
				gone = append(gone, namespace)
			}
		default:
			was.Data = app.K3sProperty(was, r.was.Dokku, r.To)
			steps = append(steps, r.copy(was, "property "+name))
		}
	}
	if len(older) > 0 {
		left = append(left, Left{What: fmt.Sprintf("Properties that Dokku %s has written, and that %s may not know, are not: %s. Set those that it has.", r.was.Dokku, r.To, strings.Join(older, ", "))})
	}
	for _, plugin := range gone {
		left = append(left, Left{What: fmt.Sprintf("The plugin %s is not installed here, so what %s has set of it is not written. Install it, then:", plugin, r.Called), Command: say.Command("dokku upgrade-guard:restore", r.Now.Name, "--only", "properties", "--snapshot", r.id)})
	}
	entries, notes := r.storageEntries(true)
	if app.Before(r.To, r.was.Dokku) {
		entries = nil
	} else {
		steps = append(steps, entries...)
		if !app.Before(r.was.Dokku, "0.38.0") {
			steps = append(steps, r.mounts())
		}
	}
	for _, n := range notes {
		left = append(left, Left{What: n})
	}
	return steps, left
}

// newDockerOptions are the steps for docker options, and for what 0.38 and later have in
// the place of some: mounts, and the restart policy.
func (r Restoration) newDockerOptions() (steps []*plan.Step, left []Left) {
	if left = r.counts(app.PartDockerOptions); left != nil {
		return nil, left
	}
	name := r.Now.Name
	lists, mounted := !app.Before(r.To, "0.38.0"), !app.Before(r.was.Dokku, "0.38.0")
	var mounts []string
	if mounted && !lists {
		known := false
		if mounts, known = hazard.MountOptions(r.old, name); !known {
			left = append(left, Left{What: fmt.Sprintf("The mounts of %s in the snapshot cannot be read.", r.Called)})
		}
	}
	inDeploy := r.old.DockerOptions(name, "deploy")
	links, more := r.links()
	left = append(left, more...)
	for _, phase := range []string{"build", "deploy", "run"} {
		options := slices.DeleteFunc(r.old.DockerOptions(name, phase), func(o string) bool { return slices.Contains(links, o) })
		if lists && !mounted {
			o := hazard.BecameOf(r.Subject, options, phase)
			options = o.Stay
			if o.Restart != "" {
				steps = append(steps, hazard.RestartPolicy(r.Subject, o.Restart))
			}
			for _, m := range o.Lost {
				at, ok := strings.CutPrefix(m, "-v ")
				if both := slices.Contains(inDeploy, m) && slices.Contains(r.old.DockerOptions(name, "run"), m); !ok || !both || strings.ContainsAny(at, " '\"\\$") {
					options = append(options, m) // in one phase alone, or not for storage:mount
				} else if phase == "deploy" {
					steps = append(steps, mount(name, at))
				}
			}
		}
		if phase != "build" {
			options = append(slices.Clone(options), mounts...)
		}
		if policy, set := r.old.Text("lib/config/ps/" + name + "/restart-policy"); set && phase == "deploy" && mounted && !lists {
			options = append(options, "--restart="+strings.TrimSpace(policy))
		}
		steps = append(steps, r.optionList(phase, options, r.Files.DockerOptions(name, phase), app.DockerOptionsPath(r.To, name, phase)))
	}
	for _, list := range r.old.ProcessDockerOptions(name) {
		at := "lib/config/docker-options/" + name + "/" + list
		if lists {
			steps = append(steps, r.optionList(strings.TrimSuffix(list, ".deploy"), r.old.Lines(at), r.Files.Lines(at), at))
		} else {
			left = append(left, Left{What: fmt.Sprintf("%s has no docker options for a single process type, which the snapshot has for %s.", r.To, strings.TrimSuffix(list, ".deploy"))})
		}
	}
	return steps, left
}

// links are the docker options that link it with services which are not here: no deploy comes
// to its end with one, and each is added again when the app is linked anew.
func (r Restoration) links() (options []string, left []Left) {
	values, _ := r.old.Environment(r.Now.Name)
	for _, n := range r.old.Needs(r.Now.Name) {
		plugin, service, is := hazard.ServiceOf(n.Name)
		if n.Kind != app.NeedContainer || n.Flag != "--link" || n.Line == "" || !is || r.Services == nil || r.Services[plugin+"/"+service] {
			continue
		}
		what := fmt.Sprintf("The service %s of %s, which it is linked with, is not here, so the link is left out. Its data is in no snapshot. To make it and link it:", service, plugin)
		if !slices.ContainsFunc(left, func(l Left) bool { return l.What == what }) {
			left = append(left, Left{What: what, Command: hazard.LinkAnew(r.Now.Name, values, plugin, service)})
		}
		options = append(options, n.Line)
	}
	return options, left
}

// mount is the step for one mount, by Dokku's own command: it makes the entry too, or
// finds that there is one of this directory. Dokku looks at no error of its own write.
func mount(name, at string) *plan.Step {
	return &plan.Step{
		Mark: plan.Add, Text: "mount " + at,
		Do: func(ctx context.Context, h host.Host) error {
			_, err := h.Run(ctx, "dokku", "--quiet", "storage:mount", name, at)
			return err
		},
		Verify: func(ctx context.Context, h host.Host) error {
			files, err := app.Capture(ctx, h, app.What{Apps: []string{name}, NoCommands: true})
			if err != nil {
				return err
			}
			parts := strings.Split(at, ":")
			mounts, _ := files.Mounts(name)
			if !slices.ContainsFunc(mounts, func(m app.Mount) bool { return path.Clean(m.At) == path.Clean(parts[1]) }) {
				return fmt.Errorf("Dokku does not have the mount %s that it was given", at)
			}
			return nil
		},
	}
}

// elsewhere is what an app goes by and no snapshot holds.
func (r Restoration) elsewhere() (left []Left) {
	name := r.Now.Name
	for _, d := range r.was.Domains.Names {
		if other := r.Taken[d]; other != "" && other != name {
			left = append(left, Left{What: fmt.Sprintf("%s of this host has the domain %s too, and nginx serves one of them.", other, d), Command: say.Command("dokku domains:remove", other, d)})
		}
	}
	set := len(r.old.Under("lib/config/letsencrypt/"+name+"/")) > 0
	if r.Files.LetsencryptPlugin() == (app.LetsencryptPlugin{}) && (set || r.was.Letsencrypt.Active) {
		what := "The letsencrypt plugin is not installed here, so its settings are not written. Once it is:"
		if r.was.Letsencrypt.Active {
			what = "Its certificate is of the letsencrypt plugin, which is not installed here: it is served until it expires, and not renewed. Once it is installed:"
		}
		left = append(left, Left{What: what, Command: say.Command("dokku upgrade-guard:restore", name, "--only", "letsencrypt", "--snapshot", r.id)})
	}
	return append(left, r.data()...)
}

// data is what the app's containers are started with that holds data: a snapshot has none.
func (r Restoration) data() (left []Left) {
	seen := map[string]bool{}
	for _, n := range r.old.Needs(r.Now.Name) {
		if seen[string(n.Kind)+n.Name] {
			continue
		}
		seen[string(n.Kind)+n.Name] = true
		switch n.Kind {
		case app.NeedDirectory:
			left = append(left, Left{What: fmt.Sprintf("What is in %s, which it mounts, is in no snapshot. To copy it from that host, as root:", n.Name), Command: say.Command("rsync -a", "HOST:"+n.Name+"/", n.Name+"/")})
		case app.NeedVolume:
			left = append(left, Left{What: fmt.Sprintf("What is in docker's volume %s, which it mounts, is in no snapshot.", n.Name)})
		}
	}
	return left
}

// hasPlugin tells whether a plugin is installed here, and enabled.
func (r Restoration) hasPlugin(name string) bool {
	return r.Plugins.Enabled != nil && r.Plugins.Enabled()[name]
}

// Source is what the app was deployed from: an image, or the branch that HEAD names, and
// the commit. Each is "" where it is not known.
func (r Restoration) Source() (image, head, revision string) {
	image, _ = r.old.Text("lib/config/git/" + r.Now.Name + "/source-image")
	if revision = r.was.Git.Revision; !commit().MatchString(revision) {
		revision = ""
	}
	return strings.TrimSpace(image), r.was.Git.Head, revision
}

var commit = pattern.Of(`^[0-9a-f]{40,64}$`)
