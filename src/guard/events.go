package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
	"upgrade-guard/src/snapshot"
)

// Executables in /etc/upgrade-guard/events.d are told what has happened: mail, a webhook, a
// copy of a snapshot off the host. They are root's to put there, and run as the Dokku user,
// by the queue's worker or at the end of a command that acts, never in a package manager's run; and
// whatever they do holds and fails nothing of ours. Without any nothing is written for them.

// Events are what may be told.
const (
	EventSnapshot   = "snapshot-taken"
	EventRefused    = "upgrade-refused"
	EventDone       = "upgrade-done"
	EventIncomplete = "upgrade-incomplete" // something is left of it, for a person or for apply
	EventDown       = "app-down"           // looked for once an hour
	EventDue        = "certificate-due"    // the same
	EventRenamed    = "renamed"
	EventTest       = "test" // upgrade-guard:events --test
)

// Event is one of them, as it is on an executable's standard input: one line of JSON. No
// value that may be a secret is in it.
type Event struct {
	Version int       `json:"version"` // of this shape
	Guard   string    `json:"upgrade_guard"`
	Event   string    `json:"event"`
	Time    time.Time `json:"time"`
	Host    string    `json:"host"`
	// Text is the event in a sentence, ToDo what there is to type.
	Text string   `json:"text"`
	ToDo []string `json:"to_do,omitempty"`
	// From and To are the Dokku versions of an upgrade, or an app's names.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Snapshot is the id of one, Path where it is: the place to copy it from.
	Snapshot string `json:"snapshot,omitempty"`
	Path     string `json:"path,omitempty"`
	// Apps are those that it is about.
	Apps []string `json:"apps,omitempty"`
	// Prevented and Repaired are how many losses were, ActionRequired how many findings
	// are left to a person.
	Prevented      int `json:"prevented,omitempty"`
	Repaired       int `json:"repaired,omitempty"`
	ActionRequired int `json:"action_required,omitempty"`
}

// hookTimeout is how long an executable may take.
var hookTimeout = 30 * time.Second

const (
	// hookOutput is how much of what an executable prints is read: with more it is ended.
	hookOutput = 64 << 10
	// maxEvents are as many as wait for their delivery; the oldest go first.
	maxEvents = 200
	// maxCommands is as much as an event has to type.
	maxCommands = 20
)

// EventHooks are the executables that are told, in the order of their names. What anybody
// may write, or what cannot be run, is none.
func (g *Guard) EventHooks() (hooks []string) {
	dir := g.Host.Paths().Events
	entries, err := g.Host.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.Out.Error(fmt.Errorf("nobody is told of events: %w", err))
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		st, err := g.Host.Stat(path)
		if err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o111 != 0 && st.Mode().Perm()&0o002 == 0 && !strings.HasPrefix(e.Name(), ".") {
			hooks = append(hooks, path)
		}
	}
	return hooks
}

// tell has an event delivered, later. It fails nothing.
func (g *Guard) tell(e Event) {
	if len(g.EventHooks()) == 0 {
		return
	}
	e.Version, e.Guard, e.Time = JSONVersion, g.Version, g.Host.Now()
	if e.Host = g.hostName(); len(e.ToDo) > maxCommands {
		e.ToDo = e.ToDo[:maxCommands]
	}
	if err := g.enqueueEvent(e); err != nil {
		g.Out.Error(fmt.Errorf("nobody will be told of %s: %w", e.Event, err))
	}
}

func (g *Guard) eventsDir() string { return g.Host.Paths().Data("events") }

func (g *Guard) enqueueEvent(e Event) error {
	b, err := say.EncodeJSON(e)
	if err != nil {
		return err
	}
	if err := g.Host.Mkdir(g.eventsDir(), 0o700); err != nil {
		return err
	}
	waiting := g.waitingEvents()
	for len(waiting) >= maxEvents {
		if err := g.Host.Remove(filepath.Join(g.eventsDir(), waiting[0])); err != nil {
			return err
		}
		waiting = waiting[1:]
	}
	for n := 0; ; n++ {
		began := fmt.Sprintf("%s-%03d-", e.Time.Format(snapshot.TimeLayout), n)
		if slices.ContainsFunc(waiting, func(name string) bool { return strings.HasPrefix(name, began) }) {
			continue
		}
		if err := g.Host.Write(filepath.Join(g.eventsDir(), began+e.Event+".json"), 0o600, append(b, '\n')); err != nil {
			return err
		}
		return g.State.SetQueued(true)
	}
}

