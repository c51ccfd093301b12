// Package snapshot is the store: what a host was like at a moment, one file a
// snapshot, complete by one rename and checked by digests.
//
// A snapshot is a tar.gz whose first entry, manifest.json, holds the time, the
// reason, the Dokku version, the typed state of every app, and path, mode, link
// target and SHA-256 of every file; the raw files follow. Any copy of it is as
// good as the original, and one put back is used like any other.
package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

// Reasons why a snapshot is taken. They are part of its id.
const (
	Installed   = "install"
	PreUpgrade  = "pre-upgrade"
	PostUpgrade = "post-upgrade"
	PreRestore  = "pre-restore"
	Manual      = "manual"
)

// Entry is a snapshot as its file's name tells it, without opening it.
type Entry struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Dokku  string    `json:"dokku"`
	Reason string    `json:"reason"`
	Size   int64     `json:"size"`
}

// Store keeps the snapshots of one host below its data directory.
type Store struct{ h host.Host }

// New is the store of a host.
func New(h host.Host) *Store { return &Store{h} }

const timeLayout = "20060102T150405Z"

var idPattern = regexp.MustCompile(`^([0-9]{8}T[0-9]{6}Z)-([0-9A-Za-z.+~]+)-([a-z][a-z0-9-]*)$`)

func (s *Store) path(id string) string { return s.h.Paths().Data("snapshots", id+".tar.gz") }

func (s *Store) livePath(name string) string { return s.h.Paths().Data("live", name+".tar.gz") }

// Save stores the files as a new snapshot and reads it back before it says that
// it is there.
func (s *Store) Save(files *app.Files, reason string) (Manifest, error) {
	if err := s.h.Mkdir(s.h.Paths().Data(), 0o700); err != nil {
		return Manifest{}, fmt.Errorf("the snapshot cannot be stored: %w", err)
	}
	m := s.manifest(files, reason)
	version := strings.ReplaceAll(files.Dokku, "-", "~")
	if version == "" {
		version = "unknown"
	}
	m.ID = m.Time.Format(timeLayout) + "-" + version + "-" + reason
	if err := s.write(s.path(m.ID), m); err != nil {
		return m, fmt.Errorf("the snapshot cannot be stored: %w", err)
	}
	if err := s.readsBack(m); err != nil {
		return m, fmt.Errorf("the snapshot was stored and does not read back: %w", err)
	}
	return m, nil
}

// readsBack holds what was just stored to what was meant.
func (s *Store) readsBack(m Manifest) error {
	f, err := s.h.Open(s.path(m.ID))
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return damaged(m.ID, err)
	}
	tr := tar.NewReader(zr)
	if _, err := tr.Next(); err != nil { // the manifest; writing it was checked by its size
		return damaged(m.ID, err)
	}
	if err := eachFile(m.ID, m, tr, func(int, []byte) {}); err != nil {
		return err
	}
	return toTheEnd(m.ID, zr)
}

// SaveLive replaces the running record of one app.
func (s *Store) SaveLive(files *app.Files, name string) error {
	if err := s.h.Mkdir(s.h.Paths().Data(), 0o700); err != nil {
		return fmt.Errorf("the record of %s cannot be stored: %w", name, err)
	}
	m := s.manifest(files, "live")
	m.ID = "live/" + name
	if err := s.write(s.livePath(name), m); err != nil {
		return fmt.Errorf("the record of %s cannot be stored: %w", name, err)
	}
	return nil
}

