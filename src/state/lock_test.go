package state

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"upgrade-guard/src/host"
)

// A filesystem without locks, or with no more of them to give, is not taken for another
// process, and the file is named.
func TestALockThatCannotBeTakenIsNamed(t *testing.T) {
	local, ctx := host.NewLocal(host.Paths{LibRoot: t.TempDir()}), context.Background()
	h := &host.Faulty{Host: local, Locks: func(string) error { return syscall.ENOLCK }}
	for file, take := range map[string]func() error{
		"lock":       func() error { _, err := Lock(ctx, h, time.Minute); return err },
		"queue.lock": func() error { _, _, err := LockQueue(ctx, h); return err },
	} {
		want := "the lock " + h.Paths().Data(file) + " cannot be taken: no locks available"
		if err := take(); err == nil || err.Error() != want {
			t.Errorf("%s: %v", file, err)
		}
	}
	if QueueBusy(h) {
		t.Error("a queue that cannot be looked at is worked at")
	}

	h.Locks = func(string) error { return host.ErrLocked }
	if _, err := Lock(ctx, h, time.Minute); err == nil || !strings.Contains(err.Error(), "another upgrade-guard process has held the lock for more than 1m0s") {
		t.Error(err)
	}
	if _, taken, err := LockQueue(ctx, h); taken || err != nil {
		t.Error("the queue is worked at by another process, and that is no error:", taken, err)
	}
	if !QueueBusy(h) {
		t.Error("the queue is not worked at")
	}
}
