package host_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/tests/sandbox"
)

// coming is an export of a host, with what looks like a repository.
func coming(t *testing.T) []byte {
	t.Helper()
	_, h := newHost(t, sandbox.Before)
	g := quietGuard(noDocker{h}, &strings.Builder{})
	m, err := g.Snapshot(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, size, archive, err := g.Store.Packed(m.ID)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := snapshot.Export(&out, snapshot.About{Host: "old", ID: m.ID, Time: m.Time}, size, archive, []snapshot.Repository{{App: "blog", Bundle: func(w io.Writer) error {
		_, err := io.WriteString(w, "# v2 git bundle\n\nPACK")
		return err
	}}}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// kept is what an import keeps, once.
func kept(t *testing.T, h host.Host, want bool) {
	t.Helper()
	s := snapshot.New(h)
	list, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, e := range list {
		if _, err := s.Manifest(e.ID); err != nil {
			t.Error(err)
		}
		if e.From == "" {
			continue
		}
		found++
		if _, err := s.Repository(e.ID, "blog"); err != nil {
			t.Error(err)
		}
	}
	beside, _ := filepath.Glob(h.Paths().Data("snapshots", "*.d"))
	_, err = os.Stat(h.Paths().Data("incoming"))
	if n := map[bool]int{true: 1}[want]; found != n || len(beside) != n || err == nil {
		t.Errorf("%d are kept, beside them %v, and %v of what was coming in", found, beside, err)
	}
}

// An import that is killed before, in or after any of its writes: the next one keeps it,
// once and whole; so the next snapshot leaves nothing of one that nobody begins again.
func TestImportIsKilledAnywhere(t *testing.T) {
	export := coming(t)
	ops := 0
	keep := func(h host.Host) error {
		s := snapshot.New(h)
		a, err := s.Receive(bytes.NewReader(export))
		if err == nil {
			_, _, err = s.Keep(a)
		}
		return errors.Join(err, s.Discard())
	}
	_, first := newHost(t, sandbox.Before)
	if err := keep(&host.Faulty{Host: first, Kill: func(op host.Op) string {
		if counted(op) {
			ops++
		}
		return ""
	}}); err != nil {
		t.Fatal(err)
	}
	if ops < 6 {
		t.Fatalf("%d writes are too few to be true", ops)
	}
	for _, mode := range []string{"before", "during", "after"} {
		for n := range ops {
			t.Run(fmt.Sprint(mode, n), func(t *testing.T) {
				_, local := newHost(t, sandbox.Before)
				h := noDocker{local}
				dies(t, func() error { return keep(killedAt(h, n, mode)) })
				g := quietGuard(h, &strings.Builder{})
				if n%2 == 0 {
					if _, err := g.Import(context.Background(), bytes.NewReader(export), ""); err != nil {
						t.Fatal(err)
					}
					kept(t, h, true)
					return
				}
				if _, err := g.Snapshot(context.Background(), ""); err != nil {
					t.Fatal(err)
				}
				list, _ := g.Store.All()
				kept(t, h, len(list) == 2)
			})
		}
	}
}

// Where a write fails nothing is kept, and it is said why.
func TestImportFailsAnywhere(t *testing.T) {
	export := coming(t)
	for n := 0; ; n++ {
		_, local := newHost(t, sandbox.Before)
		at, failed := -1, ""
		h := &host.Faulty{Host: noDocker{local}, Before: func(op host.Op) error {
			if op.Kind == "remove" { // a full disk lets go
				return nil
			}
			if at++; at == n {
				failed = op.Kind + " " + op.Name
				return syscall.ENOSPC
			}
			return nil
		}}
		_, err := quietGuard(h, &strings.Builder{}).Import(context.Background(), bytes.NewReader(export), "")
		if failed == "" {
			if n < 8 || err != nil {
				t.Errorf("after %d writes: %v", n, err)
			}
			break
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v", failed, err)
		}
		kept(t, local, false)
	}
}

// Who sends may never end: an interrupt ends it, and one import keeps the next out.
func TestImportIsInterrupted(t *testing.T) {
	export := coming(t)
	_, local := newHost(t, sandbox.Before)
	g := quietGuard(noDocker{local}, &strings.Builder{})
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := g.Import(ctx, r, "")
		done <- err
	}()
	if _, err := w.Write(export[:3000]); err != nil {
		t.Fatal(err)
	}
	second := guard.New(noDocker{local}, g.Out)
	if _, err := second.Import(context.Background(), bytes.NewReader(export), ""); err == nil || !strings.Contains(err.Error(), "another upgrade-guard process has held the lock") {
		t.Errorf("a second one: %v", err)
	}
	if _, err := second.Snapshot(context.Background(), ""); err != nil { // which does not take away what comes in
		t.Error(err)
	}
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "nothing of it is kept: ") || !strings.Contains(err.Error(), "interrupted") {
		t.Error(err)
	}
	kept(t, local, false)
}
