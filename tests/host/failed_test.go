package host_test

import (
	"context"
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/state"
	"upgrade-guard/tests/sandbox"
)

// An app's domain was lost and could not be put back, and its upstream was stale. nginx
// was built as if the domain were there: the app ended answering to it.
func TestNothingIsBuiltOnARepairThatFailed(t *testing.T) {
	box, h := newHost(t, sandbox.Before)
	ctx := context.Background()
	g := quietGuard(h, &strings.Builder{})
	if err := errors.Join(g.Install(ctx), g.PreUpgrade(ctx, "0.20.4", "0.35.5"), box.Upgrade("0.35.5")); err != nil {
		t.Fatal(err)
	}
	domains, conf := h.Paths().App("my_app")+"/VHOST", h.Paths().App("my_app")+"/nginx.conf"
	stale := func() {
		t.Helper()
		text, err := h.ReadFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		text = regexp.MustCompile(`server [0-9.]+:5000`).ReplaceAll(text, []byte("server 192.0.2.1:5000"))
		if err := h.Write(conf, 0o644, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Remove(domains); err != nil {
		t.Fatal(err)
	}
	stale()
	faulty := &host.Faulty{Host: h, Before: func(op host.Op) error {
		if op.Kind == "write" && op.Name == domains {
			return errors.New("no space left on device")
		}
		return nil
	}}
	answers := func() {
		t.Helper()
		if text, err := h.ReadFile(conf); err != nil || !strings.Contains(string(text), "shop.example.org") {
			t.Errorf("it does not answer to its domain any more: %v\n%s", err, text)
		}
	}
	var out strings.Builder
	if err := quietGuard(faulty, &out).PostUpgrade(ctx, "0.20.4", "0.35.5"); err == nil {
		t.Errorf("no error\n%s", &out)
	}
	answers()
	if known, err := g.State.Read(); err != nil || len(known.Unresolved["my_app"].Hazards) == 0 {
		t.Errorf("it is resolved: %+v, %v", known, err)
	}
	// docker is restarted: its domains are not put back by that, so nothing is built.
	stale()
	_ = quietGuard(h, &out).Routes(ctx)
	answers()
	if t.Failed() {
		t.Log(out.String())
	}
}

// withDocker is a host whose docker has been started.
type withDocker struct{ host.Host }

func (h withDocker) Stat(name string) (fs.FileInfo, error) {
	if name == "/var/run/docker.pid" {
		name = h.Paths().DokkuRoot
	}
	return h.Host.Stat(name)
}

// docker was restarted while another process of ours was at work for longer than is
// waited for it: nothing was looked at, so it is due still.
func TestWhatDidNotGetItsTurnIsDueStill(t *testing.T) {
	_, h := newHost(t, sandbox.Before)
	ctx := context.Background()
	busy := &host.Faulty{Host: h, Locks: func(name string) error {
		if strings.HasSuffix(name, "work.lock") {
			return host.ErrLocked
		}
		return nil
	}}
	g := quietGuard(h, &strings.Builder{})
	if err := g.Install(ctx); err != nil {
		t.Fatal(err)
	}
	if err := quietGuard(withDocker{busy}, &strings.Builder{}).AfterDocker(ctx); err == nil {
		t.Error("it got its turn")
	}
	if _, err := h.Stat(h.Paths().Data("routes")); err == nil {
		t.Error("it is taken for done")
	}
}

// So it is with what is queued.
func TestTheQueueWaitsForItsTurn(t *testing.T) {
	_, h := newHost(t, sandbox.Before)
	ctx, busy := context.Background(), 2
	faulty := &host.Faulty{Host: h, Pause: func(time.Duration) error { return nil }, Locks: func(name string) error {
		if busy > 0 && strings.HasSuffix(name, "work.lock") {
			busy--
			return host.ErrLocked
		}
		return nil
	}}
	var out strings.Builder
	g := quietGuard(faulty, &out)
	if err := errors.Join(g.Install(ctx), g.QueueRoutes(ctx), g.RunQueue(ctx, false)); err != nil || busy > 0 {
		t.Errorf("%v\n%s", err, &out)
	}
}

// apt has begun another upgrade while the work after the last one was still going on.
// Its end was taken for that of the new one: what was written ahead of that was taken
// back, and of a reinstallation nothing was looked after.
func TestAnUpgradeThatBeginsMeanwhileIsNotEnded(t *testing.T) {
	box, h := newHost(t, sandbox.Before)
	ctx := context.Background()
	g := quietGuard(h, &strings.Builder{})
	if err := errors.Join(g.Install(ctx), g.PreUpgrade(ctx, "0.20.4", "0.35.5"), box.Upgrade("0.35.5"),
		h.Remove(h.Paths().App("blog")+"/nginx.conf"), g.State.SetPhase(guard.BeforeCore)); err != nil {
		t.Fatal(err)
	}
	begun := false
	meanwhile := &host.Faulty{Host: h, Before: func(op host.Op) error {
		if !begun && strings.HasPrefix(op.Name, "dokku proxy:build-config") {
			begun = true
			return g.State.SetPhase(guard.BeforeApt)
		}
		return nil
	}}
	var out strings.Builder
	if err := quietGuard(meanwhile, &out).PostUpgrade(ctx, "0.20.4", "0.35.5"); err != nil || !begun {
		t.Fatalf("%v\n%s", err, &out)
	}
	if phase := g.State.Phase(); phase != guard.BeforeApt {
		t.Errorf("the phase is %q", phase)
	}
}

// Domains were put back, and nginx's configuration could not be built with them, because
// the app is being deployed. That is remembered until it has them: of an app with a
// template of its own nobody else could tell.
func TestWhatIsUnbuiltIsRemembered(t *testing.T) {
	box, h := newHost(t, "issue7253-0.35.5-after")
	ctx := context.Background()
	g := quietGuard(h, &strings.Builder{})
	p := h.Paths()
	if err := errors.Join(g.Install(ctx),
		h.Write(p.LibRoot+"/data/nginx-vhosts/app-my_app/nginx.conf.sigil", 0o644, []byte("x")),
		h.Write(p.Property("ps", "my_app", "scale"), 0o600, []byte("web=2\nworker=1\n")),
		h.Append(p.App("my_app")+"/VHOST", []byte("more.example.org\n")),
		h.Write(app.DeployLock(p, "0.35.5", "my_app"), 0o600, nil),
		g.State.Save(state.State{Format: 1, Unbuilt: []string{"blog", "my_app"}})); err != nil {
		t.Fatal(err)
	}
	inspect := box.Dir + "/docker-inspect.json"
	b, err := h.ReadFile(inspect)
	if err != nil {
		t.Fatal(err)
	}
	b = []byte(strings.NewReplacer(`"Status": "running"`, `"Status": "exited"`, `"Running": true`, `"Running": false`).Replace(string(b)))
	if err := h.Write(inspect, 0o644, b); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = quietGuard(h, &out).Routes(ctx)
	if known, _ := g.State.Read(); !slices.Contains(known.Unbuilt, "my_app") {
		t.Errorf("it is forgotten: %v\n%v\n%s", known.Unbuilt, err, &out)
	}
	if _, err := quietGuard(h, &out).Apply(ctx, false); err == nil {
		t.Log("apply has ended well")
	}
	if known, _ := g.State.Read(); !slices.Contains(known.Unbuilt, "my_app") {
		t.Errorf("it is forgotten by apply: %v\n%s", known.Unbuilt, &out)
	}
}
