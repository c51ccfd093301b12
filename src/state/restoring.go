package state

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"upgrade-guard/src/rawjson"
)

// Restore is what somebody has asked to be put back of an app, and from where. It is
// kept until it is done: once its files are in place, nothing else tells that nginx's
// configuration was still to be built from them.
type Restore struct {
	Snapshot string   `json:"snapshot"`
	Parts    []string `json:"parts"`
	// Created tells that the app is made anew, and was not there before.
	Created bool `json:"created,omitempty"`
}

// restoring is the file: the newest restore, and what an older one has left.
type restoring struct {
	Restores []Restore `json:"restores"`
}

func (s *Store) restoringPath(name string) string {
	return s.h.Paths().Data("restores", name+".json")
}

// Restoring are the restores of an app that have begun and not come to their end, the
// newest first.
func (s *Store) Restoring(name string) ([]Restore, error) {
	b, err := s.h.ReadFile(s.restoringPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var r restoring
	if err == nil {
		err = rawjson.Unmarshal(b, &r)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", s.restoringPath(name), err)
	}
	return r.Restores, nil
}

// Restored are the snapshots that restores have begun from and not come to their end.
func (s *Store) Restored() (ids []string) {
	files, _ := s.h.ReadDir(s.h.Paths().Data("restores"))
	for _, f := range files {
		restores, _ := s.Restoring(strings.TrimSuffix(f.Name(), ".json"))
		for _, r := range restores {
			ids = append(ids, r.Snapshot)
		}
	}
	return ids
}

// BeginRestore notes that a restore begins. What it does itself, older ones have not
// left any more. One that cannot be read is replaced.
func (s *Store) BeginRestore(name string, r Restore) error {
	older, _ := s.Restoring(name)
	return s.setRestoring(name, append([]Restore{r}, without(older, r.Parts)...))
}

// EndRestore notes that the restore of some parts is done.
func (s *Store) EndRestore(name string, parts []string) error {
	older, _ := s.Restoring(name)
	return s.setRestoring(name, without(older, parts))
}

func without(restores []Restore, parts []string) (left []Restore) {
	for _, r := range restores {
		r.Parts = slices.DeleteFunc(slices.Clone(r.Parts), func(p string) bool { return slices.Contains(parts, p) })
		if len(r.Parts) > 0 {
			left = append(left, r)
		}
	}
	return left
}

func (s *Store) setRestoring(name string, restores []Restore) error {
	if len(restores) == 0 {
		return s.h.Remove(s.restoringPath(name))
	}
	b, err := rawjson.MarshalIndent(restoring{restores})
	if err != nil {
		return err
	}
	if err := s.h.Mkdir(s.h.Paths().Data("restores"), 0o700); err != nil {
		return err
	}
	return s.h.Write(s.restoringPath(name), 0o600, b)
}

// ForgetRestores takes note that an app is gone.
func (s *Store) ForgetRestores(name string) error { return s.h.Remove(s.restoringPath(name)) }

// MoveRestores gives an app's restores to its new name.
func (s *Store) MoveRestores(from, to string) error {
	err := s.h.Rename(s.restoringPath(from), s.restoringPath(to))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
