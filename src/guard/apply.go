package guard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// ApplyTo is Apply for one app: what can be done for it is, whatever the others wait for.
// An upgrade that is not looked after yet stays so, and nothing of it is resolved.
func (g *Guard) ApplyTo(ctx context.Context, name string, guesses bool) (left Left, err error) {
	if err := g.appThere(name); err != nil {
		return left, err
	}
	if err := g.configured(ctx); err != nil {
		return left, err
	}
	if g.halves()[name] {
		return left, say.Hint(fmt.Errorf("%s is being renamed", name), "When it is done, or was cut off: dokku upgrade-guard:apply")
	}
	err = g.alone(ctx, func() error {
		o, m, err := g.look(ctx)
		if err != nil {
			return err
		}
		m.guesses, m.occasion = guesses, occasion{app: name}
		found := g.assess(o, m)
		g.Out.Title("%s: %s", name, o.asFarAsKnown(count(m.occasion.chosen(found), "repair")))
		journal := plan.NewJournal(g.Host, "apply")
		out, failure := g.act(ctx, o, m, found, journal)
		overtaken := g.overtaken(ctx, o.Now.Dokku, out)
		left = Left{m.occasion.chosen(out.found), g.notKnown(out.Observation, m)}
		err = joined(failure, overtaken, g.locked(context.WithoutCancel(ctx), lockTimeout, func() error {
			return g.changeState(func(known *state.State) error {
				enterRun(known, journal)
				known.Unbuilt = out.unbuilt(known.Unbuilt)
				if overtaken == nil { // what is there now is another upgrade's
					g.resolveOne(known, out, m, name)
				}
				return nil
			})
		}))
		g.printLeft(left.Findings)
		tellUnknown(g.Out, left.Unknown)
		g.sayVersion(out.Observation)
		return err
	})
	return left, err
}

// resolveOne enters whether one app is unresolved, as close does for all of them.
func (g *Guard) resolveOne(known *state.State, out outcome, m *memory, name string) {
	if out.cutOff || m.underWay {
		return
	}
	all := *known
	g.close(&all, out, m)
	known.Unresolved = maps.Clone(known.Unresolved)
	delete(known.Unresolved, name)
	if b, open := all.Unresolved[name]; open {
		if known.Unresolved == nil {
			known.Unresolved = map[string]state.Baseline{}
		}
		known.Unresolved[name] = b
	}
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

// DryRun prints what Apply would do, or ApplyTo where an app is named, by the same
// findings, and changes nothing.
func (g *Guard) DryRun(ctx context.Context, name string, guesses bool) (Plan, error) {
	if name != "" {
		if err := g.appThere(name); err != nil {
			return Plan{}, err
		}
	}
	o, m, err := g.look(ctx)
	if err != nil {
		return Plan{}, err
	}
	g.ask(ctx, o)
	p := Plan{Findings: occasion{app: name}.chosen(g.assess(o, m)), Unknown: g.notKnown(o, m)}
	if p.Jobs, err = g.openJobs(); err != nil || name != "" {
		p.Jobs = nil
	}
	if err != nil {
		return p, err
	}
	title := count(p.Findings, "repair")
	if n := len(p.Jobs); n > 0 && !open(p.Findings) {
		title = say.Plural(n, "queued job")
	}
	g.Out.Title("%s", planned(o.asFarAsKnown(title)))
	marks := printPlan(g.Out, p.Findings, guesses)
	left := o.worstFirst(p.Findings)
	if guesses { // they are in the plan
		left = slices.DeleteFunc(left, func(f hazard.Finding) bool { return f.Kind == hazard.Guess })
	}
	if name != "" {
		plan.Legend(g.Out, marks)
		g.printLeft(left)
		tellUnknown(g.Out, p.Unknown)
		g.sayVersion(o)
		return p, nil
	}
	change := func(text string) {
		marks = append(marks, plan.Change)
		g.Out.Result("       %-4s %s", plan.Change, text)
	}
	cutOff, underWay := g.unfinishedRenames()
	for _, text := range cutOff {
		change(strings.TrimSuffix(text, cutOffToDo))
	}
	for _, text := range underWay {
		g.Out.Result("       %s", text)
	}
	for _, j := range p.Jobs {
		change(JobText(j))
	}
	if m.upgraded {
		for _, d := range g.RenamesDue(o.Files, o.Now, o.Now.Dokku) {
			if d.Why == nil {
				change(JobText(state.Job{Kind: JobRename, App: d.From, Arg: d.To}))
			}
		}
	}
	plan.Legend(g.Out, marks)
	g.printLeft(left)
	tellUnknown(g.Out, p.Unknown)
	g.sayVersion(o)
	return p, nil
}
