package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestLock(t *testing.T) {
	h, ctx := NewLocal(Paths{}), context.Background()
	name := filepath.Join(t.TempDir(), "lock")
	if locked, err := h.Locked(name); locked || err != nil {
		t.Errorf("a file that is missing: %t, %v", locked, err)
	}
	if _, err := os.Lstat(name); err == nil {
		t.Error("to look at a lock has made its file")
	}
	unlock, err := h.Lock(ctx, name, 0o600, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Lock(ctx, name, 0o600, 2*lockPoll); !errors.Is(err, ErrLocked) {
		t.Errorf("taken twice: %v", err)
	}
	if locked, err := h.Locked(name); !locked || err != nil {
		t.Errorf("taken: %t, %v", locked, err)
	}
	// Whoever is told to end is not told that it has waited in vain.
	ended, end := context.WithCancel(ctx)
	end()
	if _, err := h.Lock(ended, name, 0o600, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	unlock()
	if locked, err := h.Locked(name); locked || err != nil {
		t.Errorf("let go: %t, %v", locked, err)
	}
	if unlock, err = h.Lock(ctx, name, 0o600, time.Second); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestSleep(t *testing.T) {
	h := NewLocal(Paths{})
	if err := h.Sleep(context.Background(), time.Millisecond); err != nil {
		t.Error(err)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if err := h.Sleep(ended, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What a test breaks of the clock and the locks is broken, and nothing else.
func TestFaultyClockAndLocks(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	h := &Faulty{Host: NewLocal(Paths{})}
	if d := time.Since(h.Now()); d < 0 || d > time.Minute {
		t.Errorf("the machine's time is %s off", d)
	}
	unlock, err := h.Lock(context.Background(), name, 0o600, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	unlock()

	then, slept, why := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), time.Duration(0), error(ErrLocked)
	h.Clock = func() time.Time { return then }
	h.Pause = func(d time.Duration) error { slept += d; return nil }
	h.Locks = func(string) error { return why }
	if err := h.Sleep(context.Background(), time.Hour); err != nil || slept != time.Hour || !h.Now().Equal(then) {
		t.Error(err, slept, h.Now())
	}
	if _, err := h.Lock(context.Background(), name, 0o600, time.Hour); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	if locked, err := h.Locked(name); !locked || err != nil {
		t.Error(locked, err)
	}
	why = syscall.ENOLCK
	if _, err := h.Lock(context.Background(), name, 0o600, time.Hour); !errors.Is(err, syscall.ENOLCK) {
		t.Error(err)
	}
	if locked, err := h.Locked(name); locked || !errors.Is(err, syscall.ENOLCK) {
		t.Error(locked, err)
	}
}

func TestSetenv(t *testing.T) {
	const key = "UPGRADE_GUARD_TEST"
	t.Setenv(key, "") // and put back after the test
	os.Unsetenv(key)
	outer := Setenv(key, "outer")
	inner := Setenv(key, "inner")
	if v := os.Getenv(key); v != "inner" {
		t.Error(v)
	}
	inner()
	if v := os.Getenv(key); v != "outer" {
		t.Error(v)
	}
	outer()
	if v, set := os.LookupEnv(key); set {
		t.Error(v)
	}
}
