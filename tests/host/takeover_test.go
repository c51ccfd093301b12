package host_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/state"
	"upgrade-guard/tests/sandbox"
)

// left puts what an earlier release has left onto a host of the same recording.
func left(t *testing.T, box sandbox.Host, what string) {
	t.Helper()
	from := filepath.Join("testdata/left", what)
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !strings.HasSuffix(path, ".gz") {
			b = []byte(strings.ReplaceAll(string(b), "@HOST@", box.Dir))
		}
		to := filepath.Join(box.Dir, strings.TrimPrefix(path, from))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func whole(t *testing.T, g *guard.Guard) {
	t.Helper()
	list, err := g.Store.List()
	if err != nil || len(list) == 0 {
		t.Fatalf("%d snapshots, %v", len(list), err)
	}
	for _, e := range list {
		if _, err := g.Store.Files(e.ID); err != nil {
			t.Errorf("%s: %v", e.ID, err)
		}
	}
}

func report(t *testing.T, g *guard.Guard) (guard.Report, map[string]guard.AppReport) {
	t.Helper()
	r, err := g.Report(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	apps := map[string]guard.AppReport{}
	for _, a := range r.Apps {
		apps[a.App] = a
	}
	return r, apps
}

// The plugin was updated in the middle of an upgrade of Dokku: the baseline was taken and
// the scales were seeded by the earlier release, and what Dokku has lost is put back by
// this one.
func TestAnUpgradeThatAnEarlierReleaseHasBegun(t *testing.T) {
	box, h := newHost(t, sandbox.Before)
	left(t, box, "begun")
	var said strings.Builder
	g := quietGuard(h, &said)
	if k, err := g.State.Read(); err != nil || len(k.Seeds) != 5 || g.State.LastSeen() != "0.20.4" {
		t.Fatalf("%d seeds, last seen %q, %v", len(k.Seeds), g.State.LastSeen(), err)
	}
	if err := box.Upgrade("0.35.5"); err != nil {
		t.Fatal(err)
	}
	if err := h.Remove(h.Paths().Property("ps", "blog", "scale")); err != nil {
		t.Fatal(err)
	}
	if err := g.PostUpgrade(context.Background(), "0.20.4", "0.35.5"); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	r, apps := report(t, g)
	if r.Unfinished || r.LastSeen != "0.35.5" || r.Last == nil || !strings.HasSuffix(r.Last.Baseline, "-0.20.4-pre-upgrade") {
		t.Errorf("%+v", r)
	}
	for name, scale := range map[string]string{"blog": "web=3 worker=0", "my_app": "web=2 worker=1", "jobs_only": "web=0 worker=2", "api_server": "web=1 worker=0", "never_deployed": "web=1"} {
		if apps[name].Scale != scale {
			t.Errorf("the scale of %s is %q", name, apps[name].Scale)
		}
	}
	if apps["blog"].Status != guard.StatusRepaired || !slices.Contains(apps["blog"].Repaired, "scale web=3 worker=0") {
		t.Errorf("%+v", apps["blog"])
	}
	if k, _ := g.State.Read(); len(k.Seeds)+len(k.Unresolved) > 0 {
		t.Errorf("left are %v and %v", k.Seeds, k.Unresolved)
	}
	whole(t, g)
}

// What an earlier release could not finish is as unresolved for this one, what it has done
// is in the report, and the renames that it has queued are done.
func TestWhatAnEarlierReleaseHasLeftOpen(t *testing.T) {
	box, h := newHost(t, sandbox.Before)
	if err := box.Upgrade("0.35.5"); err != nil {
		t.Fatal(err)
	}
	left(t, box, "open")
	var said strings.Builder
	g := quietGuard(h, &said)
	r, apps := report(t, g)
	if a := apps["my_app"]; a.Status != guard.StatusActionRequired || !strings.HasSuffix(a.Baseline, "-0.20.4-pre-upgrade") || a.BaselineScale != "web=2 worker=1" || len(a.ToDo) == 0 {
		t.Errorf("%+v", a)
	}
	if a := apps["blog"]; !slices.Contains(a.Repaired, "scale web=3 worker=0") || a.Status != guard.StatusRepaired {
		t.Errorf("%+v", a)
	}
	if len(r.Queue) != 3 || r.Queue[0].State != state.JobQueued || r.Unfinished {
		t.Errorf("%+v", r.Queue)
	}
	whole(t, g)

	if _, err := g.Apply(context.Background(), false); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	r, apps = report(t, g)
	for _, name := range []string{"api-server", "jobs-only", "never-deployed"} {
		if _, there := apps[name]; !there {
			t.Errorf("there is no %s", name)
		}
	}
	if apps["jobs-only"].Scale != "web=0 worker=2" || apps["my_app"].Status != guard.StatusActionRequired {
		t.Errorf("%+v", apps)
	}
	if b, err := h.ReadFile(h.Paths().Property("ps", "my_app", "scale")); string(b) != "web=9\nworker1\n" {
		t.Errorf("a person's line is %q, %v", b, err)
	}
}
