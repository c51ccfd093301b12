package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// ErrLocked says that another process has a lock and has not let go of it in time.
var ErrLocked = errors.New("another process has the lock")

// lockPoll is how often a lock is tried that somebody has.
const lockPoll = 50 * time.Millisecond

// Lock takes a lock.
func (l *Local) Lock(ctx context.Context, name string, mode fs.FileMode, wait time.Duration) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	lock := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NONBLOCK), flock.SetPermissions(mode))
	// Tried once in any case: on a busy machine a short wait is over before it begins, and a
	// lock that nobody has would count as somebody's.
	taken := false
	err = ctx.Err()
	if !errors.Is(err, context.Canceled) {
		taken, err = lock.TryLock()
	}
	if err == nil && !taken {
		taken, err = lock.TryLockContext(ctx, lockPoll)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), err == nil && !taken:
		return nil, ErrLocked
	case err != nil:
		return nil, err
	}
	return func() { _ = lock.Unlock() }, nil // the process's end does it too
}

// Locked tells whether somebody has a lock.
func (l *Local) Locked(name string) (bool, error) {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(name, flock.SetFlag(syscall.O_NONBLOCK)) // to read is enough
	free, err := lock.TryRLock()
	if free {
		_ = lock.Unlock()
	}
	return err == nil && !free, err
}
