package guard

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/hashicorp/go-multierror"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// outcome is what a run of act has left.
type outcome struct {
	*Observation
	found []hazard.Finding
	// done tells that something was done, queued that the rest of it was queued.
	done, queued bool
	// left is what could not be looked at.
	left []Unknown
	// cutOff tells that it was interrupted, or that the host could not be observed any
	// more: what was found last is not how it is.
	cutOff bool
}

// act does what the findings say can be done, and is the only writing of repairs. Each
// round takes of every finding the next rung of its ladder that was not tried in this
// run, and of these only the first stage; then what it touched is observed again: what one
// stage did may have ended what the next was to end. It ends by itself, when nothing is
// left that was not tried, and all of the host was seen since. Answers are renewed when
// nothing else is left to do.
//
// The first findings are what assess has found of the first observation.
//
// The store's lock is held for files and settings, and not while Dokku builds, docker
// starts or requests are out: deploys wait for it.
func (g *Guard) act(ctx context.Context, o *Observation, m *memory, found []hazard.Finding, journal *plan.Journal) (outcome, error) {
	oc := m.occasion
	out := outcome{Observation: o, found: found}
	failed := map[string]error{} // by rung
	var errs *multierror.Error
	begun := g.Host.Now()
	stale := false // something was done since the answers were asked for
	look := func(next *Observation, err error) error {
		if err != nil {
			out.cutOff = true
			return err
		}
		out.Observation, out.found = next, g.assess(next, m)
		return nil
	}
	for {
		steps := m.next(out.found)
		if ctx.Err() != nil {
			out.cutOff = true
			return out, multierror.Append(errs, fmt.Errorf("interrupted: %w", ctx.Err()))
		}
		if len(steps) == 0 && out.again != nil {
			if err := look(g.observe(ctx)); err != nil {
				return out, multierror.Append(errs, err)
			}
			continue
		}
		if len(steps) == 0 {
			if len(m.run.Unloaded) > 0 && out.refused == "" && out.nginxUnknown == "" {
				// What was written without Dokku is loaded once, when all of it is there.
				if err := host.ReloadNginx(ctx, g.Host); err != nil {
					errs = multierror.Append(errs, err)
				}
				clear(m.run.Unloaded)
				stale = true
			}
			if out.asked && !stale {
				break
			}
			g.ask(ctx, out.Observation)
			if stale = false; len(out.answers) > 0 { // else nothing is known that was not before
				out.found = g.assess(out.Observation, m)
			}
			continue
		}
		if n := len(steps.Apps()); oc.late(steps[0].Stage, n, begun, g.Host.Now()) {
			g.Out.Step("nginx's configuration of %s is built after this. Progress: dokku upgrade-guard:report", say.Plural(n, "app"))
			out.queued = true
			for _, err := range failed {
				errs = multierror.Append(errs, err)
			}
			return out, joined(errs.ErrorOrNil(), g.locked(ctx, lockTimeout, func() error {
				return g.changeState(func(known *state.State) error { return g.enqueue(known, state.Job{Kind: JobRoutes}) })
			}))
		}
		out.done, stale = true, true
		for i, err := range g.round(ctx, steps, m, journal) {
			switch {
			case err == nil:
			case ctx.Err() != nil: // it did not fail, and is said once
			case m.hasNext(out.found, steps[i]):
				g.Out.Error(err) // and the next rung is tried
			default:
				failed[rung(steps[i])] = err
			}
		}
		touched := steps.Apps()
		if steps[0].Stage == plan.Files {
			touched = nil // whatever goes by a setting is seen at once
		}
		if err := look(g.lookAgain(ctx, out.Observation, touched)); err != nil {
			return out, multierror.Append(errs, err)
		}
	}
	for i, f := range out.found {
		if f.Kind != hazard.Repair || !oc.chooses(f) || f.Step == nil {
			continue
		}
		var err error
		for _, s := range f.Ladder() {
			if failed[rung(s)] != nil {
				err = failed[rung(s)]
				delete(failed, rung(s))
			}
		}
		switch {
		case f.Command != "": // it is a person's now, who is told what to type
			if out.found[i].Kind = hazard.Manual; err != nil {
				g.Out.Error(err)
			}
		case err == nil:
			errs = multierror.Append(errs, fmt.Errorf("%s: %s", host.Place(f.App), f.What))
		default:
			errs = multierror.Append(errs, err)
		}
	}
	for _, err := range failed { // of what is found no more
		errs = multierror.Append(errs, err)
	}
	return out, errs.ErrorOrNil()
}

// round does steps of one stage.
func (g *Guard) round(ctx context.Context, steps plan.Plan, m *memory, journal *plan.Journal) []error {
	for _, s := range steps {
		m.tried[rung(s)] = true
	}
	if steps[0].Stage != plan.Files {
		for _, s := range steps {
			if s.Stage > plan.Build {
				g.sayWhy(s, m)
			}
		}
		return steps.Results(ctx, g.Host, journal, g.Out)
	}
	var results []error
	err := g.locked(ctx, lockTimeout, func() error {
		// They stand in the state, so that they are known to whoever goes on where this
		// is killed, or queued.
		err := g.changeState(func(known *state.State) error {
			known.Unbuilt = unbuiltAfter(steps, known.Unbuilt)
			m.state.Unbuilt = known.Unbuilt
			return nil
		})
		if err != nil {
			g.Out.Error(err)
		}
		results = steps.Results(ctx, g.Host, journal, g.Out)
		return nil
	})
	if results == nil { // not even begun
		results = make([]error, len(steps))
		for i, s := range steps {
			results[i] = fmt.Errorf("%s: %s: %w", host.Place(s.App), s.Text, err)
		}
	}
	return results
}

