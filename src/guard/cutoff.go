package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// A restore that is killed after its files and before Dokku has built nginx's
// configuration from them looks done: run again it would say "as in the snapshot", and
// the app would be served as before. So a restore is noted before its first step and
// until after its last.

// cutOff is what cut-off restores have left of an app. apply has nginx's configuration
// built where the restore would, which overwrites nothing. Values it does not put back: between then and now
// somebody may have set others, so that is for whoever asked for it.
func (g *Guard) cutOff(s hazard.Subject, known state.State) (found []hazard.Finding) {
	restores, err := g.State.Restoring(s.Now.Name)
	if err != nil {
		g.Out.Error(err)
		return nil
	}
	for _, cut := range restores {
		f := hazard.Finding{What: fmt.Sprintf("a restore from %s did not finish: ", cut.Snapshot)}
		var left []string
		var build *plan.Step
		r, err := restore.New(s, cut.Snapshot, append([]string{s.Now.Name}, known.Formerly(s.Now.Name)...), g.oldFiles(cut.Snapshot))
		if err == nil {
			r.Unbuilt = true
			steps, _, _ := r.Plan(cut.Parts)
			for _, step := range steps {
				if step.Text == hazard.TextBuild {
					build = &step
				} else {
					left = append(left, step.Text)
				}
			}
		}
		switch {
		case len(left) > 0:
			f.What += "not done is " + strings.Join(left, "; ")
			f.Command = again(s.Now.Name, cut)
		case !s.Now.Deployed():
			continue // there is nothing to be built
		case build == nil:
			// The snapshot cannot be read, which is said; or a build would make reachable
			// what was not in it (restoration.built), which the restore says.
			f.What += "nginx's configuration was not built"
			if f.Command = again(s.Now.Name, cut); err != nil {
				f.Command = say.Command("dokku proxy:build-config", s.Now.Name)
			}
		case s.Routing.Drops().Part != "":
			f.What += "nginx's configuration was not built, because " + s.Routing.Drops().Why()
			f.Command = s.Routing.Drops().Command
		default:
			f.What += "nginx's configuration was not built"
			f.Step = build
			f.Step.Do = then(f.Step.Do, func() error { return g.State.EndRestore(s.Now.Name, cut.Parts) })
		}
		found = append(found, f.Of(s.Now.Name, restore.Name))
	}
	return found
}

// again is the command that finishes a restore.
func again(name string, cut state.Restore) string {
	command := say.Command("dokku upgrade-guard:restore", name, "--snapshot", cut.Snapshot)
	if !slices.Equal(cut.Parts, restore.Parts) {
		command += " --only " + strings.Join(cut.Parts, ",")
	}
	return command
}

// then does something after a step has been done.
func then(do func(context.Context, host.Host) error, more func() error) func(context.Context, host.Host) error {
	return func(ctx context.Context, h host.Host) error {
		if err := do(ctx, h); err != nil {
			return err
		}
		return more()
	}
}
