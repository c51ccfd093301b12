// Package snapshot is the store: what a host was like at a moment, one file a
// snapshot, complete by one rename and checked by digests.
//
// A snapshot is a tar.gz whose first entry, manifest.json, holds the time, the
// reason, the Dokku version, the typed state of every app, and path, mode, link
// target and SHA-256 of every file; the raw files follow. Any copy of it is as
// good as the original, and one put back is used like any other.
package snapshot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/pattern"
	"upgrade-guard/src/say"
)

// Reasons why a snapshot is taken. They are part of its id.
const (
	Installed   = "install"
	PreUpgrade  = "pre-upgrade"
	PostUpgrade = "post-upgrade"
	PreRestore  = "pre-restore"
	Manual      = "manual"
	Imported    = "imported" // from another host: see arrival.go
	live        = "live"
)

// Entry is a snapshot as its file's name tells it, without opening it.
type Entry struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Dokku  string    `json:"dokku"`
	Reason string    `json:"reason"`
	// Label is what a person has called it.
	Label string `json:"label,omitempty"`
	// From is the host that it comes from, where that is another one than this.
	From string `json:"from,omitempty"`
	Size int64  `json:"size"`
	// Future tells that its date is none: it lies beyond tomorrow. The snapshot may
	// be as good as any, and counts for nothing where the newest is asked for.
	Future bool `json:"future,omitempty"`
}

// Store keeps the snapshots of one host below its data directory.
type Store struct{ h host.Host }

// New is the store of a host.
func New(h host.Host) *Store { return &Store{h} }

// TimeLayout is that of the time with which an id begins: ids sort by it.
const TimeLayout = "20060102T150405Z"

var idPattern = pattern.Of(`^([0-9]{8}T[0-9]{6}Z)-([0-9A-Za-z.+~]+)-([a-z][a-z0-9-]*)$`)

// parse is what an id says; ok is false for what is none.
func parse(id string) (e Entry, ok bool) {
	m := idPattern().FindStringSubmatch(id)
	if m == nil {
		return e, false
	}
	t, err := time.Parse(TimeLayout, m[1])
	e = Entry{ID: id, Time: t, Dokku: strings.ReplaceAll(m[2], "~", "-"), Reason: m[3]}
	if from, ok := strings.CutPrefix(e.Reason, elsewhere); ok {
		e.Reason, e.From = Imported, from
	} else if label, ok := strings.CutPrefix(e.Reason, Manual+"-"); ok {
		e.Reason, e.Label = Manual, label
	}
	return e, err == nil
}

// Labelled is the reason of a snapshot that a person takes and calls by a label. It is
// part of the id, where everybody sees it.
func Labelled(label string) (reason string, err error) {
	if label == "" {
		return Manual, nil
	}
	if !labelPattern().MatchString(label) {
		return "", say.Hint(fmt.Errorf("--label cannot be %q", label), "It is up to 40 of a-z, 0-9 and -, as in before-docker28.")
	}
	return Manual + "-" + label, nil
}

var labelPattern = pattern.Of(`^[a-z0-9][a-z0-9-]{0,39}$`)

// inVersion are the characters that a version may have in an id.
var inVersion = pattern.Of(`[^0-9A-Za-z.+]`)

func newID(t time.Time, dokku, reason string) string {
	if dokku == "" {
		dokku = "unknown"
	}
	return t.Format(TimeLayout) + "-" + inVersion().ReplaceAllString(dokku, "~") + "-" + reason
}

func (s *Store) path(id string) string { return s.h.Paths().Data("snapshots", id+".tar.gz") }

// Save stores the files as a new snapshot and reads it back before it says that
// it is there.
func (s *Store) Save(files *app.Files, reason string) (Manifest, error) {
	m := s.manifest(files, reason)
	m.ID = newID(m.Time, files.Dokku, reason)
	letGo := func() {}
	if files.Spent {
		files.Forget()
		letGo = func() { m.Files, m.Host = nil, app.Host{}; files.LetGo() }
	}
	incomplete, err := s.store(s.path(m.ID), &m, s.earlier(), letGo)
	m.Incomplete = incomplete
	if err != nil {
		return m, fmt.Errorf("the snapshot cannot be stored: %w", err)
	}
	return m, nil
}

