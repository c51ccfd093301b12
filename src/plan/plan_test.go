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
