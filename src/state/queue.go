package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"upgrade-guard/src/host"
)

// Job is long work that waits for its turn, or had it.
type Job struct {
	Kind string `json:"kind"`
	App  string `json:"app,omitempty"`
	Arg  string `json:"arg,omitempty"`
	// State is one of the Job... below, since Time.
	State string    `json:"state"`
	Time  time.Time `json:"time"`
	// Begun is how often the job was begun. One that has ended its process again
	// and again is given up.
	Begun int    `json:"begun,omitempty"`
	Error string `json:"error,omitempty"`
}

// States of a job.
const (
	JobQueued  = "queued"
	JobRunning = "running" // or interrupted, when no process works at the queue
	JobDone    = "done"
	JobFailed  = "failed"
)

// Same tells whether two jobs are the same work.
func (j Job) Same(k Job) bool { return j.Kind == k.Kind && j.App == k.App && j.Arg == k.Arg }

// Open tells whether there is anything left to do of a job.
func (j Job) Open() bool { return j.State == JobQueued || j.State == JobRunning }

// Queued tells whether the queue holds something to do.
func (s *Store) Queued() bool { return s.word("queue") != "" }

// SetQueued notes that the queue holds something to do, or nothing any more.
func (s *Store) SetQueued(any bool) error {
	if !any {
		return s.h.Remove(s.h.Paths().Data("queue"))
	}
	if s.Queued() {
		return nil
	}
	return s.h.Write(s.h.Paths().Data("queue"), 0o600, []byte("to do\n"))
}

// LockQueue makes this process the one that works at the queue, until the
// returned function is called; taken is false where another one is.
func LockQueue(ctx context.Context, h host.Host) (release func(), taken bool, err error) {
	if err := h.Mkdir(h.Paths().Data(), 0o700); err != nil {
		return nil, false, err
	}
	// QueueBusy may hold it for an instant.
	release, err = h.Lock(ctx, queueLock(h), 0o600, time.Second)
	if errors.Is(err, host.ErrLocked) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("the lock %s cannot be taken: %w", queueLock(h), err)
	}
	return release, true, nil
}

func queueLock(h host.Host) string { return h.Paths().Data("queue.lock") }

// QueueBusy tells whether a process works at the queue.
func QueueBusy(h host.Host) bool {
	busy, _ := h.Locked(queueLock(h)) // one that cannot be looked at is nobody's
	return busy
}
