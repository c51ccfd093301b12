package host_test

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"upgrade-guard/src/host"
	"upgrade-guard/tests/sandbox"
)

// The key of the fingerprints is for printing alone: where it cannot be written, all
// else is done, and no fingerprint is printed rather than a plain one.
func TestKeyCannotBeWritten(t *testing.T) {
	box, local := newHost(t, sandbox.Before)
	h := &host.Faulty{Host: noDocker{local}, Before: func(op host.Op) error {
		if op.Kind == "write" && filepath.Base(op.Name) == "key" {
			return syscall.ENOSPC
		}
		return nil
	}}
	var out strings.Builder
	g := quietGuard(h, &out)
	ctx := context.Background()
	if err := g.Install(ctx); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "the key of the fingerprints cannot be written") || !strings.Contains(out.String(), "Snapshot") {
		t.Error(out.String())
	}
	if err := g.PreUpgrade(ctx, "0.20.4", "0.35.5"); err != nil {
		t.Fatal(err)
	}
	if err := box.Upgrade("0.35.5"); err != nil {
		t.Fatal(err)
	}
	env := h.Paths().App("blog") + "/ENV"
	b, err := h.ReadFile(env)
	if err != nil {
		t.Fatal(err)
	}
	if err := local.Write(env, 0o600, append(b, "NAME=\"another\"\n"...)); err != nil {
		t.Fatal(err)
	}
	_ = g.PostUpgrade(ctx, "0.20.4", "0.35.5") // without docker it has more to say
	r, err := g.Report(ctx, "blog")
	if err != nil || len(r.Apps) != 1 {
		t.Fatal(err)
	}
	drift := strings.Join(r.Apps[0].Drift, "; ")
	if !strings.Contains(drift, "the variable NAME of its environment has another value") || strings.Contains(drift, "fingerprint") {
		t.Errorf("drift: %q", drift)
	}
	if email := r.Apps[0].Letsencrypt.Env["email"]; email != "set" {
		t.Errorf("the email is %q", email)
	}
}
