package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Which snapshots there are, and how they go.

// List are the snapshots of this host, newest first; at the end those whose date is none.
// Whatever is taken for a baseline, or for the newest, is one of these. Other files are
// ignored.
func (s *Store) List() ([]Entry, error) {
	list, err := s.All()
	return slices.DeleteFunc(list, func(e Entry) bool { return e.From != "" }), err
}

// All are those of this host and those that come from elsewhere, in the same order.
func (s *Store) All() ([]Entry, error) {
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
		e, valid := parse(id)
		if !ok || !valid {
			continue
		}
		if st, err := f.Info(); err == nil {
			e.Size = st.Size()
		}
		e.Future = s.Dated(e.Time).IsZero()
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b Entry) int {
		if c := s.Dated(b.Time).Compare(s.Dated(a.Time)); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	return list, nil
}

// Named is what the id of a snapshot says of it.
func Named(id string) (Entry, bool) { return parse(id) }

// Automatic tells that retention may remove this snapshot.
func (e Entry) Automatic() bool { return !strings.HasPrefix(e.Reason, Manual) && e.From == "" }

// Prune removes the oldest automatic snapshots until retain of them are left.
// Pinned ones are not removed; manual ones, those from elsewhere, and those whose date is
// none, are not even counted.
func (s *Store) Prune(retain int, pinned []string) error {
	list, err := s.List()
	if err != nil {
		return err
	}
	kept := 0
	var errs []error
	for _, e := range list {
		if !e.Automatic() || e.Future {
			continue
		}
		if kept++; kept > retain && !slices.Contains(pinned, e.ID) {
			errs = append(errs, s.Remove(e.ID))
		}
	}
	return errors.Join(errs...)
}

// Remove removes a snapshot and what lies beside it. The snapshot goes first: what a
// killed one leaves is removed with the next that is stored (sweep).
func (s *Store) Remove(id string) error {
	if _, dated := parse(id); !dated {
		return errNoSnapshot(id)
	}
	if err := s.h.Remove(s.path(id)); err != nil {
		return err
	}
	if _, err := s.h.Lstat(s.beside(id)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return s.h.RemoveTree(s.beside(id))
}
