package guard

import (
	"context"
	"fmt"
	"slices"
	"time"

	"upgrade-guard/src/state"
)

// The jobs of the queue, as they stand in the state. Who works at them is in queue.go.

// Kinds of jobs.
const (
	JobRoutes  = "routes"  // nginx's upstreams, after docker or nginx was upgraded
	JobUpgrade = "upgrade" // the work after an upgrade of Dokku
	JobRename  = "rename"  // of App to Arg
)

// JobText says in words what a job is.
func JobText(j state.Job) string {
	switch j.Kind {
	case JobRoutes:
		return "nginx routing checked and repaired"
	case JobUpgrade:
		return "the work after the upgrade of Dokku"
	case JobRename:
		return fmt.Sprintf("%s renamed to %s", j.App, j.Arg)
	}
	return j.Kind + " " + j.App + " " + j.Arg
}

const (
	// jobAttempts is how often a job may end the process that does it.
	jobAttempts = 3
	// jobsKept is how many jobs that are over the report still tells of.
	jobsKept = 20
)

// enqueue adds jobs to the queue. What waits there already, or has failed, waits
// once. The caller holds the lock and saves the known.
func (g *Guard) enqueue(known *state.State, jobs ...state.Job) error {
	for _, j := range jobs {
		known.Queue = slices.DeleteFunc(slices.Clone(known.Queue), func(k state.Job) bool {
			return k.Same(j) && k.State != state.JobRunning
		})
		j.State, j.Time = state.JobQueued, g.Host.Now()
		known.Queue = append(known.Queue, j)
	}
	// Before the state: a note without a job is harmless, a job without one
	// would wait for apply.
	return g.State.SetQueued(true)
}

// openJobs are the jobs of which something is left to do for apply: also those
// that have failed.
func (g *Guard) openJobs() ([]state.Job, error) {
	known, err := g.readState()
	return slices.DeleteFunc(slices.Clone(known.Queue), func(j state.Job) bool { return j.State == state.JobDone }), err
}

// changeQueue changes the queue under the lock and takes out what is over and
// told long enough.
func (g *Guard) changeQueue(ctx context.Context, change func(*state.State)) error {
	return g.locked(ctx, time.Minute, func() error {
		known, err := g.readState()
		if err != nil {
			return err
		}
		known.Queue = slices.Clone(known.Queue)
		change(&known)
		over := 0
		for i := len(known.Queue) - 1; i >= 0; i-- {
			if j := known.Queue[i]; j.State == state.JobDone {
				if over++; over > jobsKept {
					known.Queue = slices.Delete(known.Queue, i, i+1)
				}
			}
		}
		if err := g.State.Save(known); err != nil {
			return err
		}
		return g.State.SetQueued(slices.ContainsFunc(known.Queue, state.Job.Open))
	})
}
