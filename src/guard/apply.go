package guard

import (
	"context"
	"errors"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// Apply does, or goes on with, the work after an upgrade, whatever auto-apply says.
// With guesses it also does what was recorded nowhere and is guessed. It returns what
// is left; of what is left to a person nothing is an error.
func (g *Guard) Apply(ctx context.Context, guesses bool) (left []hazard.Finding, err error) {
	if _, _, err := g.versions(); err != nil {
		return nil, err
	}
	// First: of an app that is half renamed, both halves would look lost.
	cutOff := g.ResumeRenames(ctx)
	if errors.Is(cutOff, errRenaming) {
		return nil, cutOff // neither half of it is to be touched now
	}
	err = g.alone(ctx, func() (err error) {
		left, err = g.finish(ctx, occasion{}, guesses)
		return err
	})
	err = joined(cutOff, err)
	// Without the lock, and also where the work above has failed in part.
	if jobs, queueErr := g.openJobs(); queueErr != nil {
		err = joined(err, queueErr)
	} else if len(jobs) > 0 {
		err = joined(err, g.RunQueue(ctx, true))
	}
	return left, err
}

// Plan is what apply would do.
type Plan struct {
	Findings []hazard.Finding
	Jobs     []state.Job
}

// Due tells whether there is anything to do, for the guard or for a person.
func (p Plan) Due() bool {
	return len(repairs(p.Findings))+len(forYou(p.Findings))+len(p.Jobs) > 0
}

// DryRun prints what Apply would do, by the same findings, and changes nothing.
func (g *Guard) DryRun(ctx context.Context) (Plan, error) {
	o, m, err := g.look(ctx)
	if err != nil {
		return Plan{}, err
	}
	g.ask(ctx, o)
	p := Plan{Findings: g.assess(o, m)}
	if p.Jobs, err = g.openJobs(); err != nil {
		return p, err
	}
	title := count(p.Findings, "repair")
	if n := len(p.Jobs); n > 0 && len(repairs(p.Findings))+len(forYou(p.Findings)) == 0 {
		title = say.Plural(n, "queued job")
	}
	g.Out.Title("%s", title)
	printPlan(g.Out, p.Findings)
	for _, text := range g.unfinishedRenames() {
		g.Out.Result("       %-4s %s", plan.Change, text)
	}
	for _, j := range p.Jobs {
		g.Out.Result("       %-4s %s", plan.Change, JobText(j))
	}
	if m.upgraded {
		for _, d := range g.RenamesDue(o.Files, o.Now, o.Now.Dokku) {
			if d.Why == nil {
				g.Out.Result("       %-4s %s", plan.Change, JobText(state.Job{Kind: JobRename, App: d.From, Arg: d.To}))
			}
		}
	}
	g.printLeft(p.Findings)
	g.sayUnknown(o)
	return p, nil
}
