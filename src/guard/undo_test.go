package guard

import (
	"testing"
	"time"

	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/state"
)

// Which upgrades lead from a version to the present one, and by which snapshots each of them
// is undone.
func TestTheWayBack(t *testing.T) {
	up := func(versions ...string) (known state.State) {
		for i := range versions[1:] {
			known.Upgrades = append(known.Upgrades, state.Upgrade{From: versions[i], To: versions[i+1]})
		}
		return known
	}
	for about, c := range map[string]struct {
		known    state.State
		to, from string
		hops     int
	}{
		"one upgrade":                     {up("0.29.4", "0.38.27"), "0.29.4", "0.38.27", 1},
		"two":                             {up("0.20.4", "0.29.4", "0.38.27"), "0.20.4", "0.38.27", 2},
		"the last of two":                 {up("0.20.4", "0.29.4", "0.38.27"), "0.29.4", "0.38.27", 1},
		"up, back and up again":           {up("0.29.4", "0.38.27", "0.29.4", "0.38.27"), "0.29.4", "0.38.27", 1},
		"back half the way, and further":  {up("0.20.4", "0.29.4", "0.38.27", "0.29.4"), "0.20.4", "0.29.4", 1},
		"another version than it was":     {up("0.29.4", "0.38.27"), "0.30.11", "0.38.27", 0},
		"to one that it never was":        {up("0.29.4", "0.38.27"), "0.20.4", "0.38.27", 0},
		"an upgrade that nobody has seen": {up("0.29.4", "0.35.5"), "0.29.4", "0.38.27", 0},
		"none":                            {state.State{}, "0.29.4", "0.38.27", 0},
	} {
		if got := undoneUpgrades(c.known, c.to, c.from); len(got) != c.hops {
			t.Errorf("%s: %v", about, got)
		}
	}
	at := func(minutes int, dokku, reason string) snapshot.Entry {
		when := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
		return snapshot.Entry{ID: when.Format("1504") + reason, Time: when, Dokku: dokku, Reason: reason}
	}
	list := []snapshot.Entry{
		at(50, "0.38.27", snapshot.PreRestore), at(40, "0.38.27", snapshot.PostUpgrade), at(32, "0.38.27", snapshot.PostUpgrade),
		at(31, "0.29.4", snapshot.PreUpgrade), at(30, "0.29.4", snapshot.PreUpgrade), at(5, "0.29.4", snapshot.PreUpgrade), at(0, "0.29.4", snapshot.Installed),
	}
	before, after := bounding(list, state.Upgrade{From: "0.29.4", To: "0.38.27", Baseline: "0131" + snapshot.PreUpgrade})
	if before != "0130"+snapshot.PreUpgrade || after != "0132"+snapshot.PostUpgrade {
		t.Errorf("it is bounded by %s and %s", before, after)
	}
	if before, after := bounding(list[3:], state.Upgrade{From: "0.29.4", To: "0.38.27", Baseline: "0131" + snapshot.PreUpgrade}); before == "" || after != "" {
		t.Errorf("without what came after it, by %q and %q", before, after)
	}
}
