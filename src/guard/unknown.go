package guard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/snapshot"
)

// Unknown is something that could not be looked at, with what a person types who wants
// it known. "Nothing found" is never said of it alone (docs/laws.md, law 11).
type Unknown struct {
	What, Advice string
	Command      string
}

func (u Unknown) String() string {
	text := sentence(u.What)
	if u.Advice != "" {
		text += " " + sentence(u.Advice)
	}
	return text + " To do: " + u.Command
}

// sentence is a text with the sign that ends a sentence. docker's own words may have one.
func sentence(text string) string {
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "?") || strings.HasSuffix(text, "!") {
		return text
	}
	return text + "."
}

// unknown is what could not be asked when the host was observed.
func (o *Observation) unknown() (list []Unknown) {
	if o.Now.DockerMissing != "" {
		list = append(list, Unknown{What: "nothing is known of containers: " + strings.TrimSuffix(o.Now.DockerMissing, "."), Command: cmp.Or(o.dockerCommand, dockerStatus)})
	}
	for _, what := range o.Now.Has.Unknown {
		list = append(list, Unknown{What: what, Command: "docker info"})
	}
	if o.nginxUnknown != "" {
		list = append(list, Unknown{What: o.nginxUnknown, Command: "sudo nginx -t"})
	}
	return list
}

// notKnown is what could not be looked at, of the present or of what was before, for
// every view alike.
func (g *Guard) notKnown(o *Observation, m *memory) []Unknown {
	list := o.unknown()
	if names, why := g.withoutBaseline(m, o.Files.Apps); len(names) > 0 {
		list = append(list, why)
	}
	return list
}

// asFarAsKnown marks a count of what was found where not everything could be looked at.
func (o *Observation) asFarAsKnown(text string) string {
	if len(o.unknown()) > 0 {
		return text + ", as far as is known"
	}
	return text
}

// withoutBaseline are the apps of which nothing from before the last upgrade can be read,
// and what that means, in a sentence. One that is in no snapshot from then did not exist,
// as long as all of them can be read. A snapshot that a person has taken since is a new
// beginning: what is in it was looked over, and nothing else ends this.
func (g *Guard) withoutBaseline(m *memory, apps []string) (names []string, why Unknown) {
	from, to := m.lastSeen, ""
	var begun func(snapshot.Entry) bool
	if !m.upgraded {
		n := len(m.state.Upgrades)
		if n == 0 {
			return nil, Unknown{}
		}
		last := m.state.Upgrades[n-1]
		from, to = last.From, last.To
		begun = func(e snapshot.Entry) bool {
			return e.Reason == snapshot.Manual && !e.Future && !e.Time.Before(last.Time.Truncate(time.Second))
		}
	}
	held := map[string]bool{}
	for name := range m.baselines {
		held[name] = true
	}
	list, err := g.Store.List()
	readable, damaged := 0, 0
	if err != nil {
		damaged++
	}
	missing := func() []string {
		return slices.DeleteFunc(slices.Clone(apps), func(name string) bool { return held[name] })
	}
	for _, e := range list {
		before := e.Dokku == from
		if !before && (begun == nil || !begun(e)) || len(missing()) == 0 {
			continue
		}
		manifest, err := g.Store.Manifest(e.ID)
		switch {
		case err != nil && before:
			damaged++
		case err == nil:
			if before {
				readable++
			}
			for _, name := range manifest.Apps {
				held[m.state.Now(name)] = true
			}
		}
	}
	if names = missing(); len(names) == 0 || readable > 0 && damaged == 0 {
		return nil, Unknown{}
	}
	upgrade := "the upgrade from Dokku " + from
	if to != "" {
		upgrade += " to " + to
	}
	return names, Unknown{
		What:    fmt.Sprintf("nothing from before %s can be read for %s: what was lost by it cannot be told", upgrade, listed(names)),
		Advice:  fmt.Sprintf("Put a copy of a snapshot from then into %s, or look over what there is and begin anew", g.Host.Paths().Data("snapshots")),
		Command: "dokku upgrade-guard:snapshot",
	}
}

// listed names the first few of many apps.
func listed(names []string) string {
	const few = 3
	if len(names) <= few+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// partsUnknown are the files of apps that could not be read, or were not, and the apps
// that were not asked at all of their addresses.
func (o *Observation) partsUnknown() (list []string) {
	for _, name := range o.unasked {
		list = append(list, name+": "+notAllAsked)
	}
	for _, name := range o.Files.Apps {
		s := o.Now.Apps[name]
		for _, u := range slices.Concat(s.Unreadable, s.LeftOut) {
			list = append(list, name+": "+u)
		}
	}
	return list
}
