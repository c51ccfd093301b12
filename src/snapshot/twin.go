package snapshot

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/klauspost/compress/gzip"
)

// A snapshot of a host on which nothing has changed is another name of an earlier one's
// file. That is read to its last byte first, and is what would be written now; what it is
// called, and when it was taken, is said by its name.

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

// holds tells whether a file is, byte for byte, what a snapshot would be, but for what that
// is called, and when and why it was taken.
func (s *Store) holds(file string, m Manifest, manifest encoding) bool {
	s.h.Uncached(file) // as what is written anew is read back: a copy that is only remembered is none
	f, err := s.h.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	src := bufio.NewReaderSize(f, pieceSize)
	zr, err := gzip.NewReader(src)
	if err != nil {
		return false
	}
	zr.Multistream(false)
	there, end := unpacking(zr)
	defer end()
	start, _ := there.Peek(4096)
	called := beginning.FindSubmatch(start)
	if called == nil {
		return false
	}
	if m.Time, err = time.Parse(time.RFC3339, string(called[2])); err != nil {
		return false
	}
	if manifest.head, err = manifest.calledAs(called[1]); err != nil {
		return false
	}
	size := meter{unbounded: true}
	if err := manifest.write(&size); err != nil {
		return false
	}
	now, stop := beside(func(w io.Writer) error {
		out := bufio.NewWriterSize(w, pieceSize)
		if err := m.entries(out, manifest, size.bytes); err != nil {
			return err
		}
		return out.Flush()
	})
	defer stop()
	if !same(there, now) {
		return false
	}
	_, err = src.ReadByte()
	return errors.Is(err, io.EOF)
}

// beginning is a manifest up to the reason, as it stands in an archive.
var beginning = regexp.MustCompile(`\{("format":[0-9]+,(?:"escaped":true,)?"id":"[0-9A-Za-z.+~-]+","time":"([0-9TZ:-]+)","reason":"[a-z0-9-]+"),"dokku":`)

// calledAs is the head of a manifest with another beginning.
func (e encoding) calledAs(start []byte) ([]byte, error) {
	at := bytes.Index(e.head, []byte(`,"dokku":`))
	if at < 0 {
		return nil, errors.New("a manifest has no version")
	}
	return append(append([]byte("{"), start...), e.head[at:]...), nil
}

// same tells whether two readers have the same to be read, to their ends.
func same(a, b io.Reader) bool {
	one, two := make([]byte, pieceSize), make([]byte, pieceSize)
	for {
		n, errA := fill(one, a)
		m, errB := fill(two, b)
		switch {
		case !bytes.Equal(one[:n], two[:m]):
			return false
		case errA != nil && errB != nil: // and none of them is another than the end
			return errA == io.EOF && errB == io.EOF
		}
	}
}

// fill is io.ReadFull, which calls the end of what is cut off by the same name as the end of
// what was not large enough.
func fill(p []byte, r io.Reader) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = r.Read(p[n:])
		n += more
	}
	return n, err
}
