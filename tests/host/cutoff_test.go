package host_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/state"
	"upgrade-guard/tests/sandbox"
)

// builder is a host whose docker is down and whose Dokku builds an nginx.conf that shows
// what it was built from, without starting a process.
type builder struct{ host.Host }

func (b builder) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	if name != "dokku" || args[0] != "proxy:build-config" {
		return noDocker(b).Run(ctx, name, args...)
	}
	p := b.Paths()
	domain, _ := b.ReadFile(p.App(args[1]) + "/VHOST")
	ports, _ := b.ReadFile(p.Property("ports", args[1], "map"))
	_, port, _ := strings.Cut(string(ports), ":")
	port, _, _ = strings.Cut(port, ":")
	conf := fmt.Sprintf("server {\n  listen %s;\n  server_name %s;\n}\n", port, strings.TrimSpace(string(domain)))
	for _, f := range []string{p.App(args[1]) + "/VHOST", p.Property("ports", args[1], "map"), p.Property("nginx", args[1], "hsts"), p.App(args[1]) + "/nginx.conf.d/x.conf"} {
		text, _ := b.ReadFile(f)
		conf += "# " + strings.Join(strings.Fields(string(text)), " ") + "\n"
	}
	return nil, b.Write(p.App(args[1])+"/nginx.conf", 0o644, []byte(conf))
}

func (b builder) Trigger(ctx context.Context, name string, args ...string) ([]byte, error) {
	if name == "ports-get" {
		return b.ReadFile(b.Paths().Property("ports", args[0], "map"))
	}
	return noDocker(b).Trigger(ctx, name, args...)
}

// restoring is a host on which somebody has changed an app since a snapshot was taken.
type restoring struct {
	story
	id string
}

