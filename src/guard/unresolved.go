package guard

import (
	"errors"
	"io/fs"
	"maps"
	"slices"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// What a run leaves unresolved.

// close enters which apps are unresolved, and by which baseline. Unresolved is also
// whoever could not be looked at: an app whose scale cannot be read, one without a
// baseline while a snapshot that may hold it cannot be read, and one of which Dokku's own
// commands do not confirm what is read: what is unresolved of it stays what it was, and
// after an upgrade all of it is.
func (g *Guard) close(known *state.State, out outcome, m *memory) {
	open, baselines := map[string]state.Baseline{}, m.baselines
	keep := func(name, hazard string) {
		b, again := open[name]
		if !again {
			b = state.Baseline{Dokku: m.lastSeen}
			if r, ok := baselines[name]; ok {
				b = state.Baseline{Snapshot: r.id, Dokku: r.state.Dokku}
			} else if old, ok := known.Unresolved[name]; ok {
				b = old
			}
		}
		if hazard != "" && !slices.Contains(b.Hazards, hazard) {
			b.Hazards = append(b.Hazards, hazard)
		}
		open[name] = b
	}
	for name := range out.disputed {
		if old, was := known.Unresolved[name]; was && !m.underWay {
			open[name] = old
		} else if m.underWay {
			keep(name, "")
		}
	}
	// Nor was what belongs to a rename that is under way or was cut off looked at.
	for name := range out.renaming {
		_, recorded := baselines[name]
		if old, was := known.Unresolved[name]; was && !m.underWay {
			open[name] = old
		} else if m.underWay && recorded {
			keep(name, "")
		}
	}
	for _, f := range out.found {
		if !out.disputes(f.App) && f.Recorded && f.Kind != hazard.Notice {
			keep(f.App, f.Hazard)
		}
	}
	for name, s := range out.Now.Apps {
		_, recorded := baselines[name]
		if !out.disputes(name) && (s.Scale.Unreadable || m.broken && !recorded) {
			keep(name, "")
		}
	}
	// Somebody may have destroyed it since it was observed: a new app of that name has no
	// past.
	maps.DeleteFunc(open, func(name string, _ state.Baseline) bool {
		if name == host.GlobalScope {
			return false
		}
		_, err := g.Host.Lstat(g.Host.Paths().App(name))
		return errors.Is(err, fs.ErrNotExist)
	})
	if len(open) == 0 {
		open = nil
	}
	known.Unresolved = open
}

// differ says, in words, what is unresolved: "2 apps differ".
func differ(open map[string]state.Baseline) string {
	_, hostToo := open[host.GlobalScope]
	switch n := len(open); {
	case hostToo && n == 1:
		return host.Place(host.GlobalScope) + " differs"
	case hostToo:
		return say.Plural(n-1, "app") + " and " + host.Place(host.GlobalScope) + " differ"
	case n == 1:
		return "1 app differs"
	default:
		return say.Plural(n, "app") + " differ"
	}
}
