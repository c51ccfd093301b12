package guard

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// taken are the commands of Dokku's that apply --all takes on itself: those that start or
// build again what an app has already. What needs a decision or a value stays a person's.
var taken = []string{"dokku ps:start", "dokku ps:restart", "dokku ps:rebuild", "dokku proxy:build-config"}

// onBehalf is a command that is typed on a person's behalf.
type onBehalf struct{ app, command string }

// TakenOver prints the commands that apply --all runs about findings, and returns them
// with the number of the apps they are for.
func (g *Guard) TakenOver(found []hazard.Finding) (list []onBehalf, apps int) {
	var names []string
	for _, f := range found {
		for _, command := range taken {
			if f.Kind == hazard.Manual && f.Command == say.Command(command, f.App) && !slices.Contains(list, onBehalf{f.App, command}) {
				list = append(list, onBehalf{f.App, command})
				names = append(names, f.App)
			}
		}
	}
	slices.Sort(names)
	if apps = len(slices.Compact(names)); apps > 0 {
		g.Out.Title("To start or build again: %s", say.Plural(apps, "app"))
	}
	for _, l := range list {
		g.Out.Result("       %s", say.Command(l.command, l.app))
	}
	return list, apps
}

// ApplyAll is Apply, and after it what Apply leaves to a person because it takes apps'
// builds or containers anew. What it would run is shown first, and confirmed by the number
// of apps it is for.
func (g *Guard) ApplyAll(ctx context.Context, guesses bool, ask Asking) (Left, error) {
	left, err := g.Apply(ctx, guesses)
	if ctx.Err() != nil {
		return left, err
	}
	list, apps := g.TakenOver(left.Findings)
	if apps > 0 && ask != nil {
		if refused := ask(strconv.Itoa(apps)); refused != nil {
			return left, joined(err, refused)
		}
	}
	if apps == 0 {
		return left, err
	}
	for i, l := range list {
		if ctx.Err() != nil {
			return left, joined(err, plan.ErrInterrupted)
		}
		command := say.Command(l.command, l.app)
		g.Out.Step("[%d/%d] %s", i+1, len(list), command)
		if _, failed := g.Host.Run(ctx, "dokku", "--quiet", l.command[len("dokku "):], l.app); failed != nil {
			err = joined(err, say.Hint(fmt.Errorf("%s: %w", l.app, failed), "To see why: %s", command))
		}
	}
	// What was wrong before is asked anew.
	again, failed := g.Apply(ctx, guesses)
	return again, joined(err, failed)
}
