package guard

import (
	"context"
	"errors"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// Left is what a run of apply has left: nothing of it is an error.
type Left struct {
	Findings []hazard.Finding
	Unknown  []Unknown
}

// ForYou tells whether anything is left to a person, or not known.
func (l Left) ForYou() bool { return len(forYou(l.Findings))+len(l.Unknown) > 0 }

// Apply does, or goes on with, the work after an upgrade, whatever auto-apply says.
// With guesses it also does what was recorded nowhere and is guessed.
func (g *Guard) Apply(ctx context.Context, guesses bool) (left Left, err error) {
	if _, _, err := g.versions(); err != nil {
		return left, err
	}
	// First: of an app that is half renamed, both halves would look lost.
	cutOff := g.ResumeRenames(ctx)
	if errors.Is(cutOff, errRenaming) {
		return left, cutOff // neither half of it is to be touched now
	}
	err = g.alone(ctx, func() error {
		out, err := g.finish(ctx, occasion{}, guesses)
		left = Left{out.found, out.left}
		return err
	})
	err = joined(cutOff, err)
	if ctx.Err() != nil {
		return left, err
	}
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
	Unknown  []Unknown
}

// Due tells whether there is anything to do, for the guard or for a person, or not known.
func (p Plan) Due() bool {
	return open(p.Findings) || len(p.Jobs)+len(p.Unknown) > 0
}

// DryRun prints what Apply would do, by the same findings, and changes nothing.
func (g *Guard) DryRun(ctx context.Context) (Plan, error) {
	o, m, err := g.look(ctx)
	if err != nil {
		return Plan{}, err
	}
	g.ask(ctx, o)
	p := Plan{Findings: g.assess(o, m), Unknown: g.notKnown(o, m)}
	if p.Jobs, err = g.openJobs(); err != nil {
		return p, err
	}
	title := count(p.Findings, "repair")
	if n := len(p.Jobs); n > 0 && !open(p.Findings) {
		title = say.Plural(n, "queued job")
	}
	g.Out.Title("%s", o.asFarAsKnown(title))
	printPlan(g.Out, p.Findings)
	cutOff, underWay := g.unfinishedRenames()
	for _, text := range cutOff {
		g.Out.Result("       %-4s %s", plan.Change, text)
	}
	for _, text := range underWay {
		g.Out.Result("       %s", text)
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
	g.printLeft(o.worstFirst(p.Findings))
	tellUnknown(g.Out, p.Unknown)
	g.sayVersion(o)
	return p, nil
}
