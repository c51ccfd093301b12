package host_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/snapshot"
	"upgrade-guard/src/trigger"
)

// waiting is a host on which something is done whenever the store's lock is waited for: a
// host was read, and what was read is not stored yet.
type waiting struct {
	host.Host
	meanwhile func()
}

func (w *waiting) Lock(ctx context.Context, name string, mode fs.FileMode, wait time.Duration) (func(), error) {
	if filepath.Base(name) == "lock" {
		w.meanwhile()
	}
	return w.Host.Lock(ctx, name, mode, wait)
}

// The apps answer slowly before an upgrade, and a deploy that scales one of them ends
// meanwhile. The snapshot, which is stored after that, is not newer: the scale that is put
// back is the deploy's.
func TestADeployWhileASnapshotIsTaken(t *testing.T) {
	s := newStory(t)
	now := s.h.Now().Add(time.Minute)
	clock := &host.Faulty{Host: s.h, Clock: func() time.Time { return now }}
	deployed := false
	err := s.pre(&waiting{clock, func() {
		if deployed {
			return
		}
		deployed = true
		now = now.Add(20 * time.Second)
		if err := s.h.Write(s.h.Paths().App("blog")+"/DOKKU_SCALE", 0o644, []byte("web=5\n")); err != nil {
			t.Error(err)
		}
		if err := s.guard(clock).Refresh(context.Background(), "blog"); err != nil {
			t.Error(err)
		}
		now = now.Add(20 * time.Second)
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.scaled(clock)
}

// scaled plays the upgrade, and sees that blog has the scale of five that it had last.
func (s *story) scaled(h host.Host) {
	s.t.Helper()
	s.upgrade()
	if err := s.post(h); err != nil {
		s.t.Fatal(err)
	}
	if got := s.live()["/var/lib/dokku/config/ps/blog/scale"]; got != "web=5\n" {
		s.t.Errorf("blog's scale is %q", got)
	}
}

// Two settings of an app are changed at once. Whoever has read the app first and stores it last
// has not read the second one.
func TestTwoChangesOfAnApp(t *testing.T) {
	s := newStory(t)
	const file = "config/logs/blog/max-size"
	turns := 0
	h := &waiting{s.h, nil}
	h.meanwhile = func() {
		if turns++; turns > 2 {
			return
		}
		if err := s.h.Write(s.h.Paths().LibRoot+"/"+file, 0o644, fmt.Append(nil, turns)); err != nil {
			t.Error(err)
		}
		if err := s.guard(s.h).Refresh(context.Background(), "blog"); err != nil {
			t.Error(err)
		}
	}
	if err := s.guard(h).RefreshSettings(context.Background(), "blog"); err != nil {
		t.Fatal(err)
	}
	if got, err := snapshot.New(s.h).File("live/blog", "lib/"+file); err != nil || string(got) != "2" {
		t.Errorf("%q, %v", got, err)
	}
	if turns != 3 {
		t.Errorf("it waited for the lock %d times", turns)
	}
}

// While the work after an upgrade asks the apps, somebody changes one, or the host, or destroys
// one. Its live snapshot says how it was before the upgrade until that work is done, so the
// change is in the snapshot from after it: by apt, where a phase is noted, too.
func TestAChangeAtTheEndOfAnUpgrade(t *testing.T) {
	const own, ofHost = "lib/config/logs/blog/max-size", "root/ENV"
	for _, phase := range []string{"", guard.BeforeCore} {
		for _, what := range []string{own, ofHost, "destroyed"} {
			t.Run(phase+" "+what, func(t *testing.T) {
				s := newStory(t)
				if err := s.pre(s.h); err != nil {
					t.Fatal(err)
				}
				s.upgrade()
				if phase != "" {
					if err := s.guard(s.h).State.SetPhase(phase); err != nil {
						t.Fatal(err)
					}
				}
				turn, stamped := 0, false
				value := func() []byte { return fmt.Appendf(nil, "TURN=\"%d\"\n", turn) }
				err := s.post(&waiting{s.h, func() {
					turn++
					p := s.h.Paths()
					var err error
					switch what {
					case own:
						err = errors.Join(s.h.Write(p.LibRoot+strings.TrimPrefix(own, "lib"), 0o644, value()), s.guard(s.h).Refresh(context.Background(), "blog"))
					case ofHost:
						err = s.h.Write(p.DokkuRoot+"/ENV", 0o644, value())
						err = errors.Join(err, s.guard(s.h).Refresh(context.Background(), host.GlobalScope))
					default:
						if turn == 3 { // the run's last
							err = errors.Join(s.h.RemoveTree(p.App("blog")), s.h.RemoveTree(p.LibRoot+"/config/ps/blog"))
						}
					}
					if stamped = s.guard(s.h).State.LastSeen() == "0.35.5"; err != nil {
						t.Error(err)
					}
				}})
				if err != nil {
					t.Fatal(err)
				}
				if turn != 3 || stamped {
					t.Fatalf("it waited for the lock %d times, the last time after its end: %v", turn, stamped)
				}
				store := snapshot.New(s.h)
				list, err := store.List()
				if err != nil || list[0].Reason != snapshot.PostUpgrade {
					t.Fatal(list, err)
				}
				if what == "destroyed" {
					if m, err := store.Manifest(list[0].ID); err != nil || slices.Contains(m.Apps, "blog") {
						t.Errorf("%s has %q, %v", list[0].ID, m.Apps, err)
					}
				} else if got, err := store.File(list[0].ID, what); err != nil || string(got) != string(value()) {
					t.Errorf("%s holds %q and not %q, %v", list[0].ID, got, value(), err)
				}
				if _, err := s.h.Lstat(s.h.Paths().Data("unrecorded")); err == nil {
					t.Error("what was recorded is to be recorded still")
				}
				// From now on a live snapshot is brought up to date again.
				if err := s.guard(s.h).Refresh(context.Background(), "my_app"); err != nil {
					t.Fatal(err)
				}
				if m, err := store.Live("my_app"); err != nil || m.Dokku != "0.35.5" {
					t.Errorf("it is of %s, %v", m.Dokku, err)
				}
			})
		}
	}
}

// Dokku tells of its own settings as it does of an app's.
func TestTheHostsSettingsAreNoted(t *testing.T) {
	s := newStory(t)
	run := func() error {
		trigger.Run(context.Background(), s.h, "post-config-update", []string{host.GlobalScope, "set", "TURN"})
		_, err := s.h.Lstat(s.h.Paths().Data("unrecorded"))
		return err
	}
	if run() == nil {
		t.Error("no upgrade is under way, and a change is noted")
	}
	s.upgrade()
	if err := run(); err != nil {
		t.Error(err)
	}
}

// The work after an upgrade has set the stamp, and stores its snapshot. A deploy ends that it
// has not seen: it waits for that, and records the app.
func TestADeployWhileAnUpgradeIsClosed(t *testing.T) {
	s := newStory(t)
	if err := s.pre(s.h); err != nil {
		t.Fatal(err)
	}
	s.upgrade()
	if err := s.guard(s.h).State.SetPhase(guard.BeforeCore); err != nil {
		t.Fatal(err)
	}
	const file = "lib/config/logs/blog/max-size"
	var deploy sync.WaitGroup
	h := &host.Faulty{Host: s.h, Before: func(op host.Op) error {
		if op.Kind != "write" || filepath.Base(op.Name) != "stamp" {
			return nil
		}
		deploy.Add(1)
		if err := s.h.Write(s.h.Paths().LibRoot+strings.TrimPrefix(file, "lib"), 0o644, []byte("60m")); err != nil {
			t.Error(err)
		}
		go func() {
			defer deploy.Done()
			for s.guard(s.h).State.LastSeen() != "0.35.5" {
				time.Sleep(time.Millisecond)
			}
			if err := s.guard(s.h).Refresh(context.Background(), "blog"); err != nil {
				t.Error(err)
			}
		}()
		return nil
	}}
	if err := s.post(h); err != nil {
		t.Fatal(err)
	}
	deploy.Wait()
	if got, err := snapshot.New(s.h).File("live/blog", file); err != nil || string(got) != "60m" {
		t.Errorf("%q, %v", got, err)
	}
}

// Dokku is installed again, and an app changed meanwhile: that is recorded when the work after it
// is done.
func TestAChangeWhileDokkuIsInstalledAgain(t *testing.T) {
	s := newStory(t)
	g := s.guard(s.h)
	if err := g.State.SetPhase(guard.BeforeCore); err != nil {
		t.Fatal(err)
	}
	const file = "lib/config/logs/blog/max-size"
	if err := errors.Join(s.h.Write(s.h.Paths().LibRoot+strings.TrimPrefix(file, "lib"), 0o644, []byte("60m")), g.Refresh(context.Background(), "blog")); err != nil {
		t.Fatal(err)
	}
	if !g.State.Unrecorded() {
		t.Fatal("it is not noted")
	}
	if _, err := s.guard(s.h).Apply(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	list, err := g.Store.List()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.Store.File(list[0].ID, file); err != nil || string(got) != "60m" || g.State.Unrecorded() {
		t.Errorf("%s has %q, %v", list[0].ID, got, err)
	}
}

// A clock that runs half a minute ahead is put right between two snapshots. The second one, for
// which apps were asked longer than that, is the newer one all the same.
func TestAClockThatIsPutRightBeforeAnUpgrade(t *testing.T) {
	s := newStory(t)
	now := s.h.Now().Add(time.Minute)
	clock := &host.Faulty{Host: s.h, Clock: func() time.Time { return now }}
	if _, err := s.guard(clock).Snapshot(context.Background(), ""); err != nil {
		t.Fatal(err)
	}
	now = now.Add(-30 * time.Second)
	if err := s.h.Write(s.h.Paths().App("blog")+"/DOKKU_SCALE", 0o644, []byte("web=5\n")); err != nil {
		t.Fatal(err)
	}
	asked := false
	if err := s.pre(&waiting{clock, func() {
		if !asked {
			now = now.Add(40 * time.Second)
		}
		asked = true
	}}); err != nil {
		t.Fatal(err)
	}
	s.scaled(clock)
}

// A host is read before the repairs of an upgrade and after them, and the snapshot of it is
// what was read last, without what only the next containers need. A live snapshot that is older than
// the snapshot before the upgrade is not read at all: a damaged one is no news.
func TestAnUpgradeReadsAHostTwice(t *testing.T) {
	c := newCrowd(t, "0.20.4", 5)
	c.deployed()
	for i, name := range c.apps {
		live := c.Paths().Data("live", name+".tar.gz")
		if i == 0 {
			c.put(live, "damaged")
		}
		hour := time.Now().Add(-time.Hour)
		if err := os.Chtimes(live, hour, hour); err != nil {
			t.Fatal(err)
		}
	}
	c.preUpgrade()
	c.upgraded()
	var said string
	counts := c.counted(func() { said = c.postUpgrade() })
	if counts["docker ps"] != 2 || strings.Contains(said, "damaged") || strings.Count(said, "scale web=3") != 5 {
		t.Errorf("%v\n%s", counts, said)
	}
	g, out := c.guard()
	c.takeSnapshot()
	c.takeSnapshot()
	list, err := g.Store.List()
	if err != nil {
		t.Fatal(err, out)
	}
	after, err := g.Store.Files(list[2].ID)
	if err != nil || list[2].Reason != snapshot.PostUpgrade {
		t.Fatal(list, err)
	}
	if plain, err := app.Capture(context.Background(), c, app.What{}); err != nil || len(plain.All()) != len(after.All()) {
		t.Errorf("%s holds %d files of %d, %v", list[2].ID, len(after.All()), len(plain.All()), err)
	}
	one, err := os.Stat(c.Paths().Data("snapshots", list[0].ID+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.Stat(c.Paths().Data("snapshots", list[2].ID+".tar.gz"))
	if err != nil || !os.SameFile(one, other) {
		t.Errorf("nothing has changed, and %s is no twin of %s, %v", list[0].ID, list[2].ID, err)
	}
}