func newRestoring(t *testing.T) *restoring {
	t.Helper()
	box, h := newHost(t, "issue7253-0.35.5-after")
	r := &restoring{story: story{t, box, builder{h}}}
	p := h.Paths()
	set := func(domain, port, hsts, snippet string) {
		for name, content := range map[string]string{
			p.App("my_app") + "/VHOST": domain + "\n", p.Property("ports", "my_app", "map"): "http:" + port + ":5000\n",
			p.Property("nginx", "my_app", "hsts"): hsts, p.App("my_app") + "/nginx.conf.d/x.conf": snippet,
		} {
			if err := h.Write(name, 0o600, []byte(content)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.h.Run(context.Background(), "dokku", "proxy:build-config", "my_app"); err != nil {
			t.Fatal(err)
		}
	}
	set("shop.example.org", "80", "true", "old;")
	if err := r.guard(r.h).Install(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.guard(r.h).Apply(context.Background(), false); err != nil { // never_deployed wants a scale
		t.Fatal(err)
	}
	m, err := r.guard(r.h).Snapshot(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	r.id = m.ID
	set("other.example.org", "8080", "false", "new;")
	return r
}

func (r *restoring) restore(h host.Host) error {
	return r.guard(h).Restore(context.Background(), "my_app", guard.RestoreOptions{Snapshot: r.id})
}

// told is what the report says of the app.
func (r *restoring) told() string {
	r.t.Helper()
	report, err := r.guard(r.h).Report(context.Background(), "my_app")
	if err != nil {
		r.t.Fatal(err)
	}
	var told []string
	for _, f := range report.Apps[0].Findings {
		told = append(told, f.What+" "+f.Command)
	}
	return strings.Join(told, "\n")
}

// A restore was killed between its files and the build of nginx's configuration. Run
// again it said "as in the snapshot", and the app went on being served as before. Now it
// ends as it would have, killed anywhere: run again, or by apply, which builds and puts
// back no value, and says what is left.
func TestARestoreThatWasCutOffIsFinished(t *testing.T) {
	reference := newRestoring(t)
	var ops []host.Op
	if err := reference.restore(&host.Faulty{Host: reference.h, Kill: func(op host.Op) string {
		if counted(op) || op.Kind == "run" && strings.HasPrefix(op.Name, "dokku") {
			ops = append(ops, op)
		}
		return ""
	}}); err != nil {
		t.Fatal(err)
	}
	end := reference.live()
	if len(ops) < 15 || !strings.Contains(end["/home/dokku/my_app/nginx.conf"], "shop.example.org") {
		t.Fatalf("it does too little: %v", ops)
	}
	killed := func(h host.Host, n int, mode string) host.Host {
		i := -1
		return &host.Faulty{Host: h, Kill: func(op host.Op) string {
			if !counted(op) && !(op.Kind == "run" && strings.HasPrefix(op.Name, "dokku")) {
				return ""
			}
			if i++; i == n {
				return mode
			}
			return ""
		}}
	}
	ended := func(t *testing.T, r *restoring) {
		t.Helper()
		if diff := cmp.Diff(end, r.live()); diff != "" {
			t.Error(diff)
		}
		if told := r.told(); strings.Contains(told, "did not finish") {
			t.Errorf("the report says: %s", told)
		}
		r.noLeftovers(r.h.Paths().DokkuRoot)
		if left := r.guard(r.h).State.Restored(); len(left) > 0 {
			t.Errorf("left are %v", left)
		}
	}
	byApply, toldOf := 0, 0
	for _, mode := range []string{"before", "during", "after"} {
		for n, op := range ops {
			t.Run(fmt.Sprintf("%s %s %d", mode, op.Kind, n), func(t *testing.T) {
				r := newRestoring(t)
				r.t = t
				dies(t, func() error { return r.restore(killed(r.h, n, mode)) })
				if n%2 == 0 {
					if _, err := r.guard(r.h).Apply(context.Background(), false); err != nil {
						t.Fatal(err)
					}
					told := r.told()
					switch same := cmp.Equal(end, r.live()); {
					case same:
						byApply++
						ended(t, r)
						return
					case strings.Contains(told, "did not finish: not done is") && strings.Contains(told, "dokku upgrade-guard:restore my_app --snapshot "+r.id):
						toldOf++
					case len(r.guard(r.h).State.Restored()) > 0:
						t.Errorf("it is not done and not told: %s", told)
					}
				}
				if err := r.restore(r.h); err != nil {
					t.Fatal(err)
				}
				ended(t, r)
			})
		}
	}
	t.Logf("killed at each of %d steps in 3 ways: %d times apply came to the end, %d times it said what is left", len(ops), byApply, toldOf)
	if byApply == 0 || toldOf == 0 {
		t.Error("that is too few to be true")
	}
}

// A restore whose build failed is not done either, and a value that somebody has set
// since is not overwritten by apply.
func TestARestoreThatFailedIsNotForgotten(t *testing.T) {
	r := newRestoring(t)
	failing := &host.Faulty{Host: r.h, Before: func(op host.Op) error {
		if strings.HasPrefix(op.Name, "dokku proxy:build-config") {
			return errors.New("no space left on device")
		}
		return nil
	}}
	if err := r.restore(failing); err == nil {
		t.Fatal("the build did not fail")
	}
	if told := r.told(); !strings.Contains(told, "nginx's configuration was not built") {
		t.Errorf("the report says: %s", told)
	}
	vhost := r.h.Paths().App("my_app") + "/VHOST"
	if err := r.h.Write(vhost, 0o644, []byte("third.example.org\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.guard(r.h).Apply(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(vhost); string(b) != "third.example.org\n" {
		t.Errorf("the domains are %q", b)
	}
	if told := r.told(); !strings.Contains(told, "not done is domains third.example.org -> shop.example.org") {
		t.Errorf("the report says: %s", told)
	}
}

// The same of an upgrade's work: of an app that brings a template of its own nobody could
// tell any more that its domains had just been put back.
func TestAnApplyThatWasCutOffBuildsNginx(t *testing.T) {
	begin := func(t *testing.T) (sandbox.Host, host.Host, *guard.Guard) {
		t.Helper()
		box, h := newHost(t, sandbox.Before)
		g := quietGuard(h, &strings.Builder{})
		ctx := context.Background()
		if err := errors.Join(g.Install(ctx), g.PreUpgrade(ctx, "0.20.4", "0.35.5"), box.Upgrade("0.35.5")); err != nil {
			t.Fatal(err)
		}
		p := h.Paths()
		if err := errors.Join(h.Write(p.LibRoot+"/data/nginx-vhosts/app-my_app/nginx.conf.sigil", 0o644, []byte("x")), h.Remove(p.App("my_app")+"/VHOST")); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Run(ctx, "dokku", "proxy:build-config", "my_app"); err != nil {
			t.Fatal(err)
		}
		return box, h, g
	}
	post := func(h host.Host) error {
		return quietGuard(h, &strings.Builder{}).PostUpgrade(context.Background(), "0.20.4", "0.35.5")
	}
	_, h, _ := begin(t)
	var ops []string
	counts := func(op host.Op) bool {
		return op.Kind != "mkdir" && (op.Kind != "run" || strings.HasPrefix(op.Name, "dokku"))
	}
	if err := post(&host.Faulty{Host: h, Kill: func(op host.Op) string {
		if counts(op) {
			ops = append(ops, op.Kind+" "+op.Name)
		}
		return ""
	}}); err != nil {
		t.Fatal(err)
	}
	from, to := -1, -1
	for i, op := range ops {
		switch {
		case strings.HasSuffix(op, "my_app/VHOST"):
			from = i
		case strings.HasPrefix(op, "run dokku proxy:build-config my_app"):
			to = i
		}
	}
	if from < 0 || to <= from {
		t.Fatalf("it did %s", strings.Join(ops, "\n"))
	}
	for n := from; n < to; n++ {
		t.Run(ops[n], func(t *testing.T) {
			_, h, g := begin(t)
			i := -1
			dies(t, func() error {
				return post(&host.Faulty{Host: h, Kill: func(op host.Op) string {
					if !counts(op) {
						return ""
					}
					if i++; i == n {
						return "after"
					}
					return ""
				}})
			})
			if _, err := g.Apply(context.Background(), false); err != nil {
				t.Fatal(err)
			}
			if b, err := h.ReadFile(h.Paths().App("my_app") + "/nginx.conf"); err != nil || !strings.Contains(string(b), "shop.example.org") {
				t.Errorf("%v, nginx.conf is\n%s", err, b)
			}
			if l, err := g.State.Read(); err != nil || len(l.Unbuilt) > 0 {
				t.Errorf("the ledger still has %v, %v", l.Unbuilt, err)
			}
		})
	}
}

// What the restore itself would not have had built, since nginx did not serve the app in
// the snapshot, apply does not have built in its place.
func TestACutOffRestoreOpensNothing(t *testing.T) {
	r := newRestoring(t)
	conf := r.h.Paths().App("my_app") + "/nginx.conf"
	if err := r.h.Remove(conf); err != nil {
		t.Fatal(err)
	}
	m, err := r.guard(r.h).Snapshot(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.guard(r.h).State.BeginRestore("my_app", state.Restore{Snapshot: m.ID, Parts: restore.Parts}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.guard(r.h).Apply(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.h.Lstat(conf); err == nil {
		t.Error("nginx's configuration was built")
	}
	if told := r.told(); !strings.Contains(told, "nginx's configuration was not built dokku upgrade-guard:restore my_app --snapshot "+m.ID) {
		t.Errorf("the report says: %s", told)
	}
	// The restore says why, and is over then.
	r.id = m.ID
	if err := r.restore(r.h); err != nil {
		t.Fatal(err)
	}
	if told := r.told(); strings.Contains(told, "was not built") {
		t.Errorf("the report says: %s", told)
	}
}
