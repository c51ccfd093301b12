package snapshot

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// What an export is held to while it comes in: the entries in their order, each a plain
// file of a size that ours has, and at the end the digest of each.

// take writes a part to the disk, no more of it than most.
func (s *Store) take(r io.Reader, name string, most int64) (got content, err error) {
	err = s.h.WriteFrom(s.coming(name), 0o600, func(w io.Writer) error {
		m := measure(w)
		n, err := io.Copy(m, io.LimitReader(r, most+1))
		if err == nil && n > most {
			err = errTooLarge(name)
		}
		got = m.content()
		return err
	})
	return got, err
}

func errTooLarge(name string) error { return fmt.Errorf("its %s is larger than any of ours", name) }

// receive reads an export from its first byte to its last.
func (a *Arrival) receive(s *Store, in *bufio.Reader) error {
	c := &courier{in: &counted{r: in}}
	c.tr = tar.NewReader(c.in)
	if err := c.next(); err != nil {
		return fmt.Errorf("it is no export: %w", err)
	}
	if c.head.Name != aboutName {
		return errors.New("it is no export: it does not begin with " + aboutName)
	}
	if err := a.about(c); err != nil {
		return err
	}
	if err := c.expect(packedName); err != nil {
		return err
	}
	var err error
	if a.digests[packedName], err = s.take(c.tr, packedName, maxPacked); err != nil {
		return err
	}
	if err := c.next(); err != nil {
		return err
	}
	for _, name := range a.About.Repositories {
		if err := a.repository(s, c, name); err != nil {
			return err
		}
	}
	if c.head.Name != digestsName {
		return fmt.Errorf("it has %q where %s is due", c.head.Name, digestsName)
	}
	var promised map[string]content
	if _, err := c.json(&promised); err != nil {
		return err
	}
	for name, got := range a.digests {
		if promised[name] != got {
			return fmt.Errorf("its %s is not what was sent", name)
		}
	}
	if len(promised) != len(a.digests) {
		return fmt.Errorf("its %s is of more than there is", digestsName)
	}
	return c.end()
}

// about reads what it says of itself.
func (a *Arrival) about(c *courier) error {
	got, err := c.json(&a.About)
	if err != nil {
		return err
	}
	switch {
	case a.About.Format > travelFormat:
		return newer(fmt.Errorf("it cannot be read: %w: %d, and this upgrade-guard reads %d", errFormat, a.About.Format, travelFormat))
	case a.About.Format < 1:
		return errors.New("it has no format")
	case len(a.About.Repositories) > maxApps || len(a.About.Apps) > maxApps:
		return tooMuch("apps", maxApps)
	case len(a.About.Host) > 255: // no name of a host's is longer
		return fmt.Errorf("its %s names no host", aboutName)
	}
	if _, ok := parse(a.About.ID); !ok {
		a.About.ID = "" // a live one has none
	}
	seen := map[string]bool{}
	for _, name := range a.About.Repositories {
		if !Travels(name) || seen[name] {
			return fmt.Errorf("its %s names the repository of %q", aboutName, name)
		}
		seen[name] = true
	}
	a.digests[aboutName] = got
	return nil
}

// repository puts the pieces of one together.
func (a *Arrival) repository(s *Store, c *courier, app string) error {
	name := bundleName(app)
	if c.head.Name != pieceName(name, 1) {
		return fmt.Errorf("it has %q where %s is due", c.head.Name, name)
	}
	var got content
	head := &bytes.Buffer{}
	err := s.h.WriteFrom(s.coming("beside", bundleFile(app)), 0o600, func(w io.Writer) error {
		m := measure(w)
		for number, last := 1, false; c.head.Name == pieceName(name, number); number++ {
			if c.head.Size > piece || c.head.Size == 0 || last {
				return fmt.Errorf("its %s is in pieces of another size", name)
			}
			last = c.head.Size < piece
			if m.size+c.head.Size > maxRepository {
				return errTooLarge(name)
			}
			if err := s.room(c.head.Size); err != nil {
				return err
			}
			if _, err := io.CopyN(m, io.TeeReader(c.tr, &first{head, 64 << 10}), c.head.Size); err != nil {
				return err
			}
			if err := c.next(); err != nil {
				return err
			}
		}
		got = m.content()
		return nil
	})
	if err != nil {
		return err
	}
	if err := completeBundle(head.Bytes()); err != nil {
		return fmt.Errorf("its %s %w", name, err)
	}
	a.digests[name] = got
	return nil
}

