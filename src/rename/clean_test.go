package rename

import (
	"context"
	"errors"
	"testing"
	"time"

	"upgrade-guard/src/host"
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
