package hazard

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

// linkGone is about containers that an app's docker options name (--link, --volumes-from,
// --network container:) and that docker does not know, or that do not run: a service was
// destroyed without being unlinked, or the host was restored from a backup that holds no
// containers. The app runs on what it was started with; the rebuild that the upgrade guide
// asks for ends with docker's error
// (docs/dokku-versions.md#what-a-container-is-started-with).
var linkGone = Hazard{
	Name:    "link-gone",
	Threads: "dokku/dokku-postgres#335",
	Guide:   "https://dokku.com/docs/advanced-usage/docker-options/",
	Reads:   []app.Part{app.PartProxy, app.PartDockerOptions},

	Detect: func(s Subject) []Finding {
		var found []Finding
		for _, n := range s.lacking(app.NeedContainer) {
			if n.stopped && !linksOnly(n.needs) {
				continue // the files of a stopped container can be had
			}
			f := Finding{Kind: n.kind()}
			said := `"No such container"`
			f.What = fmt.Sprintf("the container %s does not exist (%s)", n.name, named(n.by))
			if n.stopped {
				said = `"Cannot link to a non running container"`
				f.What = fmt.Sprintf("the container %s does not run (%s)", n.name, named(n.by))
			}
			f.Consequence = fmt.Sprintf("What runs goes on. %s ends with docker's error %s, or one like it.", n.fails("deploy, ps:rebuild or ps:restart"), said)
			plugin, service, isService := ServiceOf(n.name)
			switch {
			case isService && s.Has.Services[plugin+"/"+service]: // with its data: the plugin makes another container
				f.Command = say.Command("dokku "+say.Word(plugin)+":start", service)
			case isService && s.Has.Services == nil: // it may have its data
				f.Command = say.Command("ls -l", filepath.Join(app.ServicesDir(s.Paths), plugin))
			case n.stopped:
				f.Command = say.Command("docker start", n.name)
			default:
				if f.Command = s.withoutOption(n); f.Command == "" {
					f.Command = say.Command("dokku docker-options:report", s.Now.Name) + ", then docker-options:remove"
				}
			}
			found = append(found, f)
		}
		return found
	},
}

// LinkAnew is how an app gets a service that has to be made, by the variable by which it
// knew the one of that name. While that is set, a link takes another name.
func LinkAnew(app string, values map[string]string, plugin, service string) string {
	command := "dokku " + say.Word(plugin)
	create, link := say.Command(command+":create", service), []string{service, app}
	at := strings.NewReplacer(".", "-", "_", "-").Replace("dokku-" + plugin + "-" + service) // the plugins' service_dns_hostname
	for _, name := range slices.Sorted(maps.Keys(values)) {
		alias, is := strings.CutSuffix(name, "_URL")
		if !is || !strings.Contains(values[name], "@"+at+":") && !strings.Contains(values[name], "//"+at+":") {
			continue
		}
		commands := []string{create, say.Command("dokku config:unset --no-restart", app, name)}
		if inOthers(values, name) { // whichever name the plugin takes then, the app's own is set after it
			dsn := fmt.Sprintf(`%s="$(%s)"`, say.Word(name), say.Command(command+":info", service, "--dsn"))
			commands = append(commands, say.Command("dokku --no-restart "+say.Word(plugin)+":link", link...), say.Command("dokku config:set", app)+" "+dsn)
		} else {
			commands = append(commands, say.Command(command+":link", append(link, "--alias", alias)...))
		}
		return strings.Join(commands, " && ")
	}
	return create + " && " + say.Command(command+":link", link...)
}

// inOthers tells whether another variable has this one's name in its own (REPLICA_DATABASE_URL)
// or in its value: the plugins look for it in all of an environment at once, and take an
// alias for one that is in use.
func inOthers(values map[string]string, name string) bool {
	for other, value := range values {
		if other != name && (strings.Contains(other, name) || strings.Contains(value, name)) {
			return true
		}
	}
	return false
}

// linksOnly tells whether what is asked of a container needs it to run.
func linksOnly(needs []app.Need) bool {
	for _, n := range needs {
		if n.Flag != "--volumes-from" {
			return true
		}
	}
	return false
}

// ServiceOf is the service of a datastore plugin that a container is of:
// dokku.postgres.orders.
func ServiceOf(container string) (plugin, service string, ok bool) {
	parts := strings.SplitN(container, ".", 3)
	if len(parts) < 3 || parts[0] != "dokku" {
		return "", "", false
	}
	return parts[1], parts[2], true
}
