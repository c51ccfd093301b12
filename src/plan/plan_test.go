package plan_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

// On a host without nginx, where another proxy serves, a restore cannot ask whether nginx
// takes a snippet. That is told, and the restore has not failed for it.
func TestWhatIsNotKnownIsToldAndIsNoFailure(t *testing.T) {
	h := host.NewLocal(host.Paths{LibRoot: t.TempDir()})
	var told bytes.Buffer
	steps := plan.Plan{
		{App: "blog", Text: "asked", Do: func(context.Context, host.Host) error {
			return plan.NotKnown{What: "whether it is so is not known: nobody can be asked"}
		}},
		{App: "blog", Text: "done", Do: func(context.Context, host.Host) error { return errors.New("it broke") }},
	}
	errs := steps.Results(context.Background(), h, plan.NewJournal(h, "test"), &say.Printer{Out: &told, Err: &told})
	if errs[0] != nil || errs[1] == nil {
		t.Errorf("%v", errs)
	}
	if !strings.Contains(told.String(), "blog: whether it is so is not known: nobody can be asked") {
		t.Error(told.String())
	}
}

// Each repair is noted before it is begun and after it, and what is done reaches the disk with
// what begins next: once for each repair, and once in the end. On a full disk nothing noted is
// lost that can be written later.
func TestWhatIsNotedReachesTheDisk(t *testing.T) {
	for _, full := range []int{0, 1, 2, 4} { // the turn at which the disk is full
		local := host.NewLocal(host.Paths{LibRoot: t.TempDir()})
		turn := 0
		h := &host.Faulty{Host: local, Before: func(op host.Op) error {
			if op.Kind != "append" {
				return nil
			}
			if turn++; turn == full {
				return errors.New("no space left on device")
			}
			return nil
		}}
		journal := plan.NewJournal(h, "test")
		var noted []string // when each is done
		events := func() (list []string) {
			ids, err := plan.Journals(local)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				lines, err := plan.ReadJournal(local, id)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range lines {
					list = append(list, l.Event+" "+l.Text)
				}
			}
			return list
		}
		var steps plan.Plan
		for _, text := range []string{"a", "b", "c"} {
			steps = append(steps, plan.Step{App: "blog", Text: text, Do: func(context.Context, host.Host) error {
				noted = append(noted, strings.Join(events(), ", "))
				return nil
			}})
		}
		errs := steps.Results(context.Background(), h, journal, &say.Printer{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
		failed := 0
		for _, err := range errs {
			if err != nil {
				failed++
			}
		}
		if turn != 4 || failed != min(full, 1) {
			t.Errorf("full at %d: %d times, %v", full, turn, errs)
		}
		if full == 0 && noted[2] != "begin a, done a, begin b, done b, begin c" {
			t.Errorf("before c is done there is %q", noted[2])
		}
		if got := strings.Join(events(), ", "); full < 4 && got != "begin a, done a, begin b, done b, begin c, done c" {
			t.Errorf("full at %d: %q", full, got)
		}
	}
}