// WaitingEvents are how many are not delivered yet.
func (g *Guard) WaitingEvents() int { return len(g.waitingEvents()) }

// waitingEvents are the files of those that are not delivered yet, the oldest first.
func (g *Guard) waitingEvents() (names []string) {
	entries, _ := g.Host.ReadDir(g.eventsDir())
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") && e.Name() != watched {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// hostName is what this host is called: its first global domain.
func (g *Guard) hostName() string {
	for _, name := range []string{"VHOST", "HOSTNAME"} {
		if b, err := g.Host.ReadFile(g.Host.Paths().App(name)); err == nil {
			if first, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n"); first != "" {
				return first
			}
		}
	}
	return ""
}

// Deliver hands what waits to everybody who is to be told. An executable that has failed is
// said, and gets the next all the same; one that has hung gets no more of this delivery.
// Nothing is delivered twice, and nothing again.
func (g *Guard) Deliver(ctx context.Context) {
	if len(g.waitingEvents()) == 0 {
		return
	}
	unlock, err := g.Host.Lock(ctx, filepath.Join(g.eventsDir(), ".lock"), 0o600, time.Millisecond)
	if err != nil {
		return // another process delivers them
	}
	defer unlock()
	hung := map[string]bool{}
	for _, name := range g.waitingEvents() {
		path := filepath.Join(g.eventsDir(), name)
		for _, hook := range g.EventHooks() {
			if hung[hook] {
				continue
			}
			err := g.runHook(ctx, hook, path)
			if ctx.Err() != nil {
				return // whoever comes next delivers it
			}
			if hung[hook] = errors.Is(err, errHung); err != nil {
				g.Out.Trouble("%s was not told of it: %s", hook, err)
			}
		}
		if err := g.Host.Remove(path); err != nil {
			g.Out.Error(err)
			return // rather than again and again
		}
	}
}

var errHung = errors.New("it took too long and was ended")

// runHook runs an executable with an event on its standard input.
func (g *Guard) runHook(ctx context.Context, hook, event string) error {
	limited, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	defer host.Setenv(inOurRun, "yes")()
	err := g.Host.Stream(limited, func(r io.Reader) error {
		n, err := io.Copy(io.Discard, io.LimitReader(r, hookOutput))
		if err == nil && n == hookOutput {
			err = errors.New("it prints more than 64 KiB and was ended")
		}
		return err
	}, "sh", "-c", `exec "$0" <"$1"`, hook, event)
	if limited.Err() != nil && ctx.Err() == nil {
		return errHung
	}
	return err
}

// TestEvents runs each executable with an event that says so, and says how it went.
func (g *Guard) TestEvents(ctx context.Context) error {
	hooks := g.EventHooks()
	if len(hooks) == 0 {
		return say.Hint(fmt.Errorf("there is no executable in %s", g.Host.Paths().Events), "See docs/events.md for examples.")
	}
	b, err := say.EncodeJSON(Event{
		Version: JSONVersion, Guard: g.Version, Event: EventTest, Time: g.Host.Now(), Host: g.hostName(), Text: "dokku upgrade-guard:events --test",
	})
	if err != nil {
		return err
	}
	if err := g.Host.Mkdir(g.eventsDir(), 0o700); err != nil {
		return err
	}
	path := filepath.Join(g.eventsDir(), "test")
	if err := g.Host.Write(path, 0o600, append(b, '\n')); err != nil {
		return err
	}
	var errs []error
	for i, hook := range hooks {
		g.Out.Step("[%d/%d] %s", i+1, len(hooks), hook)
		if err := g.runHook(ctx, hook, path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", hook, err))
		}
	}
	return joined(append(errs, g.Host.Remove(path))...)
}

const (
	// watched is the file, among the events, with what was told.
	watched = "told.json"
	// watchEvery is a little less than the hour in which the timer asks once.
	watchEvery = 50 * time.Minute
	// certificateDays is how long before its end a certificate is due.
	certificateDays = 14
)
