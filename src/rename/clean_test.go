package rename

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// The old containers are left the time they have to end what they are doing, and a
// person who does not wait for it ends the waiting.
func TestTheOldContainersAreDrained(t *testing.T) {
	var paused []time.Duration
	var ran []string
	enough := errors.New("enough")
	r := newRename(t, func(h host.Host) host.Host {
		return &host.Faulty{Host: h, Pause: func(d time.Duration) error { paused = append(paused, d); return nil },
			Before: func(op host.Op) error { ran = append(ran, op.Name); return enough }}
	})
	r.Runs, r.Drain = true, time.Minute
	if err := r.destroy(context.Background()); !errors.Is(err, enough) || len(paused) != 1 || paused[0] != time.Minute || len(ran) != 1 || ran[0] != "dokku --force apps:destroy blog" {
		t.Errorf("%v: waited %v and ran %q", err, paused, ran)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if ran = nil; !errors.Is(r.destroy(ended), context.Canceled) || len(ran) > 0 {
		t.Errorf("%q was run", ran)
	}
}

// What is root's in the old app's directories keeps no rename from its end; a full disk,
// or whatever may be better next time, does.
func TestWhatIsNotOursToRemove(t *testing.T) {
	for _, c := range []struct{ why, want error }{
		{nil, nil},
		{&fs.PathError{Op: "unlinkat", Path: "x", Err: syscall.EACCES}, nil},
		{&fs.PathError{Op: "unlinkat", Path: "x", Err: syscall.EIO}, syscall.EIO},
	} {
		var said strings.Builder
		r := newRename(t, func(h host.Host) host.Host {
			return &host.Faulty{Host: h, Before: func(op host.Op) error {
				if op.Kind == "remove" {
					return c.why
				}
				return nil
			}}
		})
		r.Out = &say.Printer{Out: &said, Err: &said}
		if err := r.discard(r.Host.Paths().App("blog")); !errors.Is(err, c.want) {
			t.Errorf("%v: %v", c.why, err)
		}
		if told := strings.Contains(said.String(), "could be removed"); told != errors.Is(c.why, fs.ErrPermission) {
			t.Errorf("%v: %q", c.why, said.String())
		}
	}
}
