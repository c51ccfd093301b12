package host_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"upgrade-guard/src/host"
	"upgrade-guard/src/rename"
	"upgrade-guard/tests/sandbox"
)

// A rename was cut off, and then an upgrade came. Neither half of it is looked at, so
// nothing of it is resolved either: its baseline stands until the rename is through.
func TestHalfARenameIsNotResolved(t *testing.T) {
	box, h := newHost(t, sandbox.Before)
	ctx := context.Background()
	var out strings.Builder
	g := quietGuard(h, &out)
	if err := errors.Join(g.Install(ctx), g.PreUpgrade(ctx, "0.20.4", "0.35.5"), box.Upgrade("0.35.5")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Mkdir(h.Paths().Data("renames"), 0o700),
		h.Write(h.Paths().Data("renames", "my_app.json"), 0o600, []byte(`{"from":"my_app","to":"my-app","phase":"`+rename.Build+`"}`))); err != nil {
		t.Fatal(err)
	}
	if err := g.PostUpgrade(ctx, "0.20.4", "0.35.5"); err != nil {
		t.Log(err)
	}
	known, err := g.State.Read()
	if b, open := known.Unresolved["my_app"]; err != nil || !open || b.Snapshot == "" {
		t.Fatalf("it is resolved: %+v, %v\n%s", known.Unresolved, err, &out)
	}
	if err := errors.Join(h.Remove(h.Paths().Data("renames", "my_app.json")), h.Remove(h.Paths().Property("ps", "my_app", "scale"))); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Apply(ctx, false); err != nil {
		t.Log(err)
	}
	if b, err := h.ReadFile(h.Paths().Property("ps", "my_app", "scale")); err != nil || !strings.Contains(string(b), "web=2") {
		t.Errorf("its scale is %q (%v)\n%s", b, err, &out)
	}
}

// What a run has done until it was interrupted stands in the report.
func TestInterruptedRoutesKeepTheirJournal(t *testing.T) {
	_, h := newHost(t, sandbox.Before)
	ctx, cancel := context.WithCancel(context.Background())
	var out strings.Builder
	g := quietGuard(h, &out)
	if err := errors.Join(g.Install(ctx), h.Remove(h.Paths().App("my_app")+"/nginx.conf"), h.Remove(h.Paths().App("blog")+"/nginx.conf")); err != nil {
		t.Fatal(err)
	}
	n := 0
	faulty := &host.Faulty{Host: h, Before: func(op host.Op) error {
		if op.Kind == "run" && strings.Contains(op.Name, ":build-config") {
			if n++; n == 2 {
				cancel()
			}
		}
		return nil
	}}
	err := quietGuard(faulty, &out).Routes(ctx)
	if err == nil || strings.Count(err.Error(), "* ") != 1 || !strings.Contains(err.Error(), "interrupted") || strings.Contains(out.String(), "did not end in time") {
		t.Errorf("%v\n%s", err, &out)
	}
	known, stateErr := g.State.Read()
	if stateErr != nil || len(known.Runs) == 0 {
		t.Errorf("its journal is not known: %+v, %v\n%v\n%s", known, stateErr, err, &out)
	}
}
