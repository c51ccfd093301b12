// Package state is what the guard remembers from one call to the next: what is
// unresolved, what it has written ahead of an upgrade, the queue, restores that have
// begun; and the locks that keep its processes apart.
package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/host"
	"upgrade-guard/src/rawjson"
	"upgrade-guard/src/say"
)

// State is what the guard must remember from one call to the next beside its
// snapshots: which apps an upgrade still owes something, and which files it
// has put into Dokku's directories ahead of an upgrade.
type State struct {
	Format int `json:"format"`
	// Open are the apps whose baseline is still open, by name.
	Unresolved map[string]Baseline `json:"open,omitempty"`
	// Seeds are the files the guard wrote for the version to come, by path.
	Seeds map[string]Seed `json:"seeds,omitempty"`
	// Runs are the journals of repairs that were made since the version
	// changed, before the jump was brought to an end.
	Runs []string `json:"runs,omitempty"`
	// Renamed are the apps that were renamed, the new name by the old one. Older
	// snapshots know them by that.
	Renamed map[string]string `json:"renamed,omitempty"`
	// Upgrades are the upgrades the guard has brought to an end, oldest first.
	Upgrades []Upgrade `json:"jumps,omitempty"`
	// Unbuilt are the apps whose domains, ports or certificates were put back since
	// nginx's configuration was last seen to have them.
	Unbuilt []string `json:"unbuilt,omitempty"`
	// Queue is long work that goes on after the package manager's run.
	Queue []Job `json:"queue,omitempty"`
}

// Baseline is the snapshot by which an app is repaired.
type Baseline struct {
	// Snapshot is an id or live/<app>; "" when none could be read yet.
	Snapshot string `json:"snapshot"`
	Dokku    string `json:"dokku"` // the version it was recorded under
	// Owed are the hazards that are still open. What else differs from the
	// baseline was looked at once after the upgrade and is a person's since. Empty
	// where nothing could be looked at yet.
	Hazards []string `json:"owed,omitempty"`
}

// Seed is a file written ahead of an upgrade.
type Seed struct {
	App string `json:"app"`
	// ReadFrom is the first Dokku version that reads the file.
	ReadFrom string `json:"read_from,omitempty"`
	// SHA256 are the digests of what the guard has written there, or is about
	// to: a new one is entered before the write, the old ones go after it, so
	// that a killed process leaves nothing that is not known to be ours.
	SHA256 []string  `json:"sha256"`
	Time   time.Time `json:"time"`
}

// Upgrade is one upgrade.
type Upgrade struct {
	From     string    `json:"from"`
	To       string    `json:"to"`
	Time     time.Time `json:"time"`
	Baseline string    `json:"baseline,omitempty"`
	Runs     []string  `json:"runs,omitempty"` // the journals of its repairs
}

// Store is where the state is kept.
type Store struct{ h host.Host }

// New is the store of a host.
func New(h host.Host) *Store { return &Store{h} }

// ErrDamaged is wrapped by the error of a state that cannot be read.
var ErrDamaged = errors.New("damaged")

// format is the version of the state's shape.
const format = 1

// Rename enters that an app bears another name now.
func (l *State) Rename(from, to string) {
	if l.Renamed == nil {
		l.Renamed = map[string]string{}
	}
	delete(l.Renamed, to) // it was called so before, and is again
	l.Renamed[from] = to
}

// Now is what an app is called at present, by a name that it bears or has borne.
func (l *State) Now(name string) string {
	for range l.Renamed { // no longer than there are renames
		to := l.Renamed[name]
		if to == "" {
			break
		}
		name = to
	}
	return name
}

// Formerly are the names that an app has borne, the newest first.
func (l *State) Formerly(name string) []string {
	var names []string
	for {
		found := ""
		for old, new := range l.Renamed {
			if new == name && !slices.Contains(names, old) && (found == "" || old < found) {
				found = old
			}
		}
		if found == "" {
			return names
		}
		names, name = append(names, found), found
	}
}

func (s *Store) path() string { return s.h.Paths().Data("ledger.json") }

// Read reads the state. A missing one is empty, and so is one that cannot be
// read, with an error that wraps ErrDamaged: stamp and snapshots are enough to
// go on by.
func (s *Store) Read() (State, error) {
	l := State{Format: format}
	b, err := s.h.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = rawjson.Unmarshal(b, &l)
	}
	if err != nil {
		return State{Format: format}, fmt.Errorf("%s: %w: %v", s.path(), ErrDamaged, err)
	}
	return l, nil
}

