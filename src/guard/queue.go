package guard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"runtime/debug"

	"github.com/hashicorp/go-multierror"

	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/rename"
	"upgrade-guard/src/say"
	"upgrade-guard/src/state"
)

// The queue holds what takes longer than a run of the package manager may be
// held up (docs/laws.md, law 9). It is a list in the known, so it is there after a
// reboot. One process works at it, which the hooks start detached, or apply in
// the foreground. It holds the store's lock only for as long as it takes to write
// down what it does: a deploy's triggers wait for that lock, and would lose
// their lockTimeout with a rename.

// do does one job. Each must be safe to be begun again where a killed process has
// left it.
func (g *Guard) do(ctx context.Context, j state.Job) error {
	if err := g.configured(ctx); err != nil {
		return err // half of a Dokku does no work
	}
	if j.Kind != JobUpgrade { // which is what the others would wait for
		g.settle(ctx)
	}
	switch j.Kind {
	case JobRoutes:
		return g.inTurn(ctx, func() error { return g.Routes(ctx) })
	case JobUpgrade:
		return g.inTurn(ctx, func() error { return g.postUpgrade(ctx, occasion{}) })
	case JobRename:
		unfinished, err := rename.Unfinished(g.Host)
		if err != nil {
			return err
		}
		_, begun := unfinished[j.App]
		if _, err := g.Host.Stat(g.Host.Paths().App(j.App)); errors.Is(err, fs.ErrNotExist) && !begun {
			return nil // somebody has renamed or destroyed it since
		}
		return g.Rename(ctx, j.App, j.Arg, RenameOptions{})
	}
	return fmt.Errorf("this version of upgrade-guard knows no work called %q", j.Kind)
}

// inTurn does what is done while no other run repairs anything. One may repair for
// minutes, and nobody comes back to a job that failed.
func (g *Guard) inTurn(ctx context.Context, work func() error) error {
	err := work()
	for end := g.Host.Now().Add(settleTime); errors.Is(err, state.ErrBusy) && g.Host.Now().Before(end) && g.Host.Sleep(ctx, breath) == nil; {
		err = work()
	}
	return err
}

// QueueRoutes is called when docker or nginx were upgraded: the addresses of all
// containers may be new. Docker's restart has Dokku restart every app, which
// takes longer than dpkg's run. Whether the program docker is still there is seen at once.
func (g *Guard) QueueRoutes(ctx context.Context) error {
	if _, err := g.Host.Run(ctx, "docker", "--version"); errors.Is(err, exec.ErrNotFound) {
		g.Out.Trouble("The program docker is not there, so no command of Dokku's that asks docker works. To do: %s", g.dockerCommand(err.Error()))
	}
	if !g.autoApply() {
		g.Out.Step("docker or nginx was upgraded, and auto-apply is off. To see what has come of it: dokku upgrade-guard:check")
		return nil
	}
	return g.locked(ctx, lockTimeout, func() error {
		known, err := g.readState()
		if err != nil {
			return err
		}
		if err := g.enqueue(&known, state.Job{Kind: JobRoutes}); err != nil {
			return err
		}
		if err := g.State.Save(known); err != nil {
			return err
		}
		g.Out.Step("docker or nginx was upgraded: nginx's upstreams are checked after this. Progress: dokku upgrade-guard:report")
		return nil
	})
}

// RunQueue does what is queued, one job after the other; with again, also what
// has failed. It does nothing where another process is at it already, and nothing by
// itself while auto-apply is off: then what is queued waits for apply.
func (g *Guard) RunQueue(ctx context.Context, again bool) error {
	if !again && !g.autoApply() {
		return g.State.SetQueued(false)
	}
	release, mine, err := state.LockQueue(ctx, g.Host)
	if err != nil {
		return err
	}
	if !mine {
		g.Out.Step("Another process works at the queue. Progress: dokku upgrade-guard:report")
		return nil
	}
	defer release()
	if again {
		if err := g.changeQueue(ctx, func(l *state.State) {
			for i := range l.Queue {
				if l.Queue[i].State == state.JobFailed {
					l.Queue[i] = state.Job{Kind: l.Queue[i].Kind, App: l.Queue[i].App, Arg: l.Queue[i].Arg, State: state.JobQueued, Time: g.Host.Now()}
				}
			}
		}); err != nil {
			return err
		}
	}
	var errs *multierror.Error
	journal := plan.NewJournal(g.Host, "queue")
	for {
		job, err := g.nextJob(ctx)
		if err != nil {
			return multierror.Append(errs, err)
		}
		if job == nil {
			return errs.ErrorOrNil()
		}
		step := plan.Step{App: job.App, Hazard: job.Kind, Mark: plan.Change, Text: JobText(*job),
			Do: func(ctx context.Context, _ host.Host) error { return g.safely(ctx, *job) }}
		if step.App == "" {
			step.App = host.GlobalScope
		}
		failure := plan.Plan{step}.Apply(ctx, g.Host, journal, g.Out)
		if ctx.Err() != nil {
			return multierror.Append(errs, ctx.Err()) // interrupted: the job is still open
		}
		if failure != nil {
			errs = multierror.Append(errs, failure)
		}
		if err := g.changeQueue(ctx, func(l *state.State) {
			for i := range l.Queue {
				if j := &l.Queue[i]; j.Same(*job) && j.State == state.JobRunning {
					j.State, j.Time = state.JobDone, g.Host.Now()
					if failure != nil {
						j.State, j.Error = state.JobFailed, say.Redact(say.Line(failure))
					}
				}
			}
		}); err != nil {
			return multierror.Append(errs, err)
		}
	}
}

// nextJob is the first job that is open, marked as running; nil when there is
// none. One that is marked already was left by a process that died.
func (g *Guard) nextJob(ctx context.Context) (*state.Job, error) {
	var next *state.Job
	err := g.changeQueue(ctx, func(l *state.State) {
		for i := range l.Queue {
			j := &l.Queue[i]
			switch {
			case !j.Open() || next != nil:
			case j.Begun >= jobAttempts:
				j.State, j.Time = state.JobFailed, g.Host.Now()
				j.Error = fmt.Sprintf("gave up: the worker died %d times", j.Begun)
			default:
				j.State, j.Time, j.Begun = state.JobRunning, g.Host.Now(), j.Begun+1
				taken := *j
				next = &taken
			}
		}
	})
	return next, err
}

// safely does a job and makes an error of a panic, so that the jobs after it get
// their turn.
func (g *Guard) safely(ctx context.Context, j state.Job) (err error) {
	defer func() {
		if r := recover(); r != nil {
			g.Out.Stack(debug.Stack())
			err = say.Hint(fmt.Errorf("it went wrong and was given up: %v", r), "Please report this with what stands above.")
		}
	}()
	return g.do(ctx, j)
}
