package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
)

// ForgetOptions say which snapshots go: those that are named, or, of those that nobody has
// called anything, all but the newest.
type ForgetOptions struct {
	IDs []string
	// KeepLast are so many of the newest, KeepMonthly the newest of each of so many
	// months; 0 for none.
	KeepLast, KeepMonthly int
	DryRun                bool
}

// ForgetSnapshots removes snapshots because a person asks for it. What is needed is not removed,
// and said.
func (g *Guard) ForgetSnapshots(ctx context.Context, o ForgetOptions) error {
	return g.unlessDry(ctx, o.DryRun, func() error {
		steps, err := g.forgotten(o)
		if err != nil {
			return err
		}
		if len(steps) == 0 {
			g.Out.Result("       Nothing is to be forgotten")
			return nil
		}
		if o.DryRun {
			steps.Print(g.Out)
			return nil
		}
		return steps.Apply(ctx, g.Host, plan.NewJournal(g.Host, forgetting), g.Out)
	})
}

// unlessDry takes the store's lock for what is more than a dry run.
func (g *Guard) unlessDry(ctx context.Context, dry bool, work func() error) error {
	if dry {
		return work()
	}
	return g.locked(ctx, lockTimeout, work)
}

// forgotten is the plan of what goes.
func (g *Guard) forgotten(o ForgetOptions) (steps plan.Plan, err error) {
	needed, err := g.needed()
	if err != nil {
		return nil, err
	}
	var going []snapshot.Entry
	if len(o.IDs) > 0 {
		going, err = g.namedAll(o.IDs)
	} else {
		going, err = g.surplus(o)
	}
	if err != nil {
		return nil, err
	}
	var refused []error
	for _, e := range going {
		if why := needed[e.ID]; why != "" {
			refused = append(refused, fmt.Errorf("%s is kept: %s", e.ID, why))
			continue
		}
		steps = append(steps, forget(e))
	}
	if len(o.IDs) > 0 && len(refused) > 0 {
		return nil, joined(append(refused, errors.New("nothing is forgotten"))...)
	}
	for _, why := range refused {
		g.Out.Trouble("%s", why)
	}
	return steps, nil
}

func forget(e snapshot.Entry) plan.Step {
	return plan.Step{
		App: host.GlobalScope, Hazard: forgetting, Mark: plan.Remove, Text: "snapshot " + e.ID,
		Do: func(_ context.Context, h host.Host) error { return snapshot.New(h).Remove(e.ID) },
	}
}

// namedAll are the snapshots that a person has named, each of which must be there.
func (g *Guard) namedAll(ids []string) (found []snapshot.Entry, err error) {
	list, err := g.Store.All()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if id == "latest" || id == "live" {
			return nil, say.Hint(fmt.Errorf("%s is no snapshot that can be forgotten", id), "Name it by its id, as dokku upgrade-guard:snapshots shows it.")
		}
		full, err := g.named(id, "")
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(list, func(e snapshot.Entry) bool { return e.ID == full })
		if i < 0 {
			return nil, say.Hint(fmt.Errorf("there is no snapshot %s", id), "See dokku upgrade-guard:snapshots for those there are.")
		}
		if !slices.Contains(found, list[i]) {
			found = append(found, list[i])
		}
	}
	return found, nil
}

// surplus are those that are neither among the last nor the newest of a month. Labelled
// ones, those from elsewhere, and those whose date is none, are named by whoever wants
// them gone. One that is damaged takes no other's place, and stays for a person to look at.
func (g *Guard) surplus(o ForgetOptions) (surplus []snapshot.Entry, err error) {
	list, err := g.Store.List()
	if err != nil {
		return nil, err
	}
	last, months := 0, map[string]bool{}
	for _, e := range list {
		if e.Label != "" || e.Future {
			continue
		}
		month := e.Time.Format("2006-01")
		keep := last < o.KeepLast || len(months) < o.KeepMonthly && !months[month]
		if keep {
			if _, err := g.Store.Verify(e.ID); err != nil {
				g.Out.Error(err)
				continue
			}
			last++
			if len(months) < o.KeepMonthly {
				months[month] = true
			}
			continue
		}
		surplus = append(surplus, e)
	}
	if last == 0 && len(surplus) > 0 {
		return nil, errors.New("none of the snapshots that would be kept is whole: nothing is forgotten")
	}
	return surplus, nil
}
