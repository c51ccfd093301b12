package host_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
)

// answering is a host whose docker knows every container that it is asked about.
type answering struct {
	host.Host
	status string
	asked  int
}

func (a *answering) Stream(_ context.Context, use func(io.Reader) error, name string, args ...string) error {
	a.asked++
	var lines strings.Builder
	for _, id := range args[3:] { // inspect --format FORMAT
		fmt.Fprintf(&lines, `{"id":%q,"running":%v,"status":%q,"networks":{},"labels":{},"env":[]}`+"\n", id, a.status == "running", a.status)
	}
	return use(strings.NewReader(lines.String()))
}

func (a *answering) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	return nil, fmt.Errorf("%s is down", name)
}

// Of what config:set waited for, most was docker's program, which told of containers what
// it had told the last time. It is asked where that may be otherwise: another container,
// one that did not run, an app that a person has stopped.
func TestSettingsDoNotAskDockerAgain(t *testing.T) {
	s := newStory(t)
	h := &answering{Host: s.h, status: "running"}
	p := h.Paths()
	set := func(name, text string) {
		t.Helper()
		if err := h.Write(p.App("blog")+"/"+name, 0o644, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	change := func(why string, asks int) {
		t.Helper()
		h.asked = 0
		if err := s.guard(h).RefreshSettings(context.Background(), "blog"); err != nil {
			t.Fatal(err)
		}
		if h.asked != asks {
			t.Errorf("%s: docker was asked %d times, and not %d", why, h.asked, asks)
		}
	}
	live := func() app.State {
		t.Helper()
		files, err := s.guard(h).Store.Files("live/blog")
		if err != nil {
			t.Fatal(err)
		}
		return app.Read(files).Apps["blog"]
	}
	change("no live snapshot", 1)
	set("ENV", "export T='new'\n")
	change("a variable", 0)
	if b := live(); b.Running() == 0 || b.Running() != len(b.Containers) {
		t.Errorf("%d of %d containers run in the live snapshot", b.Running(), len(b.Containers))
	}
	if b, err := s.guard(h).Store.File("live/blog", "root/blog/ENV"); err != nil || string(b) != "export T='new'\n" {
		t.Errorf("the environment there is %q, %v", b, err)
	}
	set("CONTAINER.web.1", strings.Repeat("c", 64))
	change("another container", 1)
	h.status = "exited"
	if err := s.guard(h).Refresh(context.Background(), "blog"); err != nil {
		t.Fatal(err)
	}
	change("one that did not run", 1)
	h.status = "running"
	change("it runs", 1)
	set("ENV", "export DOKKU_APP_RESTORE='0'\n")
	h.status = "exited"
	change("ps:stop", 1)
	if live().Running() != 0 {
		t.Error("it runs in the live snapshot, and was stopped")
	}
}
