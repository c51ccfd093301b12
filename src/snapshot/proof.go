package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"

	"upgrade-guard/src/rawjson"
)

// Every snapshot is read back when it is stored, each file in it held to its digest. What
// its own file was then, to the byte, is noted: while it is that, all in it is as it was,
// and to hash it takes a fraction of the time.

// digest is a SHA-256.
type digest [sha256.Size]byte

// mostProofs are kept, of the newest.
const mostProofs = 64

// proof is a line of the file read-back: the digest of a snapshot's file as it was read
// back, and of what it held then.
func proof(file, held digest) string {
	return hex.EncodeToString(file[:]) + " " + hex.EncodeToString(held[:])
}

// proofs are the lines of that file. Without it every snapshot is read to know it.
func (s *Store) proofs() (lines []string) {
	b, _ := s.h.ReadFile(s.h.Paths().Data("read-back"))
	for line := range strings.Lines(string(b)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

// proven notes what a file was read back as, and held then. The caller has the lock.
func (s *Store) proven(file, held digest) error {
	lines := append(s.proofs(), proof(file, held))
	lines = lines[max(0, len(lines)-mostProofs):]
	return s.h.Write(s.h.Paths().Data("read-back"), 0o600, []byte(strings.Join(lines, "\n")+"\n"))
}

// head reads what the snapshot in a file says of itself, but for its list of files, where
// the file is as it was read back; ok is false where that is not known.
func (s *Store) head(file string) (m Manifest, ok bool) {
	f, err := s.h.Open(file)
	if err != nil {
		return m, false
	}
	defer f.Close()
	is := sha256.New()
	in, zr, free, err := unpacker(io.TeeReader(io.LimitReader(f, maxPacked), is)) // what is longer is another
	defer free()
	if err != nil {
		return m, false
	}
	tr, err := toManifest(&bounded{zr, maxManifest + overhead})
	if err != nil {
		return m, false
	}
	if m, _, err = decode(io.TeeReader(tr, &meter{}), parts{states: true}); err != nil {
		return m, false
	}
	if _, err := io.CopyBuffer(io.Discard, onlyReader{in}, make([]byte, pieceSize)); err != nil {
		return m, false
	}
	as := hex.EncodeToString(is.Sum(nil)) + " "
	if !slices.ContainsFunc(s.proofs(), func(line string) bool { return strings.HasPrefix(line, as) }) {
		return m, false
	}
	if m.Escaped {
		rawjson.Unescape(&m)
	}
	return m, true
}
