package host_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/state"
)

// ahead is a host whose clock runs ahead of time.
func ahead(h host.Host, by time.Duration) host.Host {
	return &host.Faulty{Host: h, Clock: func() time.Time { return h.Now().Add(by) }}
}

const year = 365 * 24 * time.Hour

// The clock of a machine without a battery ran a year ahead while an app was deployed.
// That running record is not newer than all that came after it.
func TestARecordFromTheFutureIsNotTheNewest(t *testing.T) {
	s := newStory(t)
	if err := s.guard(ahead(s.h, year)).Refresh(context.Background(), "blog"); err != nil {
		t.Fatal(err)
	}
	if m, err := s.guard(s.h).Store.Live("blog"); err != nil || !m.Time.After(s.h.Now()) {
		t.Fatalf("the record is of %s, %v", m.Time, err)
	}
	if err := s.h.Write(s.h.Paths().App("blog")+"/DOKKU_SCALE", 0o644, []byte("web=5\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.pre(s.h); err != nil {
		t.Fatal(err)
	}
	s.upgrade()
	if err := s.post(s.h); err != nil {
		t.Fatal(err)
	}
	if got := s.live()["/var/lib/dokku/config/ps/blog/scale"]; got != "web=5\n" {
		t.Errorf("blog's scale is %q", got)
	}
}

// What was written ahead of an upgrade under such a clock is withdrawn when the upgrade
// does not come, and not kept for a year.
func TestASeedFromTheFutureIsWithdrawn(t *testing.T) {
	s := newStory(t)
	seed := s.h.Paths().Property("ps", "blog", "scale")
	if err := s.pre(ahead(s.h, year)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(seed); err != nil {
		t.Fatal(err)
	}
	if err := s.guard(s.h).Refresh(context.Background(), "my_app"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(seed); err == nil {
		t.Error("it is still there")
	}
}

// An installation that has begun under such a clock has come to its end, and no work
// waits for it.
func TestAnInstallationFromTheFutureIsOver(t *testing.T) {
	s := newStory(t)
	if err := s.pre(s.h); err != nil {
		t.Fatal(err)
	}
	s.upgrade()
	pending := s.h.Paths().Data("pending")
	later := time.Now().Add(year)
	dated := func(moment string) {
		t.Helper()
		if err := s.guard(s.h).State.SetPhase(moment); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(pending, later, later); err != nil {
			t.Fatal(err)
		}
	}
	dated(guard.BeforeCore)
	if err := s.guard(s.h).After(context.Background(), guard.AfterTimer, nil); err != nil {
		t.Fatal(err)
	}
	if got := s.live()["/var/lib/dokku/config/ps/blog/scale"]; got != "web=3\nworker=0\n" {
		t.Errorf("blog's scale is %q", got)
	}
	dated(guard.BeforeApt)
	if err := s.guard(s.h).State.Save(state.State{Format: 1, Queue: []state.Job{{Kind: guard.JobRoutes, State: state.JobQueued}}}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := s.guard(s.h).RunQueue(context.Background(), false); err == nil || !strings.Contains(err.Error(), "docker is down") {
		t.Errorf("it said %v", err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}
