package guard

import (
	"fmt"
	"slices"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// undoneUpgrades are the upgrades that lead from a version to one above it and were not
// undone since, the last one first; none where no such way is known.
func undoneUpgrades(known state.State, to, from string) []state.Upgrade {
	var way []state.Upgrade
	for _, u := range known.Upgrades {
		if !app.Before(u.To, u.From) {
			way = append(way, u)
			continue
		}
		// A way back: what it has undone is no part of a later one.
		for len(way) > 0 && app.Before(u.To, way[len(way)-1].To) {
			way = way[:len(way)-1]
		}
	}
	slices.Reverse(way)
	for i, u := range way {
		if i == 0 && u.To != from || i > 0 && u.To != way[i-1].From {
			return nil
		}
		if u.From == to {
			return way[:i+1]
		}
	}
	return nil
}

// sameRun is how long before its baseline an upgrade may have begun: apt takes a snapshot when
// it has decided, dpkg one right before it unpacks. What prevents losses is written between
// the two, and is nobody's setting.
const sameRun = 15 * time.Minute

// bounding are the snapshots from right before and right after an upgrade, "" for none.
func bounding(list []snapshot.Entry, u state.Upgrade) (before, after string) {
	var baseline time.Time
	for _, e := range list { // newest first
		switch {
		case e.ID == u.Baseline:
			before, baseline = e.ID, e.Time
		case before != "" && e.Reason == snapshot.PreUpgrade && e.Dokku == u.From && baseline.Sub(e.Time) < sameRun:
			before = e.ID
		case before != "":
			return before, after
		case e.Reason == snapshot.PostUpgrade && e.Dokku == u.To:
			after = e.ID
		}
	}
	return before, after
}

// hops is a way back, upgrade by upgrade, and why there is none. It reads whole snapshots,
// so it is read once.
func (g *Guard) hops(from, to string) ([]hazard.Hop, string) {
	if !app.Before(to, from) {
		return nil, ""
	}
	if !app.Known(from) || !app.Known(to) {
		return nil, "this release of upgrade-guard does not know both versions"
	}
	way, known := g.ways[from+" "+to]
	if !known {
		way.hops, way.why = g.readHops(from, to)
		if g.ways == nil {
			g.ways = map[string]wayBack{}
		}
		g.ways[from+" "+to] = way
	}
	return way.hops, way.why
}

func (g *Guard) readHops(from, to string) (hops []hazard.Hop, why string) {
	known, err := g.State.Read()
	if err != nil {
		return nil, err.Error()
	}
	if n := len(known.Upgrades); n > 0 && known.Upgrades[n-1].From == from && known.Upgrades[n-1].To == to {
		known.Upgrades = known.Upgrades[:n-1] // the way back itself, which has left something to do
	}
	way := undoneUpgrades(known, to, from)
	if len(way) == 0 {
		return nil, fmt.Sprintf("no upgrade from %s to %s was seen", to, from)
	}
	list, err := g.Store.List()
	if err != nil {
		return nil, err.Error()
	}
	for _, u := range way {
		before, after := bounding(list, u)
		if before == "" || after == "" {
			return nil, fmt.Sprintf("the snapshots from before and after the upgrade from %s to %s are not both there", u.From, u.To)
		}
		hop := hazard.Hop{Before: g.oldFiles(before), After: g.oldFiles(after)}
		if !wholly(hop.Before) || !wholly(hop.After) {
			return nil, fmt.Sprintf("the snapshots from before and after the upgrade from %s to %s cannot both be read whole", u.From, u.To)
		}
		hops = append(hops, hazard.Hop{Before: asCalledNow(hop.Before, known), After: asCalledNow(hop.After, known)})
	}
	return hops, ""
}

// neededForUndoing are the snapshots by which the upgrades on the way back from the present
// version can be undone.
func neededForUndoing(known state.State, list []snapshot.Entry) (ids []string) {
	const upgrades = 4 // nobody goes back further than that
	for i := len(known.Upgrades) - 1; i >= 0 && len(ids) < 2*upgrades; i-- {
		if before, after := bounding(list, known.Upgrades[i]); before != "" && after != "" {
			ids = append(ids, before, after)
		}
	}
	return ids
}

// wholly tells whether all that a snapshot names was read: what was left out of it is not
// known to have been missing, and must not be taken away.
func wholly(files *app.Files) bool {
	return files != nil && !files.Partial && len(files.Refused) == 0
}

// cameFrom is the version that the last upgrade to the present one came from, and why it
// cannot be undone. It reads no snapshot.
func (g *Guard) cameFrom(known state.State, disk string) (from, why string) {
	n := len(known.Upgrades)
	if n == 0 || known.Upgrades[n-1].To != disk || !app.Before(known.Upgrades[n-1].From, disk) {
		return "", "no upgrade to it was seen"
	}
	last := known.Upgrades[n-1]
	list, err := g.Store.List()
	if before, after := bounding(list, last); err != nil || before == "" || after == "" {
		return "", fmt.Sprintf("the snapshots from before and after the upgrade from %s are not both there", last.From)
	}
	return last.From, ""
}

// asCalledNow are files with the apps by the names that they bear now.
func asCalledNow(files *app.Files, known state.State) *app.Files {
	for _, name := range slices.Clone(files.Apps) {
		if now := known.Now(name); now != name && !slices.Contains(files.Apps, now) {
			files = files.Renamed(name, now)
		}
	}
	return files
}
