package guard

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// An executable that hangs is ended, gets no more of this delivery, and holds nobody else
// up; what was told is told once.
func TestAnExecutableThatHangs(t *testing.T) {
	dir := t.TempDir()
	p := host.Paths{DokkuRoot: dir + "/home", LibRoot: dir + "/lib", PluginPath: dir + "/lib/plugins", Events: dir + "/events.d"}
	script := func(name, text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(p.Events, 0o755), os.WriteFile(filepath.Join(p.Events, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	script("10-hangs", "echo begun >>"+dir+"/hung; sleep 600 & wait")
	script("20-log", "cat >>"+dir+"/told")
	defer func(was time.Duration) { hookTimeout = was }(hookTimeout)
	hookTimeout = 300 * time.Millisecond
	var out strings.Builder
	g := New(host.NewLocal(p), &say.Printer{Out: &out, Err: &out})
	for _, name := range []string{"blog", "my_app"} {
		g.tell(Event{Event: EventDown, Apps: []string{name}, Text: name + " is down"})
	}
	if n := g.WaitingEvents(); n != 2 {
		t.Fatalf("%d wait\n%s", n, &out)
	}
	begun := time.Now()
	g.Deliver(context.Background())
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	told, _ := os.ReadFile(dir + "/told")
	hung, _ := os.ReadFile(dir + "/hung")
	if strings.Count(string(told), "\n") != 2 || string(hung) != "begun\n" || g.WaitingEvents() != 0 {
		t.Errorf("told %q, hung %q, %d wait", told, hung, g.WaitingEvents())
	}
	if strings.Count(out.String(), "took too long") != 1 {
		t.Errorf("%s", &out)
	}
}

// However many events there are, those that wait are bounded, and the newest are kept.
func TestEventsAreBounded(t *testing.T) {
	dir := t.TempDir()
	p := host.Paths{DokkuRoot: dir + "/home", LibRoot: dir + "/lib", Events: dir + "/events.d"}
	if err := errors.Join(os.MkdirAll(p.Events, 0o755), os.WriteFile(p.Events+"/x", []byte("#!/bin/sh\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	g := New(host.NewLocal(p), &say.Printer{Out: &out, Err: &out})
	for range maxEvents + 10 {
		g.tell(Event{Event: EventDown, Text: "x"})
	}
	if n := g.WaitingEvents(); n != maxEvents || out.Len() > 0 {
		t.Errorf("%d wait\n%s", n, &out)
	}
}