// RetireLive takes the running record of an app that is gone out of use. It is
// kept, one for each name, because it may be the newest copy of what an
// apps:rename of 0.34.0 to 0.36.5 has just destroyed.
func (s *Store) RetireLive(name string) error {
	if _, err := s.h.Lstat(s.livePath(name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := s.h.Mkdir(s.h.Paths().Data("gone"), 0o700); err != nil {
		return err
	}
	return s.h.Rename(s.livePath(name), s.h.Paths().Data("gone", name+".tar.gz"))
}

// MoveLive gives the running record of an app that was renamed to its new name. In
// it the app has the old one.
func (s *Store) MoveLive(from, to string) error {
	err := s.h.Rename(s.livePath(from), s.livePath(to))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // moved already
	}
	return err
}

func (s *Store) manifest(files *app.Files, reason string) Manifest {
	// Where the clock has gone back, what is recorded now is still newer than
	// what was recorded before: all that follows goes by the order.
	now := s.h.Now()
	if list, err := s.List(); err == nil && len(list) > 0 && !now.After(list[0].Time) {
		now = list[0].Time.Add(time.Second)
	}
	return Manifest{
		Format: format, Time: now, Reason: reason, Dokku: files.Dokku,
		Incomplete: files.Incomplete(), Apps: files.Apps, Host: app.Read(files), Files: files.All(),
	}
}

// List are the snapshots there are, newest first. Other files are ignored.
func (s *Store) List() ([]Entry, error) {
	files, err := s.h.ReadDir(s.h.Paths().Data("snapshots"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the snapshots cannot be listed: %w", err)
	}
	var list []Entry
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Name(), ".tar.gz")
		m := idPattern.FindStringSubmatch(id)
		if !ok || m == nil {
			continue
		}
		t, err := time.Parse(timeLayout, m[1])
		if err != nil {
			continue
		}
		e := Entry{ID: id, Time: t, Dokku: strings.ReplaceAll(m[2], "~", "-"), Reason: m[3]}
		if st, err := f.Info(); err == nil {
			e.Size = st.Size()
		}
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b Entry) int {
		if c := b.Time.Compare(a.Time); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	return list, nil
}

// Automatic tells that retention may remove this snapshot.
func (e Entry) Automatic() bool { return !strings.HasPrefix(e.Reason, Manual) }

// Manifest reads what a snapshot says of itself, and none of its files.
func (s *Store) Manifest(id string) (Manifest, error) {
	var m Manifest
	err := s.read(id, s.path(id), false, func(head Manifest, _ *tar.Reader) error { m = head; return nil })
	return m, err
}

// Live reads the running record of an app; fs.ErrNotExist when there is none.
func (s *Store) Live(name string) (Manifest, error) {
	var m Manifest
	err := s.read("live/"+name, s.livePath(name), false, func(head Manifest, _ *tar.Reader) error { m = head; return nil })
	return m, err
}

// inside are the paths that a snapshot may name. What is restored is never taken
// from a path of the manifest; but a manifest that names others is not ours, and
// then nothing of it is.
var inside = regexp.MustCompile(`^(facts/[a-z-]+(/.*)?|root/[^./][^/]*(/.*)?|lib/(config|data)/.*|lib/(STABLE_)?VERSION)$`)

// Files reads a snapshot, or with live/<app> an app's running record, whole,
// every digest checked.
func (s *Store) Files(id string) (*app.Files, error) {
	name, live := strings.CutPrefix(id, "live/")
	file := s.livePath(name)
	switch {
	case live && (name == "" || strings.ContainsAny(name, "/")), !live && !idPattern.MatchString(id):
		return nil, errNoSnapshot(id) // a person has typed it
	case !live:
		file = s.path(id)
	}
	var files *app.Files
	err := s.read(id, file, true, func(m Manifest, tr *tar.Reader) error {
		for _, f := range m.Files {
			if !inside.MatchString(f.Path) || path.Clean(f.Path) != strings.TrimSuffix(f.Path, "/") || slices.Contains(strings.Split(f.Path, "/"), "hooks") {
				return damaged(id, fmt.Errorf("it names %q, which no snapshot of ours holds", f.Path))
			}
		}
		list := slices.Clone(m.Files)
		err := eachFile(id, m, tr, func(i int, data []byte) { list[i].Data = bytes.Clone(data) })
		files = app.NewFiles(m.Dokku, m.Apps, m.Host.Strays, list)
		return err
	})
	return files, err
}

// File reads one file of a snapshot, and no further; fs.ErrNotExist where there is
// none of that path. It is not held to its digest: it is for telling something, not
// for restoring it.
func (s *Store) File(id, path string) ([]byte, error) {
	if !idPattern.MatchString(id) {
		return nil, errNoSnapshot(id)
	}
	data, err := []byte(nil), fmt.Errorf("%s of the snapshot %s: %w", path, id, fs.ErrNotExist)
	readErr := s.read(id, s.path(id), false, func(_ Manifest, tr *tar.Reader) error {
		for {
			head, next := tr.Next()
			if errors.Is(next, io.EOF) {
				return nil
			}
			if next != nil {
				return damaged(id, next)
			}
			if head.Name == path {
				data, err = io.ReadAll(io.LimitReader(tr, maxManifest))
				return errFoundIt
			}
		}
	})
	if readErr != nil && !errors.Is(readErr, errFoundIt) {
		return nil, readErr
	}
	return data, err
}

// errFoundIt ends the reading of a snapshot.
var errFoundIt = errors.New("found")

// Verify checks every digest of a snapshot.
func (s *Store) Verify(id string) error {
	return s.read(id, s.path(id), true, func(m Manifest, tr *tar.Reader) error {
		return eachFile(id, m, tr, func(int, []byte) {})
	})
}

// errNoSnapshot says that there is none of this id; it wraps fs.ErrNotExist.
func errNoSnapshot(id string) error {
	return say.Hint(fmt.Errorf("there is no snapshot %s: %w", id, fs.ErrNotExist), "See dokku upgrade-guard:snapshots for those there are.")
}

// ErrDamaged is wrapped by the error of every snapshot that does not read as
// it was written.
var ErrDamaged = errors.New("damaged")

func damaged(id string, why error) error {
	return say.Hint(fmt.Errorf("the snapshot %s is %w: %v", id, ErrDamaged, why),
		"It is not used. See dokku upgrade-guard:snapshots --verify for those that are whole.")
}

// Prune removes the oldest automatic snapshots until retain of them are left.
// Pinned ones are not removed; manual ones are not even counted.
func (s *Store) Prune(retain int, pinned []string) error {
	list, err := s.List()
	if err != nil {
		return err
	}
	kept := 0
	for _, e := range list {
		if !e.Automatic() {
			continue
		}
		if kept++; kept > retain && !slices.Contains(pinned, e.ID) {
			if err := s.h.Remove(s.path(e.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}
