package guard

import (
	"context"
	"errors"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/state"
)

// HoldEnv is called when Dokku has written the environment of an app, or the host's: what
// it does not keep of it is put in again.
func (g *Guard) HoldEnv(ctx context.Context, scope, operation string, names []string) error {
	if scope == "" {
		scope = host.GlobalScope
	}
	if !hazard.Holds(g.Host, scope, operation, names) || !g.autoApply() {
		return nil
	}
	return g.locked(ctx, deployLockTimeout, func() error { return hazard.Hold(ctx, g.Host, scope, operation, names...) })
}

// setAside takes out of the environments what the Dokku that is about to be installed
// does not keep. What that does not read it cannot spoil, and does not stop at.
func (g *Guard) setAside(ctx context.Context) error {
	if !g.autoApply() || !app.ReadsAnew(host.DokkuVersion(g.Host)) {
		return nil
	}
	return g.environments(ctx, "core-install", func(c hazard.Context, scope string) *plan.Step { return hazard.SetAside(c, scope) })
}

// putBack puts that in again where the installation has not come to its end: nobody knows
// when it will. What we have taken out goes back whatever auto-apply says by now: else the
// property would be its last copy.
func (g *Guard) putBack(ctx context.Context) error {
	return g.environments(ctx, "not-installed", hazard.PutBack)
}

// environments does a step for each environment of the host.
func (g *Guard) environments(ctx context.Context, why string, step func(hazard.Context, string) *plan.Step) error {
	return g.locked(ctx, lockTimeout, func() error {
		files, err := app.Capture(ctx, g.Host, app.What{NoCommands: true})
		if err != nil {
			return err
		}
		c := g.context(files, "", files.Dokku, state.State{})
		var steps plan.Plan
		for _, scope := range append([]string{host.GlobalScope}, files.Apps...) {
			if s := step(c, scope); s != nil {
				s.App, s.Hazard = scope, hazard.EnvValues
				steps = append(steps, *s)
			}
		}
		if len(steps) == 0 {
			return nil
		}
		if why == "core-install" && g.State.Phase() == "" { // first: its end is to be looked after
			err = g.State.SetPhase(BeforeCore)
		}
		return errors.Join(err, steps.Apply(ctx, g.Host, plan.NewJournal(g.Host, why), g.Out))
	})
}
