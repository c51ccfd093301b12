package host_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/hazard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/nginx"
	"upgrade-guard/src/plan"
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

// And a restart of docker is looked after the next time.
func TestAnInterruptedLookAfterDockerIsDueStill(t *testing.T) {
	_, h := newHost(t, sandbox.Before)
	ctx, cancel := context.WithCancel(context.Background())
	var out strings.Builder
	if err := errors.Join(quietGuard(h, &out).Install(ctx), h.Remove(h.Paths().App("blog")+"/nginx.conf")); err != nil {
		t.Fatal(err)
	}
	faulty := &host.Faulty{Host: h, Before: func(op host.Op) error {
		if op.Kind == "run" && strings.Contains(op.Name, ":build-config") {
			cancel()
		}
		return nil
	}}
	if err := quietGuard(withDocker{faulty}, &out).AfterDocker(ctx); err == nil {
		t.Errorf("it was not interrupted\n%s", &out)
	}
	if _, err := h.Stat(h.Paths().Data("routes")); err == nil {
		t.Error("it is taken for done")
	}
}

// withoutNginx is a host on which the containers answer, and nginx does not run.
type withoutNginx struct{ host.Host }

func (withoutNginx) Dial(_ context.Context, address string) (net.Conn, error) {
	if strings.HasPrefix(address, "127.") || strings.HasPrefix(address, "[::1]") {
		return nil, syscall.ECONNREFUSED
	}
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		buffer := make([]byte, 4096)
		if _, err := there.Read(buffer); err == nil {
			_, _ = io.WriteString(there, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
		}
	}()
	return here, nil
}

// The report of one app that is down for nginx says why it is.
func TestTheReportOfOneAppSaysWhyItIsDown(t *testing.T) {
	_, h := newHost(t, sandbox.Before)
	ctx := context.Background()
	var out strings.Builder
	if err := errors.Join(quietGuard(h, &out).Install(ctx), h.SetProperty(host.GlobalScope, "probe", "true")); err != nil {
		t.Fatal(err)
	}
	all, err := quietGuard(withoutNginx{h}, &out).Report(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	one, err := quietGuard(withoutNginx{h}, &out).Report(ctx, "my_app")
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Findings) == 0 {
		t.Errorf("nothing is said of the host: %+v", all)
	}
	if a := one.Apps[0]; a.Status != "down" || len(a.Findings) == 0 || len(a.ToDo) == 0 {
		t.Errorf("it is %s, and nobody knows why: %+v, %q\n%s", a.Status, a.Findings, a.ToDo, &out)
	}
}

// An app's configuration is about to be taken out of the way, or to get another upstream,
// and the app is deployed in that moment: Dokku's new one stays.
func TestWhatADeployHasWrittenIsKept(t *testing.T) {
	for kind, stage := range map[nginx.Kind]plan.Stage{nginx.Refused: plan.Quarantine, nginx.NoUpstream: plan.Fallback} {
		t.Run(string(kind), func(t *testing.T) { deployIsFaster(t, kind, stage) })
	}
}

func deployIsFaster(t *testing.T, kind nginx.Kind, stage plan.Stage) {
	_, h := newHost(t, sandbox.Before)
	conf := h.Paths().App("blog") + "/nginx.conf"
	files, err := app.Capture(context.Background(), h, app.What{})
	if err != nil {
		t.Fatal(err)
	}
	now := app.Read(files)
	_, good := files.Get(nginx.ConfPath("blog"))
	if !good {
		t.Fatal("blog has no configuration")
	}
	text, _ := files.Text(nginx.ConfPath("blog"))
	if err := h.Write(conf, 0o644, []byte("server {\n  listen 8080;\n")); err != nil {
		t.Fatal(err)
	}
	if files, err = app.Capture(context.Background(), h, app.What{}); err != nil {
		t.Fatal(err)
	}
	run := hazard.NewRun()
	run.NotRunning = true
	s := hazard.Subject{
		Context: hazard.Context{Paths: h.Paths(), To: now.Dokku, Files: files, Old: func() *app.Files { return nil }, Seeded: func(string, string) bool { return false }},
		Now:     now.Apps["blog"],
		Routing: &hazard.Routing{
			Owners: nginx.OwnersOf(now), Run: run, Complaint: "unexpected end of file in " + conf + ":2",
			Findings: []nginx.Finding{{App: "blog", Kind: kind, What: "nginx refuses it"}},
			Before:   func() *hazard.Side { return nil },
			Earlier:  func() []string { return nil },
			Public:   func() hazard.Verdict { return hazard.Verdict{} },
			Drops:    func() hazard.Drop { return hazard.Drop{} },
			MayStart: func() hazard.Verdict { return hazard.Verdict{} },
		},
	}
	for _, f := range hazard.Route(s) {
		for _, step := range f.Ladder() {
			if step.Stage != stage {
				continue
			}
			if err := h.Write(conf, 0o644, []byte(text)); err != nil { // the deploy
				t.Fatal(err)
			}
			if err := step.Do(context.Background(), h); !errors.Is(err, plan.ErrChanged) {
				t.Errorf("%s: %v", step.Text, err)
			}
			if b, err := h.ReadFile(conf); err != nil || string(b) != text {
				t.Errorf("%s: what Dokku has written is gone: %v", step.Text, err)
			}
			return
		}
	}
	t.Error("there is no such step at all")
}

// While nginx was built after one upgrade, the next was unpacked. What is there now is
// the next one's, and is not stored as what the first has left.
func TestTheNextUpgradeComesMeanwhile(t *testing.T) {
	box, h := newHost(t, sandbox.Before)
	ctx := context.Background()
	var out strings.Builder
	g := quietGuard(h, &out)
	if err := errors.Join(g.Install(ctx), g.PreUpgrade(ctx, "0.20.4", "0.35.5"), box.Upgrade("0.35.5"), h.Remove(h.Paths().App("blog")+"/nginx.conf")); err != nil {
		t.Fatal(err)
	}
	faulty := &host.Faulty{Host: h, Before: func(op host.Op) error {
		if op.Kind != "run" || !strings.Contains(op.Name, ":build-config") {
			return nil
		}
		return errors.Join(h.Write(h.Paths().LibRoot+"/STABLE_VERSION", 0o644, []byte("0.38.27")), h.Write(h.Paths().LibRoot+"/VERSION", 0o644, []byte("v0.38.27")),
			h.Remove(h.Paths().Property("ps", "blog", "scale")))
	}}
	if err := quietGuard(faulty, &out).PostUpgrade(ctx, "0.20.4", "0.35.5"); err == nil {
		t.Errorf("no error")
	}
	if seen := g.State.LastSeen(); seen != "0.20.4" {
		t.Errorf("%s is taken for in order", seen)
	}
	list, err := g.Store.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Dokku != "0.20.4" {
			t.Errorf("there is %s", e.ID)
		}
	}
	if err := quietGuard(h, &out).PostUpgrade(ctx, "0.35.5", "0.38.27"); err != nil {
		t.Error(err)
	}
	if b, err := h.ReadFile(h.Paths().Property("ps", "blog", "scale")); err != nil || !strings.Contains(string(b), "web=3") {
		t.Errorf("its scale is %q (%v)", b, err)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}
