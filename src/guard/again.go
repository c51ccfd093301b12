package guard

import (
	"context"
	"slices"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// What is looked at between the rounds of act.

// lookAgain is the host after something was done for some apps: these are looked at again,
// and nginx is asked; the others are as they were. Where that is most of them, or the host
// itself, or more has changed than that, all of it is. nginx names one file that it refuses
// at a time, so there may be as many rounds as there are such apps. What is asserted in the
// end goes by a look at the whole (act).
func (g *Guard) lookAgain(ctx context.Context, o *Observation, names []string) (*Observation, error) {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == host.GlobalScope })
	if o.asked || o.Files.Partial || o.Now.DockerMissing != "" || 2*len(names) > len(o.Files.Apps) || len(names) == 0 {
		return g.observe(ctx)
	}
	captured, err := app.Capture(ctx, g.Host, app.What{Apps: names})
	if err != nil {
		return nil, err
	}
	files, now, ok := o.Now.Again(o.Files, names, captured)
	if !ok {
		return g.observe(ctx)
	}
	next, err := g.observed(ctx, files, now)
	if err != nil {
		return nil, err
	}
	next.again = map[string]bool{}
	for _, name := range append(names, o.culprit, next.culprit) {
		next.again[name] = true
	}
	for _, name := range files.Apps {
		if !slices.Equal(o.routing[name], next.routing[name]) || o.locked[name] != next.locked[name] || o.renaming[name] != next.renaming[name] {
			next.again[name] = true // by what was done for another
		}
	}
	return next, nil
}

// seenAgain tells whether an app was looked at again, or what is seen of it may be another
// than it was.
func (o *Observation) seenAgain(name string) bool { return o.again == nil || o.again[name] }
