package snapshot

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// A filesystem without locks, or with no more of them to give, is not taken for another
// process, and the file is named.
func TestALockThatCannotBeTakenIsNamed(t *testing.T) {
	local, ctx := newHost(t), context.Background()
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

// A machine without a battery begins in 1970, and is put right by the network in the
// middle of the work. Each snapshot is listed, in order as far as a date is one, and those
// from beyond tomorrow say so.
func TestAClockThatJumps(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	h := &host.Faulty{Host: newHost(t), Clock: func() time.Time { return now }}
	s := New(h)
	save := func() string {
		t.Helper()
		m, err := s.Save(app.NewFiles("0.35.5", nil, nil, nil), PreUpgrade)
		if err != nil {
			t.Fatal(err)
		}
		return m.ID
	}
	listed := func(ids, future []string) {
		t.Helper()
		list, err := s.List()
		if err != nil {
			t.Fatal(err)
		}
		var all, beyond []string
		for _, e := range list {
			all = append(all, e.ID)
			if e.Future {
				beyond = append(beyond, e.ID)
			}
		}
		if diff := cmp.Diff(ids, all) + cmp.Diff(future, beyond); diff != "" {
			t.Error(diff)
		}
	}
	before := save()
	now = now.Add(-time.Hour) // a little back: still in order
	after := save()
	listed([]string{after, before}, nil)

	right := now
	now = time.Unix(0, 0).UTC()
	early := save()
	listed([]string{early, after, before}, []string{after, before})
	if err := s.Prune(1, nil); err != nil {
		t.Fatal(err)
	}
	listed([]string{early, after, before}, []string{after, before}) // what is beyond tomorrow is not counted

	now = right
	listed([]string{after, before, early}, nil)
	now = right.AddDate(1, 0, 0)
	ahead := save()
	now = right
	listed([]string{after, before, early, ahead}, []string{ahead})
}
