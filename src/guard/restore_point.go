package guard

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// Which snapshot a restore takes where none is named: the newest from before the last
// upgrade. Where that is damaged, or gone, no other takes its place: one from after the
// upgrade has what was lost as "as in the snapshot", an older one has values that were
// changed before. The others are named, and a person chooses.

// restorePoint is the newest snapshot from before the last upgrade that holds an app, by
// any of its names. Where there was no upgrade, or the app is younger, it is the newest
// of all.
func (g *Guard) restorePoint(names []string, known state.State) (string, error) {
	list, err := g.Store.List()
	if err != nil {
		return "", err
	}
	upgrade, before := g.lastUpgrade(known)
	var order []snapshot.Entry
	add := func(e snapshot.Entry) {
		if !slices.ContainsFunc(order, func(o snapshot.Entry) bool { return o.ID == e.ID }) {
			order = append(order, e)
		}
	}
	if b, open := known.Unresolved[names[0]]; open && b.Snapshot != "" && !strings.HasPrefix(b.Snapshot, "live/") {
		add(snapshot.Entry{ID: b.Snapshot})
	}
	if upgrade.Baseline != "" {
		add(snapshot.Entry{ID: upgrade.Baseline})
	}
	for _, e := range list {
		if before == nil || before(e) {
			add(e)
		}
	}
	readable := 0
	for _, e := range order {
		m, err := g.Store.Manifest(e.ID)
		switch {
		case err != nil && before != nil:
			return "", g.chooseAnother(names, list, before, err)
		case err != nil:
			g.Out.Error(err)
			continue
		case holds(m, names):
			return e.ID, nil
		}
		readable++
	}
	if before == nil && len(list) == 0 {
		return "", say.Hint(fmt.Errorf("there is no snapshot, so nothing of %s can be put back", host.Place(names[0])), "To take one, for the next time: dokku upgrade-guard:snapshot")
	}
	if before == nil {
		return "", say.Hint(fmt.Errorf("no snapshot holds %s", host.Place(names[0])), "See dokku upgrade-guard:snapshots for those there are.")
	}
	if readable == 0 {
		return "", g.chooseAnother(names, list, before, fmt.Errorf("no snapshot from before the upgrade from Dokku %s to %s is left", upgrade.From, upgrade.To))
	}
	for _, e := range list { // it did not exist yet
		if m, err := g.Store.Manifest(e.ID); err == nil && holds(m, names) {
			return e.ID, nil
		}
	}
	return "", say.Hint(fmt.Errorf("no snapshot holds %s", host.Place(names[0])), "See dokku upgrade-guard:snapshots for those there are.")
}

// lastUpgrade is the last upgrade there was, or that is under way, and what tells the
// snapshots from before it; nil where there was none.
func (g *Guard) lastUpgrade(known state.State) (state.Upgrade, func(snapshot.Entry) bool) {
	if disk, lastSeen, err := g.versions(); err == nil && lastSeen != "" && lastSeen != disk {
		return state.Upgrade{From: lastSeen, To: disk}, func(e snapshot.Entry) bool { return e.Dokku != disk }
	}
	n := len(known.Upgrades)
	if n == 0 {
		return state.Upgrade{}, nil
	}
	last := known.Upgrades[n-1]
	return last, func(e snapshot.Entry) bool {
		// By the order of ids: of snapshots that are taken within a second the later bear
		// times that have not come yet.
		taken, baseline := e.Time.Format(snapshot.TimeLayout), last.Baseline
		if baseline == "" {
			baseline = last.Time.Format(snapshot.TimeLayout)
		}
		return !e.Future && e.Dokku != last.To && taken <= baseline
	}
}

// holds tells whether a snapshot has an app, by any of its names. All have the host's own
// settings.
func holds(m snapshot.Manifest, names []string) bool {
	if names[0] == host.GlobalScope {
		return true
	}
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(m.Apps, n) })
}

// chooseAnother is the error of a restore that takes none by itself, with those there are.
func (g *Guard) chooseAnother(names []string, list []snapshot.Entry, before func(snapshot.Entry) bool, why error) error {
	var earlier, later []string
	for _, e := range list {
		if m, err := g.Store.Manifest(e.ID); err != nil || !holds(m, names) {
			continue
		}
		if before(e) {
			earlier = append(earlier, e.ID)
		} else {
			later = append(later, e.ID)
		}
	}
	if live, err := g.Store.Live(names[0]); err == nil {
		if before(snapshot.Entry{Dokku: live.Dokku, Time: live.Time}) {
			earlier = append(earlier, "live")
		} else {
			later = append(later, "live")
		}
	}
	if len(earlier)+len(later) == 0 {
		return say.Hint(fmt.Errorf("%w; no other holds %s", plain(why), host.Place(names[0])), "Put a copy of one into %s, if there is any.", g.Host.Paths().Data("snapshots"))
	}
	err := fmt.Errorf("%w; another has to be chosen", plain(why))
	// Hints are printed from the outermost in.
	if len(later) > 0 {
		err = say.Hint(err, "From after it, with what it lost: %s", listedIDs(later))
	}
	if len(earlier) > 0 {
		err = say.Hint(err, "From before the upgrade: %s", listedIDs(earlier))
	}
	return say.Hint(err, "%s <id>", say.Command("dokku upgrade-guard:restore", names[0], "--snapshot"))
}

// plain is an error without its hints, of which others take the place.
func plain(err error) error { return errors.New(say.Line(err)) }

// listedIDs names the first few of many snapshots.
func listedIDs(ids []string) string {
	const few = 5
	if len(ids) <= few {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:few], ", "), len(ids)-few)
}

// named is the snapshot that a person means: an id, its beginning, latest for the newest
// there is, or live for the app's live snapshot.
func (g *Guard) named(id, name string) (string, error) {
	if id == "live" {
		if _, err := g.Store.Live(name); err != nil {
			return "", say.Hint(fmt.Errorf("there is no live snapshot of %s", name), "It is made by its next deploy, or change of its domains, ports or certificate. See dokku upgrade-guard:snapshots for what there is.")
		}
		return "live/" + name, nil
	}
	list, err := g.Store.All()
	if err != nil {
		return "", err
	}
	if len(list) == 0 && id == "latest" {
		return "", say.Hint(errors.New("there is no snapshot yet"), "To take one: dokku upgrade-guard:snapshot")
	}
	list = slices.DeleteFunc(list, func(e snapshot.Entry) bool {
		return e.ID != id && (e.Future || id == "latest" && e.From != "" || id != "latest" && !strings.HasPrefix(e.ID, id))
	})
	switch {
	case len(list) == 0 || slices.ContainsFunc(list, func(e snapshot.Entry) bool { return e.ID == id }):
		return id, nil // whoever reads it says that there is none
	case id == "latest" || len(list) == 1:
		return list[0].ID, nil
	}
	var ids []string
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return "", say.Hint(fmt.Errorf("%s is the beginning of %s", id, say.Plural(len(ids), "snapshot")), "They are: %s", listedIDs(ids))
}

// age says how old a snapshot is, where that is days: what it has may be long out of date.
func (g *Guard) age(id string) string {
	list, _ := g.Store.All()
	for _, e := range list {
		if days := int(g.Host.Now().Sub(e.Time).Hours() / 24); e.ID == id && days > 0 {
			return ", taken " + say.Plural(days, "day") + " ago"
		}
	}
	return ""
}