// completeBundle says what is wrong with the beginning of a bundle: of one that can be
// cloned it has git's first line, and then refs alone.
func completeBundle(head []byte) error {
	line, rest, _ := bytes.Cut(head, []byte("\n"))
	if string(line) != "# v2 git bundle" && string(line) != "# v3 git bundle" {
		return errors.New("is no bundle of git's")
	}
	for line := range bytes.Lines(rest) {
		switch {
		case line[0] == '\n':
			return nil
		case line[0] == '-':
			return errors.New("is of a part of a repository")
		}
	}
	return nil
}

// first keeps the beginning of what is written.
type first struct {
	to   *bytes.Buffer
	most int
}

func (f *first) Write(p []byte) (int, error) {
	f.to.Write(p[:max(0, min(len(p), f.most-f.to.Len()))])
	return len(p), nil
}

// spare is what an import leaves free on the disk: apps write there too.
const spare = 64 << 20

func (s *Store) room(size int64) error {
	free, err := s.h.Free(s.coming())
	if err == nil && free < uint64(size)+spare {
		err = fmt.Errorf("there is no room for it: no space left on device beside %d MiB that are left to the apps", spare>>20)
	}
	return err
}

// courier reads the entries of an export.
type courier struct {
	in     *counted
	tr     *tar.Reader
	head   *tar.Header
	number int
}

// errCutOff says that a stream ends before its end.
var errCutOff = errors.New("it is cut off")

// next goes to the next entry, which is a plain file.
func (c *courier) next() (err error) {
	if c.number++; c.number > maxTraveling {
		return tooMuch("entries", maxTraveling)
	}
	c.head, err = c.tr.Next()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		c.head = &tar.Header{}
		return errCutOff
	case err != nil:
		c.head = &tar.Header{}
		return err
	case c.head.Typeflag != tar.TypeReg || len(c.head.PAXRecords) > 0 || c.head.Size < 0:
		return fmt.Errorf("%q is no plain file", c.head.Name)
	}
	return nil
}

func (c *courier) expect(name string) error {
	if err := c.next(); err != nil {
		return err
	}
	if c.head.Name != name {
		return fmt.Errorf("it has %q where %s is due", c.head.Name, name)
	}
	return nil
}

// json reads an entry into v.
func (c *courier) json(v any) (content, error) {
	if c.head.Size > maxAbout {
		return content{}, errTooLarge(c.head.Name)
	}
	var b bytes.Buffer
	m := measure(&b)
	if _, err := io.Copy(m, c.tr); err != nil {
		return content{}, err
	}
	if err := json.Unmarshal(b.Bytes(), v); err != nil {
		return content{}, fmt.Errorf("its %s cannot be read: %w", c.head.Name, err)
	}
	return m.content(), nil
}

// end reads to the end of it all. Tar's own end is two blocks of noughts; where there are
// none archive/tar takes the end of the stream for it.
func (c *courier) end() error {
	before := c.in.n
	if _, err := c.tr.Next(); errors.Is(err, io.ErrUnexpectedEOF) {
		return errCutOff
	} else if !errors.Is(err, io.EOF) {
		return errGoesOn
	}
	if c.in.n < (before+511)/512*512+1024 {
		return errCutOff
	}
	_, err := io.Copy(zeros{}, &bounded{c.in, overhead})
	if errors.Is(err, errUnpacks) {
		return errGoesOn
	}
	return err
}

// counted counts what is read through it.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
