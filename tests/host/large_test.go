package host_test

import (
	"context"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"upgrade-guard/src/host"
	"upgrade-guard/tests/sandbox"
)

// largeHost is a host of so many apps, within this process.
func largeHost(t *testing.T, apps int) *host.Local {
	t.Helper()
	box, err := sandbox.NewLarge(filepath.Join(t.TempDir(), "host"), apps)
	if err != nil {
		t.Fatal(err)
	}
	h := enter(t, box)
	remember(t, "docker", "dokku", "crontab", "sudo", "plugn", "apt-cache")
	return h
}

// A host of 3,000 apps took twelve times as long as one of 500: what is done for an app does
// not hang on how many there are beside it, and what it takes for one is counted here, since
// a time would tell of the machine.
func TestAnAppTakesNoMoreBesideOthers(t *testing.T) {
	type cost struct{ allocations, bytes float64 }
	work := map[string]func(h host.Host) error{
		"snapshot": func(h host.Host) error {
			_, err := quietGuard(h, &strings.Builder{}).Snapshot(context.Background(), "")
			return err
		},
		"report": func(h host.Host) error {
			g := quietGuard(h, &strings.Builder{})
			g.NoProbe = true
			_, err := g.Report(context.Background(), "")
			return err
		},
		"check": func(h host.Host) error {
			g := quietGuard(h, &strings.Builder{})
			g.NoProbe = true
			_, err := g.Check(context.Background(), "", "0.38.27")
			return err
		},
		"diff": func(h host.Host) error {
			_, err := quietGuard(h, &strings.Builder{}).Diff(context.Background(), "", "now", "")
			return err
		},
	}
	costs := map[int]map[string]cost{}
	for _, apps := range []int{100, 200} {
		h := largeHost(t, apps)
		costs[apps] = map[string]cost{}
		for _, name := range []string{"snapshot", "report", "check", "diff"} {
			if err := work[name](h); err != nil { // and all that is done once is done
				t.Fatalf("%s: %v", name, err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := work[name](h); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			runtime.ReadMemStats(&after)
			costs[apps][name] = cost{float64(after.Mallocs-before.Mallocs) / float64(apps), float64(after.TotalAlloc-before.TotalAlloc) / float64(apps)}
		}
	}
	for name := range work {
		few, many := costs[100][name], costs[200][name]
		t.Logf("%-8s %5.0f and %5.0f allocations, %4.0f and %4.0f KiB an app", name, few.allocations, many.allocations, few.bytes/1024, many.bytes/1024)
		if many.allocations > 1.1*few.allocations || many.bytes > 1.15*few.bytes {
			t.Errorf("%s: an app among 200 takes %.0f allocations and %.0f bytes, and among 100 %.0f and %.0f", name, many.allocations, many.bytes, few.allocations, few.bytes)
		}
	}
}

// looked is a host that notes which files are read, and which directories.
type looked struct {
	host.Host
	mu    sync.Mutex
	names []string
}

func (l *looked) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, name)
}

func (l *looked) ReadFile(name string) ([]byte, error) { l.note(name); return l.Host.ReadFile(name) }

func (l *looked) Open(name string) (io.ReadCloser, error) { l.note(name); return l.Host.Open(name) }

func (l *looked) ReadDir(name string) ([]fs.DirEntry, error) {
	l.note(name)
	return l.Host.ReadDir(name)
}

func (l *looked) See(name string, listed fs.DirEntry, limit int64) (host.Seen, error) {
	l.note(name)
	return l.Host.See(name, listed, limit)
}

// The report of one app reads one app, each of its files once; and where the app has a live
// snapshot that is newer than all others, no snapshot of the whole host.
func TestReportOfOneAppReadsOneApp(t *testing.T) {
	counts := map[int]int{}
	for _, apps := range []int{5, 25} {
		h := largeHost(t, apps)
		ctx, out := context.Background(), &strings.Builder{}
		if _, err := quietGuard(h, out).Snapshot(ctx, ""); err != nil {
			t.Fatal(err)
		}
		if err := quietGuard(h, out).Install(ctx); err != nil {
			t.Fatal(err)
		}
		later := h.Now().Add(time.Minute)
		clock := &host.Faulty{Host: h, Clock: func() time.Time { return later }}
		if err := quietGuard(clock, out).Refresh(ctx, "app00003"); err != nil {
			t.Fatal(err)
		}
		l := &looked{Host: clock}
		g := quietGuard(l, out)
		g.NoProbe = true
		r, err := g.Report(ctx, "app00003")
		if err != nil || len(r.Apps) != 1 || r.Apps[0].Status != "ok" || r.Apps[0].Baseline != "live/app00003" {
			t.Fatalf("%+v, %v\n%s", r.Apps, err, out)
		}
		times := map[string]int{}
		for _, name := range l.names {
			if times[name]++; strings.HasPrefix(name, h.Paths().DokkuRoot+"/app00003/") && times[name] > 1 {
				t.Errorf("%s is read %d times", name, times[name])
			}
			for _, part := range strings.Split(strings.TrimPrefix(name, h.Paths().DokkuRoot), "/") {
				if strings.HasPrefix(part, "app0") && part != "app00003" && !strings.HasPrefix(part, "app00003.") {
					t.Errorf("%s is read", name)
				}
			}
			if strings.HasPrefix(name, h.Paths().Data("snapshots")+"/") {
				t.Errorf("the snapshot %s is read", filepath.Base(name))
			}
		}
		counts[apps] = len(l.names)
	}
	if counts[25] != counts[5] {
		t.Errorf("%d files and directories are read beside four others, and %d beside 24", counts[5], counts[25])
	}
}