// sayWhy says of a rung that is no build of Dokku's why it is needed.
func (g *Guard) sayWhy(s plan.Step, m *memory) {
	if why := m.why[rung(s)]; why != "" {
		g.Out.Trouble("%s: %s", host.Place(s.App), why)
	}
}

// next are the steps of the next round: of every finding that the occasion chooses the
// first rung that was not tried, as far as they belong to the first stage.
func (m *memory) next(found []hazard.Finding) plan.Plan {
	var steps plan.Plan
	chosen := map[string]bool{}
	m.why = map[string]string{}
	for _, f := range found {
		if !m.occasion.chooses(f) || f.Kind != hazard.Repair && (f.Kind != hazard.Guess || !m.guesses) {
			continue
		}
		for _, s := range f.Ladder() {
			if m.tried[rung(s)] {
				continue
			}
			if s.Stage == plan.Quarantine && !m.run.MayQuarantine(s.App) {
				break
			}
			if m.why[rung(s)] = f.What; !chosen[rung(s)] {
				chosen[rung(s)] = true
				steps = append(steps, s)
			}
			break
		}
	}
	if len(steps) == 0 {
		return nil
	}
	first := slices.MinFunc(steps, func(a, b plan.Step) int { return int(a.Stage - b.Stage) }).Stage
	steps = slices.DeleteFunc(steps, func(s plan.Step) bool { return s.Stage != first })
	if first == plan.Build {
		// In the order of their hazards: until what nginx refuses is built, no build is loaded.
		order := func(s plan.Step) int {
			return slices.IndexFunc(hazard.All, func(h hazard.Hazard) bool { return h.Name == s.Hazard })
		}
		slices.SortStableFunc(steps, func(a, b plan.Step) int { return order(a) - order(b) })
	}
	return steps
}

// hasNext tells whether a finding that a step was to end has another rung.
func (m *memory) hasNext(found []hazard.Finding, s plan.Step) bool {
	for _, f := range found {
		if f.App != s.App || f.Hazard != s.Hazard {
			continue
		}
		ladder := f.Ladder()
		for i := range ladder {
			if rung(ladder[i]) == rung(s) {
				return i+1 < len(ladder)
			}
		}
	}
	return false
}

// unbuiltAfter are the apps of which something was put back that must be in nginx's
// configuration, when these steps are done.
func unbuiltAfter(steps plan.Plan, names []string) []string {
	names = slices.Clone(names)
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
	}
	for _, s := range steps {
		if hazard.Named(s.Hazard).InNginx && !known[s.App] {
			known[s.App] = true
			names = append(names, s.App)
		}
	}
	return names
}

// forgetQuarantined removes the copies of configurations that were quarantined and are
// good again: docker has spoken, nothing is wrong, and what stands there is Dokku's. It
// tells whether there were any.
func (g *Guard) forgetQuarantined(o *Observation) (some bool, err error) {
	var errs *multierror.Error
	for _, name := range o.Files.Apps {
		path := quarantinePath(g.Host, name)
		if _, err := g.Host.Lstat(path); err == nil && o.goodAgain(name) {
			some = true
			if err := g.Host.Remove(path); err != nil {
				errs = multierror.Append(errs, err)
			}
		}
	}
	return some, errs.ErrorOrNil()
}

// runsTold is how many runs since the last upgrade the report tells of.
const runsTold = 20

// enterRun enters a run that has done something, for the report.
func enterRun(known *state.State, journal *plan.Journal) {
	known.Runs = journal.AddTo(known.Runs)
	if n := len(known.Runs); n > runsTold {
		known.Runs = slices.Clone(known.Runs[n-runsTold:])
	}
}

// repairOnce does the first round of what the occasion is for, and nothing else. The
// caller holds the store's lock.
func (g *Guard) repairOnce(ctx context.Context, o *Observation, m *memory, why string) error {
	steps := m.next(g.losses(o, m))
	if len(steps) == 0 {
		return nil
	}
	journal := plan.NewJournal(g.Host, why)
	failure := steps.Apply(ctx, g.Host, journal, g.Out)
	return joined(failure, g.changeState(func(known *state.State) error {
		enterRun(known, journal)
		return nil
	}))
}

// changeState reads the state, changes it and stores it. The caller holds the store's
// lock.
func (g *Guard) changeState(change func(*state.State) error) error {
	known, err := g.readState()
	if err != nil {
		return err
	}
	return errors.Join(change(&known), g.State.Save(known))
}

// quarantinePath is where an app's configuration lies while it is quarantined.
func quarantinePath(h host.Host, name string) string {
	return nginx.QuarantinePath(filepath.Join(h.Paths().App(name), "nginx.conf"))
}

// unbuilt leaves of some apps those whose nginx configurations have still not all of their
// domains and ports, whatever else is wrong with them, or of which that is not certain.
func (out outcome) unbuilt(names []string) []string {
	o := out.Observation
	if out.queued || out.cutOff || o.Now.DockerMissing != "" {
		return names
	}
	var left []string
	for _, name := range names {
		if o.disputes(name) || hazard.Unbuilt(o.Files, o.Now.Apps[name]) != nil {
			left = append(left, name)
		}
	}
	return left
}
