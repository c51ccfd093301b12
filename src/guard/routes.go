package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"upgrade-guard/src/hazard"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// Routes sees to it that nginx serves every app from the app's own containers,
// outside of an upgrade of Dokku: after one of docker or nginx, and whenever
// addresses may have changed. It does nothing, and says nothing, where all is
// well.
func (g *Guard) Routes(ctx context.Context) error {
	disk, lastSeen, err := g.versions()
	if err != nil {
		return err
	}
	if lastSeen != "" && lastSeen != disk { // all of the work is due
		return g.postUpgrade(ctx, occasion{})
	}
	return g.alone(ctx, func() error {
		o, m, err := g.look(ctx)
		if err != nil {
			return err
		}
		if missing := o.Now.DockerMissing; missing != "" {
			hint := "When docker runs again: dokku upgrade-guard:apply"
			if o.dockerCommand != dockerStatus {
				hint = "To do: " + o.dockerCommand + ", then dokku upgrade-guard:apply"
			}
			return say.Hint(fmt.Errorf("nothing is known of the containers: %s", missing), "%s", hint)
		}
		oc := occasion{about: hazard.AboutNginx}
		m.occasion = oc
		if !g.autoApply() {
			g.ask(ctx, o)
			found := oc.chosen(g.assess(o, m))
			if len(found) == 0 {
				return nil
			}
			g.Out.Title("nginx: auto-apply is off, nothing is changed")
			plan.Legend(g.Out, printPlan(g.Out, found, false))
			g.printLeft(o.worstFirst(found))
			g.Out.Detail("To do this: dokku upgrade-guard:apply")
			return nil
		}
		journal := plan.NewJournal(g.Host, hazard.AboutNginx)
		out, failure := g.act(ctx, o, m, g.assess(o, m), journal)
		g.printLeft(out.worstFirst(oc.chosen(out.found)))
		// Also where it was interrupted: what was done until then is known.
		return joined(failure, g.locked(context.WithoutCancel(ctx), lockTimeout, func() error {
			return g.changeState(func(known *state.State) error {
				known.Unbuilt = out.unbuilt(known.Unbuilt)
				enterRun(known, journal)
				if failure == nil && !out.cutOff { // what has failed of the same before, with docker away perhaps, is done by this
					known.Queue = slices.DeleteFunc(slices.Clone(known.Queue), func(j state.Job) bool { return j.Kind == JobRoutes && j.State == state.JobFailed })
				}
				_, err := g.forgetQuarantined(out.Observation)
				return err
			})
		}))
	})
}

// AfterDocker is Routes where docker has been started since it was last called.
// Docker tells nobody; but it writes its process id anew, and Dokku's timer, which
// runs every five minutes, sees the file's time (hook/dokkurc). While Dokku itself
// restarts the apps, which up to 0.37 takes every nginx.conf away first, it is left
// for the next time.
func (g *Guard) AfterDocker(ctx context.Context) error {
	docker, err := g.Host.Stat(dockerPID)
	if err != nil {
		return nil
	}
	seen := g.Host.Paths().Data("routes")
	st, err := g.Host.Stat(seen)
	// What is dated ahead of now was written under a wrong clock, and says nothing.
	known := err == nil && !st.ModTime().After(g.Host.Now().Add(time.Minute))
	if known && !docker.ModTime().After(st.ModTime()) || g.restoring(ctx) {
		return nil
	}
	failure := g.Routes(ctx)
	// Entered only now: a run that is killed, interrupted, or did not get its turn, is due still. One
	// that has failed is told, and repeating it every five minutes would repair nothing.
	if again, err := g.Host.Stat(dockerPID); ctx.Err() != nil || errors.Is(failure, state.ErrBusy) || err != nil || !again.ModTime().Equal(docker.ModTime()) {
		return failure
	}
	return errors.Join(failure, g.Host.Write(seen, 0o600, []byte(docker.ModTime().UTC().Format(time.RFC3339)+"\n")))
}

// dockerPID is where docker writes its process id when it is started.
const dockerPID = "/var/run/docker.pid"
