package rename

import (
	"context"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// A deploy lock that cannot be taken is told by what it is: a deploy, or a filesystem that
// has no locks. Nothing is begun then, and nothing is left.
func TestADeployLockThatCannotBeTaken(t *testing.T) {
	for _, c := range []struct {
		why  error
		want string
	}{
		{host.ErrLocked, "blog is being deployed"},
		{syscall.ENOLCK, "the deploy lock of blog cannot be taken: no locks available"},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}, "the deploy lock of blog cannot be taken: open x: permission denied"},
	} {
		r := newRename(t, func(h host.Host) host.Host {
			return &host.Faulty{Host: h, Locks: func(string) error { return c.why }}
		})
		if err := r.Run(context.Background()); err == nil || err.Error() != c.want {
			t.Errorf("%v", err)
		}
		if found, err := Unfinished(r.Host); len(found) > 0 || err != nil {
			t.Errorf("%v: it left %v, %v", c.why, found, err)
		}
		if _, err := r.Host.Lstat(r.Host.Paths().App("journal")); err == nil {
			t.Errorf("%v: journal was made", c.why)
		}
	}
}

// The file of a deploy lock that nobody has is a person's: dokku apps:lock.
func TestADeployLockOfAPerson(t *testing.T) {
	r := newRename(t, func(h host.Host) host.Host { return h })
	name := app.DeployLock(r.Host.Paths(), r.Dokku, "blog")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err == nil || err.Error() != "deploys of blog are locked" {
		t.Error(err)
	}
	if _, err := os.Lstat(name); err != nil {
		t.Error(err)
	}
	if locked, err := r.Host.Locked(name); locked || err != nil {
		t.Errorf("we have kept it: %t, %v", locked, err)
	}
}
