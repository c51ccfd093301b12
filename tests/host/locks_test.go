package host_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/state"
	"upgrade-guard/tests/sandbox"
)

// watched is a host on which whatever takes long asks whether the store's lock is free:
// a deploy waits for that one, and gives up its record after ten seconds.
type watched struct {
	*host.Faulty
	inner host.Host
	held  map[string]bool // what was done while it was not
	asked int
	one   sync.Mutex // apps are asked side by side
}

func watch(h host.Host) *watched {
	w := &watched{Faulty: &host.Faulty{Host: h}, inner: h, held: map[string]bool{}}
	w.Before = func(op host.Op) error {
		for _, long := range []string{"dokku ", "docker start", "docker container start"} {
			if op.Kind == "run" && strings.HasPrefix(op.Name, long) {
				w.look(op.Name)
			}
		}
		return nil
	}
	return w
}

func (w *watched) look(what string) {
	w.one.Lock()
	defer w.one.Unlock()
	w.asked++
	unlock, err := state.Lock(context.Background(), w.inner, time.Millisecond)
	if err != nil {
		w.held[what] = true
		return
	}
	unlock()
}

func (w *watched) Dial(context.Context, string) (net.Conn, error) {
	w.look("an app is asked")
	return nil, errors.New("nobody answers")
}

// The store's lock is held while files are written and never while Dokku builds, docker
// starts something or an app is asked, whatever upgrade-guard is called for.
func TestDeploysWaitForNoBuild(t *testing.T) {
	ctx := context.Background()
	apt := func() *strings.Reader {
		return strings.NewReader("VERSION 3\n\ndokku 0.20.4 - none < 0.35.5 - none /tmp/dokku.deb\n")
	}
	for _, c := range []struct {
		name string
		work func(g *guard.Guard, box sandbox.Host, h host.Host) error
	}{
		{"install", func(g *guard.Guard, _ sandbox.Host, _ host.Host) error { return g.Install(ctx) }},
		{"snapshot", func(g *guard.Guard, _ sandbox.Host, _ host.Host) error {
			_, err := g.Snapshot(ctx, "")
			return err
		}},
		{"before apt", func(g *guard.Guard, _ sandbox.Host, _ host.Host) error {
			return g.Before(ctx, guard.BeforeApt, apt())
		}},
		{"an upgrade", func(g *guard.Guard, box sandbox.Host, h host.Host) error {
			return errors.Join(g.Install(ctx), g.PreUpgrade(ctx, "0.20.4", "0.35.5"), box.Upgrade("0.35.5"),
				h.Remove(h.Paths().App("blog")+"/VHOST"), h.Remove(h.Paths().App("blog")+"/nginx.conf"), g.PostUpgrade(ctx, "0.20.4", "0.35.5"))
		}},
		{"a restore", func(g *guard.Guard, _ sandbox.Host, h host.Host) error {
			return errors.Join(g.Install(ctx), h.Write(h.Paths().App("blog")+"/VHOST", 0o644, []byte("other.example\n")),
				g.Restore(ctx, "blog", guard.RestoreOptions{}))
		}},
		{"docker was restarted", func(g *guard.Guard, _ sandbox.Host, h host.Host) error {
			return errors.Join(g.Install(ctx), h.Remove(h.Paths().App("blog")+"/nginx.conf"), g.Routes(ctx))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			box, h := newHost(t, sandbox.Before)
			if err := h.SetProperty(host.GlobalScope, "probe", "true"); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			w := watch(h)
			err := c.work(quietGuard(w, &out), box, h)
			if w.asked == 0 {
				t.Errorf("nothing took long: %v\n%s", err, &out)
			}
			for what := range w.held {
				t.Errorf("the lock is held while: %s", what)
			}
		})
	}
}

// busyFor is a host on which another run repairs, for as long as it is asked that often.
func busyFor(h host.Host, times *int) *host.Faulty {
	return &host.Faulty{Host: h, Pause: func(time.Duration) error { return nil }, Locks: func(name string) error {
		if *times > 0 && strings.HasSuffix(name, "work.lock") {
			*times--
			return host.ErrLocked
		}
		return nil
	}}
}

// At dpkg's end another run was at work for longer than dpkg waits. The work after the
// upgrade was told to have failed, and nobody came back to it.
func TestTheWorkAfterAnUpgradeFollowsAnotherRun(t *testing.T) {
	box, h := newHost(t, sandbox.Before)
	ctx := context.Background()
	busy := 0
	var out strings.Builder
	g := quietGuard(busyFor(h, &busy), &out)
	if err := errors.Join(g.Install(ctx), g.PreUpgrade(ctx, "0.20.4", "0.35.5"), box.Upgrade("0.35.5"), g.State.SetPhase(guard.BeforeApt)); err != nil {
		t.Fatal(err)
	}
	busy = 1
	if err := g.After(ctx, guard.AfterApt, []string{"dokku"}); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	if seen := g.State.LastSeen(); seen != "0.20.4" {
		t.Fatalf("it is taken for done: %s\n%s", seen, &out)
	}
	busy = 2
	if err := g.RunQueue(ctx, false); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	if seen := g.State.LastSeen(); seen != "0.35.5" {
		t.Errorf("the work was not done: %s\n%s", seen, &out)
	}
}

// An upgrade that begins while a run repairs waits for it, as long as apt can wait; then
// the baseline is taken all the same, and what it is of is said.
func TestABaselineWaitsForRepairs(t *testing.T) {
	_, h := newHost(t, sandbox.Before)
	ctx := context.Background()
	busy := 0
	var out strings.Builder
	g := quietGuard(busyFor(h, &busy), &out)
	if err := g.Install(ctx); err != nil {
		t.Fatal(err)
	}
	busy = 1
	if err := g.PreUpgrade(ctx, "0.20.4", "0.35.5"); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	if !strings.Contains(out.String(), "still repairing") {
		t.Errorf("it is not said\n%s", &out)
	}
	if list, err := g.Store.List(); err != nil || len(list) != 2 {
		t.Errorf("%d snapshots, %v", len(list), err)
	}
}
