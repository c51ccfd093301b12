package guard

import (
	"maps"
	"path/filepath"
	"slices"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/state"
)

// What was written ahead of an upgrade: entered before it is written, withdrawn where the
// upgrade does not come, and Dokku's own once the version that reads it is there.

// seedLifetime is how long what was seeded for an upgrade stays in place when
// the upgrade does not come.
const seedLifetime = time.Hour

// withdraw takes away the seeds that are chosen, where they are still as the
// guard wrote them. Once the version that reads them is on the disk they are
// Dokku's own and stay.
func (g *Guard) withdraw(known *state.State, chosen func(state.Seed) bool) error {
	if len(known.Seeds) == 0 {
		return nil
	}
	disk := host.DokkuVersion(g.Host)
	for path, seed := range known.Seeds {
		if !chosen(seed) || !app.Before(disk, seed.ReadFrom) {
			continue
		}
		if now, err := g.Host.ReadFile(path); err == nil && slices.Contains(seed.SHA256, app.Digest(now)) {
			if err := g.Host.Remove(path); err != nil {
				return err
			}
			// The directory too, if it was made for the seed: it cannot be
			// removed where it holds anything else.
			_ = g.Host.Remove(filepath.Dir(path))
		}
		delete(known.Seeds, path)
	}
	if len(known.Seeds) == 0 {
		known.Seeds = nil
	}
	return nil
}

// enterSeed enters that a file is about to hold a content of ours.
func enterSeed(l *state.State, s plan.Step, now time.Time) {
	if l.Seeds == nil {
		l.Seeds = map[string]state.Seed{}
	}
	seed, digest := l.Seeds[s.Path], app.Digest(s.Data)
	if !slices.Contains(seed.SHA256, digest) {
		seed.SHA256 = append(slices.Clone(seed.SHA256), digest)
	}
	seed.App, seed.ReadFrom, seed.Time = s.App, s.Seed, now
	l.Seeds[s.Path] = seed
}

// givenUp withdraws what was written ahead of an upgrade that has not come.
func (g *Guard) givenUp() error {
	known, err := g.readState()
	if err != nil {
		return err
	}
	if err := g.withdraw(&known, func(state.Seed) bool { return true }); err != nil {
		return err
	}
	if err := g.State.Save(known); err != nil {
		return err
	}
	return g.State.SetPhase("")
}

// settleSeeds lets go of what was seeded for the version that is there now, which is
// Dokku's own, and withdraws what was seeded for one that has not come. Where no
// upgrade was pending somebody ran apply between pre-upgrade and the upgrade. It tells
// whether there were any to withdraw.
func (g *Guard) settleSeeds(known *state.State, disk string, pending bool) (some bool, err error) {
	maps.DeleteFunc(known.Seeds, func(_ string, s state.Seed) bool { return !app.Before(disk, s.ReadFrom) })
	some = pending && len(known.Seeds) > 0
	if some {
		if err := g.withdraw(known, func(state.Seed) bool { return true }); err != nil {
			return some, err
		}
	}
	if len(known.Seeds) == 0 {
		known.Seeds = nil
	}
	return some, nil
}
