package snapshot

import (
	"crypto/sha256"
	"io"
	"os"
	"slices"
)

// A snapshot of a host on which nothing has changed is another name of an earlier one's
// file. That is read to its last byte first: it has to be, byte for byte, what was read
// back when it was stored, and that has to have held what there is now. What a snapshot is
// called, and when and why it was taken, is said by its name.

// earlier is the file that the next snapshot may get: that of the newest but one, so that
// one is never alone, whatever becomes of the disk below it. "" where there is none.
func (s *Store) earlier() string {
	list, err := s.List()
	if err != nil || len(list) < 2 || list[0].Future || list[1].Future {
		return ""
	}
	newest, err := s.h.Lstat(s.path(list[0].ID))
	if err != nil {
		return ""
	}
	before, err := s.h.Lstat(s.path(list[1].ID))
	if err != nil || os.SameFile(newest, before) {
		return ""
	}
	return s.path(list[1].ID)
}

// holds tells whether a file was read back when it was stored, held the given then, and is
// the same now.
func (s *Store) holds(file string, held digest) bool {
	s.h.Uncached(file) // as what is written anew is read back: a copy that is only remembered is none
	f, err := s.h.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	is := sha256.New()
	if _, err := io.CopyBuffer(is, io.LimitReader(f, maxPacked), make([]byte, pieceSize)); err != nil {
		return false
	}
	return slices.Contains(s.proofs(), proof(digest(is.Sum(nil)), held))
}
