package snapshot

import (
	"testing"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// A snapshot is dated when it was begun: asking the apps takes a minute, and what is stored in
// between is newer. Where the clock has gone back it is newer than what was there then.
func TestASnapshotIsDatedWhenItWasBegun(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := noon
	at := func(second int) { now = noon.Add(time.Duration(second) * time.Second) }
	h := &host.Faulty{Host: host.NewLocal(host.Paths{LibRoot: t.TempDir()}), Clock: func() time.Time { return now }}
	s := New(h)
	begin := func(second int) *app.Files {
		at(second)
		files := app.NewFiles("0.38.27", nil, nil, nil)
		files.Time = s.Next()
		return files
	}
	store := func(files *app.Files, second, want int, about string) {
		t.Helper()
		at(second)
		m, err := s.Save(files, Manual)
		if is := noon.Add(time.Duration(want) * time.Second); err != nil || !m.Time.Equal(is) {
			t.Errorf("%s: it is dated %s and not %s, %v", about, m.Time, is, err)
		}
	}
	store(begin(0), 0, 0, "at once")
	store(begin(0), 0, 1, "in the same second as another")
	slow := begin(10)
	other, third := begin(12), begin(12)
	store(other, 15, 12, "while another one is read")
	store(third, 15, 13, "begun in the same second")
	store(slow, 70, 10, "begun before two that are there")

	store(begin(40), 50, 40, "some seconds after those")
	at(200)
	store(begin(200), 230, 200, "asked for half a minute")
	store(begin(170), 210, 201, "the clock has gone back, and all of it took longer than that")
	store(begin(170), 180, 202, "and it did not")
	forward := begin(250)
	store(forward, 5000, 5000, "the clock was put right meanwhile")
	back := begin(9000)
	store(back, 6000, 6000, "and was put back meanwhile")
}

// That a live snapshot is older than a time is known without reading it. Where the clock has
// gone back its file is dated as it is, for that.
func TestALiveSnapshotIsNoNewerThanItsFile(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second).Add(3 * time.Hour)
	h := &host.Faulty{Host: host.NewLocal(host.Paths{LibRoot: t.TempDir()}), Clock: func() time.Time { return now }}
	s := New(h)
	if s.LiveSince("blog", time.Time{}) {
		t.Error("there is none, and it is newer")
	}
	ahead, err := s.Save(app.NewFiles("0.38.27", nil, nil, nil), Manual)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(-3 * time.Hour)
	if err := s.SaveLive(app.NewFiles("0.38.27", []string{"blog"}, nil, nil), "blog"); err != nil {
		t.Fatal(err)
	}
	m, err := s.Live("blog")
	if err != nil || !m.Time.After(ahead.Time) {
		t.Fatalf("it is dated %s, %v", m.Time, err)
	}
	if !s.LiveSince("blog", ahead.Time) || s.LiveSince("blog", m.Time) {
		t.Errorf("it is of %s", m.Time)
	}
}

// Live snapshots that are dated alike are told apart, also where the file system has given one
// the number of one before it.
func TestEachLiveSnapshotIsAnotherFile(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := New(&host.Faulty{Host: host.NewLocal(host.Paths{LibRoot: t.TempDir()}), Clock: func() time.Time { return now }})
	none := s.LiveFile("blog")
	if !SameFile(none, s.LiveFile("blog")) {
		t.Error("there is none, and was none")
	}
	for range 10 {
		for range 2 {
			if err := s.SaveLive(app.NewFiles("0.38.27", []string{"blog"}, nil, nil), "blog"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond) // the kernel's clock has steps of four
		}
		if SameFile(none, s.LiveFile("blog")) {
			t.Fatal("two were stored, and none is seen")
		}
		if none = s.LiveFile("blog"); !SameFile(none, s.LiveFile("blog")) {
			t.Fatal("none was stored, and one is seen")
		}
	}
}
