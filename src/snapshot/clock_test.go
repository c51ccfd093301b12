package snapshot

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// A machine without a battery begins in 1970, and is put right by the network in the
// middle of the work. Each snapshot is listed, in order as far as a date is one, and those
// from beyond tomorrow say so.
func TestAClockThatJumps(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	h := &host.Faulty{Host: host.NewLocal(host.Paths{LibRoot: t.TempDir()}), Clock: func() time.Time { return now }}
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
