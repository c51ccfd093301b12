package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"upgrade-guard/src/app"
)

// Live snapshots: one of each app, brought up to date by its deploys and its settings.

func (s *Store) livePath(name string) string { return s.h.Paths().Data("live", name+".tar.gz") }

// SaveLive replaces the live snapshot of one app.
func (s *Store) SaveLive(files *app.Files, name string) error {
	m := s.manifest(files, live)
	m.ID = "live/" + name
	if _, err := s.store(s.livePath(name), &m, "", func() {}); err != nil {
		return fmt.Errorf("the live snapshot of %s cannot be stored: %w", name, err)
	}
	// Without it the file is dated when it was stored, which is later, unless the clock has gone back.
	_ = s.h.Date(s.livePath(name), m.Time)
	return nil
}

// LiveSince tells whether an app's live snapshot may be newer than a time. It is not read for
// that: its file is dated as it is, and any copy of it later.
func (s *Store) LiveSince(name string, t time.Time) bool {
	st, err := s.h.Lstat(s.livePath(name))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // who reads it is told
	}
	return st.ModTime().After(t)
}

// LiveFile is the file of an app's live snapshot, nil where there is none.
func (s *Store) LiveFile(name string) fs.FileInfo {
	st, err := s.h.Lstat(s.livePath(name))
	if err != nil {
		return nil
	}
	return st
}

// SameFile tells that none was stored between two looks at it. A file system gives the number
// of one that is gone to the next but one, so the time counts at which the kernel saw it.
func SameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	seen := func(f fs.FileInfo) syscall.Timespec { return f.Sys().(*syscall.Stat_t).Ctim }
	return os.SameFile(a, b) && seen(a) == seen(b)
}

// RetireLive takes the live snapshot of an app that is gone out of use. It is
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

// MoveLive gives the live snapshot of an app that was renamed to its new name. In
// it the app has the old one.
func (s *Store) MoveLive(from, to string) error {
	err := s.h.Rename(s.livePath(from), s.livePath(to))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // moved already
	}
	return err
}

// Live reads the live snapshot of an app; fs.ErrNotExist when there is none.
func (s *Store) Live(name string) (Manifest, error) { return s.Manifest("live/" + name) }
