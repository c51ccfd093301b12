package hazard

import (
	"fmt"
	"strings"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// k3sLists is about the annotations and labels of the k3s scheduler, which are lists up to
// 0.38.14 and JSON maps since (docs/dokku-versions.md#the-k3s-scheduler). The installation
// makes the one of the other, of every app and the host, whatever scheduler is selected. At
// a line that is no "name: value" it ends, with all plugins that sort after it, and dpkg
// leaves dokku half-configured; a value with a newline is such lines. The list is written
// as the map that it will be: the older version reads neither, and 0.38.15 leaves it alone.
//
// A list that comes later, out of a backup or from a rename, ends each deploy.
var k3sLists = Hazard{
	Name:    "k3s-lists",
	Threads: "dokku/dokku#8223",
	Guide:   guideDockerOptions,

	Foresee:     func(s Subject) []Finding { return foreseeLists(s.Context, s.Now.Name) },
	Detect:      func(s Subject) []Finding { return detectLists(s.Context, s.Now.Name) },
	ForeseeHost: func(s HostSubject) []Finding { return foreseeLists(s.Context, host.GlobalScope) },
	DetectHost:  func(s HostSubject) []Finding { return detectLists(s.Context, host.GlobalScope) },
}

const mapsSince = "0.38.15"

func foreseeLists(c Context, scope string) []Finding {
	if !c.Crosses(mapsSince) {
		return nil
	}
	return c.lists(scope, func(file app.File, name string) *Finding {
		if _, stops, _ := app.K3sPairs(file.Data); !stops {
			return nil
		}
		return &Finding{
			What:        fmt.Sprintf("the property %s has a line that is no pair, at which the installation of %s stops", name, c.To),
			Consequence: "It would end there and leave dokku half-configured.",
			Halts:       true,
		}
	})
}

func detectLists(c Context, scope string) []Finding {
	if app.Before(c.To, mapsSince) {
		return nil
	}
	return c.lists(scope, func(file app.File, name string) *Finding {
		if pairs, _, bad := app.K3sPairs(file.Data); len(pairs) == 0 && len(bad) == 0 {
			return nil
		}
		return &Finding{
			What:        fmt.Sprintf("the property %s is a list, and %s reads a map", name, c.To),
			Consequence: "Deploys to k3s fail, and so does each installation of Dokku's.",
		}
	})
}

// lists asks about each of these properties, and adds what is done about it: written as a
// map, or, where it cannot be made one, a person's.
func (c Context) lists(scope string, look func(file app.File, name string) *Finding) (found []Finding) {
	for _, file := range c.Files.Under("lib/config/scheduler-k3s/" + scope + "/") {
		name := strings.TrimPrefix(file.Path, "lib/config/")
		if file.SHA256 == "" || !app.IsK3sMap(file.Path) {
			continue
		}
		f := look(file, name)
		if f == nil {
			continue
		}
		if made := app.K3sMap(file.Data); made != nil {
			f.Step = &plan.Step{
				Mark: plan.Change, Text: fmt.Sprintf("property %s, as a map", name),
				Path: app.RealPath(c.Paths, file.Path), Mode: 0o600, Data: made, Was: file.SHA256,
			}
		} else {
			f.Command = say.Command("cat", app.RealPath(c.Paths, file.Path)) + "    # then set what is in it anew"
		}
		found = append(found, *f)
	}
	return found
}