// store writes a snapshot and reads it back, by the code that every restore reads it
// with; or gives it the file of an earlier one in which all is as it is now. letGo is called
// once it is written: to read it back takes memory of its own. It returns what is missing in
// it.
func (s *Store) store(name string, all *Manifest, earlier string, letGo func()) (incomplete []string, err error) {
	if err := s.h.Mkdir(s.h.Paths().Data(), 0o700); err != nil {
		return nil, err
	}
	m, manifest, size, err := all.fit()
	if err != nil {
		return nil, err
	}
	if err := s.h.Mkdir(path.Dir(name), 0o700); err != nil {
		return nil, err
	}
	for _, dir := range []string{"snapshots", "live"} {
		if err := s.sweep(s.h.Paths().Data(dir)); err != nil {
			return nil, err
		}
	}
	if earlier != "" && s.holds(earlier, manifest.held) && s.h.Twin(earlier, name) == nil {
		return m.Incomplete, nil
	}
	if err := s.h.WriteFrom(name, 0o600, func(w io.Writer) error { return m.archive(w, manifest, size) }); err != nil {
		return nil, err
	}
	letGo()
	m.Files, m.Host, manifest.head, manifest.files = nil, app.Host{}, nil, nil
	back, file, err := s.openFile(m.ID, nil)
	if err == nil && (len(back.Refused) > 0 || back.sum != manifest.sum) {
		err = damaged(m.ID, errors.New("it does not hold what was stored"))
	}
	if err != nil {
		return nil, fmt.Errorf("it was written and does not read back: %w", err)
	}
	if m.Reason != live {
		_ = s.proven(file, manifest.held) // where that fails, the next is stored anew
	}
	return m.Incomplete, nil
}