// Save stores the ledger, unless it says what the stored one says. One
// that could not be read is kept beside it.
func (s *Store) Save(l State) error {
	old, err := s.Read()
	if err == nil && reflect.DeepEqual(old, l) {
		return nil
	}
	if errors.Is(err, ErrDamaged) {
		if err := s.h.Rename(s.path(), s.path()+".damaged-"+s.h.Now().Format("20060102T150405Z")); err != nil {
			return err
		}
	}
	b, err := rawjson.MarshalIndent(l)
	if err != nil {
		return err
	}
	if err := s.h.Mkdir(s.h.Paths().Data(), 0o700); err != nil {
		return err
	}
	return s.h.Write(s.path(), 0o600, b)
}

// LastSeen is the Dokku version the guard last found, or left, in order; "" when
// it has seen none yet. While the version on the disk differs, an upgrade is
// under way or unfinished, and nothing recorded is replaced.
func (s *Store) LastSeen() string { return s.word("stamp") }

// word is a file that holds one word.
func (s *Store) word(name string) string {
	b, err := s.h.ReadFile(s.h.Paths().Data(name))
	if err != nil || len(b) > 100 {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// SetLastSeen writes the stamp, if it differs.
func (s *Store) SetLastSeen(version string) error {
	if s.LastSeen() == version {
		return nil
	}
	if err := s.h.Mkdir(s.h.Paths().Data(), 0o700); err != nil {
		return err
	}
	return s.h.Write(s.h.Paths().Data("stamp"), 0o600, []byte(version+"\n"))
}

// Phase says that the package manager has begun an upgrade, and at which of
// its steps it was last seen: "apt", "prerm" or "core-install"; "" when none is
// under way. Unlike the stamp it also tells of one that does not change the
// version: a reinstallation, or an upgrade that was given up.
func (s *Store) Phase() string { return s.word("pending") }

// SetPhase notes the step, or with "" that the upgrade is through.
func (s *Store) SetPhase(step string) error {
	if step == "" {
		return s.h.Remove(s.h.Paths().Data("pending"))
	}
	return s.h.Write(s.h.Paths().Data("pending"), 0o600, []byte(step+"\n"))
}

// NoteUnrecorded notes that an app, whose live snapshot says how it was before an upgrade, or
// the host was changed.
func (s *Store) NoteUnrecorded() error {
	name := s.h.Paths().Data("unrecorded")
	if _, err := s.h.Lstat(name); err == nil {
		return nil
	}
	return s.h.Write(name, 0o600, nil)
}

// Unrecorded tells whether that was noted.
func (s *Store) Unrecorded() bool {
	_, err := s.h.Lstat(s.h.Paths().Data("unrecorded"))
	return !errors.Is(err, fs.ErrNotExist)
}

// SetRecorded notes that the host was recorded since.
func (s *Store) SetRecorded() error { return s.h.Remove(s.h.Paths().Data("unrecorded")) }

// Lock keeps every other upgrade-guard process from the store until the returned
// function is called. It waits no longer than wait.
func Lock(ctx context.Context, h host.Host, wait time.Duration) (unlock func(), err error) {
	return lock(ctx, h, "lock", wait)
}

// LockWork keeps every other upgrade-guard process from repairing anything until the
// returned function is called. Whoever holds both has taken this one first.
func LockWork(ctx context.Context, h host.Host, wait time.Duration) (unlock func(), err error) {
	return lock(ctx, h, "work.lock", wait)
}

// LockIncoming keeps every other upgrade-guard process from what comes in from another
// host until the returned function is called. It may take hours, and nobody waits for it:
// the store's lock is taken when it is there.
func LockIncoming(ctx context.Context, h host.Host) (unlock func(), err error) {
	return lock(ctx, h, "incoming.lock", 100*time.Millisecond)
}

// ErrBusy is wrapped by the error of a lock that another process did not give back in
// time: nothing was begun.
var ErrBusy = errors.New("another upgrade-guard process has held the lock")

func lock(ctx context.Context, h host.Host, name string, wait time.Duration) (unlock func(), err error) {
	if err := h.Mkdir(h.Paths().Data(), 0o700); err != nil {
		return nil, fmt.Errorf("%s cannot be made: %w", h.Paths().Data(), err)
	}
	path := h.Paths().Data(name)
	unlock, err = h.Lock(ctx, path, 0o600, wait)
	if errors.Is(err, host.ErrLocked) {
		return nil, say.Hint(fmt.Errorf("%w for more than %s", ErrBusy, wait),
			"Try again when it is done; ps aux | grep upgrade-guard shows it.")
	}
	if err != nil {
		return nil, fmt.Errorf("the lock %s cannot be taken: %w", path, err)
	}
	return unlock, nil
}