// sweep removes what a killed process has left half-written, of whichever snapshot: the
// live one of an app that is not deployed again is not written again either. The caller
// has the lock, so nobody is writing.
func (s *Store) sweep(dir string) error {
	files, err := s.h.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		switch id, beside := strings.CutSuffix(f.Name(), besideSuffix); {
		case leftover().MatchString(f.Name()):
			err = s.h.Remove(path.Join(dir, f.Name()))
		case beside && !slices.ContainsFunc(files, func(f fs.DirEntry) bool { return f.Name() == id+".tar.gz" }):
			err = s.h.RemoveTree(path.Join(dir, f.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var leftover = pattern.Of(`^\..*\.tar\.gz[0-9]+$`)

func (s *Store) manifest(files *app.Files, reason string) Manifest {
	return Manifest{
		Format: format, Time: s.date(files), Reason: reason, Dokku: files.Dokku, Partial: files.Partial,
		Incomplete: files.Incomplete(), Apps: files.Apps, Host: app.Read(files), Files: files.All(),
	}
}

// longest is more than it takes to read a host and to ask its apps. Where more lies between
// that and storing it the clock was put right.
const longest = 10 * time.Minute

// Next is the date of a snapshot that is begun now. Where the clock has gone back that is
// still newer than all that was recorded before: all that follows goes by the order.
func (s *Store) Next() time.Time {
	list, _ := s.List()
	return next(list, s.h.Now())
}

func next(list []Entry, now time.Time) time.Time {
	if len(list) > 0 && !list[0].Future && !now.After(list[0].Time) {
		return list[0].Time.Add(time.Second)
	}
	return now
}

// date is what a snapshot of files is dated: when it was begun, and not when it is stored. In
// between apps are asked, and what a deploy has stored meanwhile is newer. (What was changed
// meanwhile and no trigger tells of may be in it and older; it takes seconds to read a host,
// and a minute to ask it.) No two snapshots are of the same second.
func (s *Store) date(files *app.Files) time.Time {
	list, _ := s.List()
	t, now := files.Time, s.h.Now()
	if d := now.Sub(t); d < 0 || d > longest {
		t = next(list, now)
	}
	for slices.ContainsFunc(list, func(e Entry) bool { return e.Time.Equal(t) }) {
		t = t.Add(time.Second)
	}
	return t
}

// Dated is a time that something was done at, and no time at all where that lies
// beyond tomorrow: then a clock was wrong, or somebody has made up the date.
func (s *Store) Dated(t time.Time) time.Time {
	if t.After(s.h.Now().Add(24 * time.Hour)) {
		return time.Time{}
	}
	return t
}

// Manifest reads what a snapshot says of itself. Like everything that reads one, it
// checks the whole of it first: by its digest, where it was read back as that.
func (s *Store) Manifest(id string) (Manifest, error) {
	if entry, dated := parse(id); dated {
		if m, ok := s.head(s.path(id)); ok {
			m.ID, m.Time = id, entry.Time
			return m, nil
		}
	}
	return s.Verify(id)
}

// Verify is Manifest, and holds each file in the snapshot to its digest, as a restore from
// it does.
func (s *Store) Verify(id string) (Manifest, error) {
	m, err := s.open(id, nothing)
	m.Files = nil
	return m, err
}

// Files reads a snapshot, or with live/<app> an app's live snapshot.
func (s *Store) Files(id string) (*app.Files, error) {
	m, err := s.open(id, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	files := app.NewFiles(m.Dokku, m.Apps, m.Host.Strays, m.Files)
	files.Refused = m.Refused
	files.Partial = m.Partial || m.Reason == live
	return files, nil
}

// File reads one file of a snapshot; fs.ErrNotExist where there is none of that path.
func (s *Store) File(id, path string) ([]byte, error) {
	m, err := s.open(id, func(p string) bool { return p == path })
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(m.Files, func(f app.File) bool { return f.Path == path && f.SHA256 != "" })
	if i < 0 {
		return nil, missing(fmt.Sprintf("the snapshot %s has no %s", id, path))
	}
	return m.Files[i].Data, nil
}

// nothing is wanted of the files' content.
func nothing(string) bool { return false }

// open reads a snapshot, or live/<app>. What it is called and when it was taken is said
// by its name: a copy may have another one.
func (s *Store) open(id string, want func(path string) bool) (Manifest, error) {
	m, _, err := s.openFile(id, want)
	return m, err
}

// openFile is open, and the digest of the file.
func (s *Store) openFile(id string, want func(path string) bool) (Manifest, digest, error) {
	entry, dated := parse(id)
	name := s.path(id)
	if app, live := strings.CutPrefix(id, "live/"); live && app != "" && !strings.Contains(app, "/") {
		name = s.livePath(app)
	} else if !dated {
		return Manifest{}, digest{}, errNoSnapshot(id) // a person has typed it
	}
	f, err := s.h.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, digest{}, errNoSnapshot(id)
	}
	if err != nil {
		return Manifest{}, digest{}, fmt.Errorf("the snapshot %s cannot be read: %w", id, err)
	}
	defer f.Close()
	file := sha256.New()
	m, err := read(io.TeeReader(f, file), want)
	switch {
	case errors.Is(err, errFormat):
		return Manifest{}, digest{}, say.Hint(fmt.Errorf("the snapshot %s cannot be read: %w", id, err),
			"It was taken by another version of the plugin: dokku plugin:update upgrade-guard")
	case err != nil:
		return Manifest{}, digest{}, damaged(id, err)
	}
	if m.ID = id; dated {
		m.Time = entry.Time
	}
	for i, why := range m.Refused {
		m.Refused[i] = fmt.Sprintf("The snapshot %s %s: it is left out.", id, why)
	}
	return m, digest(file.Sum(nil)), nil
}

// missing is fs.ErrNotExist in words that say what is not there.
type missing string

func (m missing) Error() string { return string(m) }

// Is tells that it is fs.ErrNotExist.
func (m missing) Is(target error) bool { return target == fs.ErrNotExist }

// errNoSnapshot says that there is none of this id; it is fs.ErrNotExist.
func errNoSnapshot(id string) error {
	return say.Hint(missing("there is no snapshot "+id), "See dokku upgrade-guard:snapshots for those there are.")
}

// ErrDamaged is wrapped by the error of every snapshot that does not read as
// it was written.
var ErrDamaged = errors.New("damaged")

func damaged(id string, why error) error {
	return say.Hint(fmt.Errorf("the snapshot %s is %w: %v", id, ErrDamaged, why),
		"It is not used. To find those that are whole: dokku upgrade-guard:snapshots --verify")
}
