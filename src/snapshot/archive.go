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
	"time"

	"upgrade-guard/src/app"
	"upgrade-guard/src/say"
)

func (s *Store) write(name string, m Manifest) error {
	if err := s.h.Mkdir(path.Dir(name), 0o700); err != nil {
		return err
	}
	return s.h.WriteFrom(name, 0o600, func(w io.Writer) error {
		zw, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return err
		}
		tw := tar.NewWriter(zw)
		// tar wants the size first, so the manifest is made twice.
		var size counter
		if err := m.encode(&size); err != nil {
			return err
		}
		if err := tw.WriteHeader(header("manifest.json", m.Time, int64(size))); err != nil {
			return err
		}
		if err := m.encode(tw); err != nil {
			return err
		}
		for _, f := range m.Files {
			if f.SHA256 == "" {
				continue // a link, a directory, or one that could not be read
			}
			if err := tw.WriteHeader(header(f.Path, m.Time, int64(len(f.Data)))); err != nil {
				return err
			}
			if _, err := tw.Write(f.Data); err != nil {
				return err
			}
		}
		if err := tw.Close(); err != nil {
			return err
		}
		return zw.Close()
	})
}

func header(name string, t time.Time, size int64) *tar.Header {
	return &tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: t, Format: tar.FormatPAX}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

func (s *Store) read(id, name string, withFiles bool, use func(Manifest, *tar.Reader) error) error {
	f, err := s.h.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoSnapshot(id)
	}
	if err != nil {
		return fmt.Errorf("the snapshot %s cannot be read: %w", id, err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return damaged(id, err)
	}
	tr := tar.NewReader(zr)
	head, err := tr.Next()
	if err != nil || head.Name != "manifest.json" || head.Size > maxManifest {
		return damaged(id, errors.New("it does not begin with a manifest"))
	}
	m, err := decode(tr, withFiles)
	if err != nil {
		return damaged(id, fmt.Errorf("its manifest cannot be read: %v", err))
	}
	if m.Format != format {
		return say.Hint(fmt.Errorf("the snapshot %s has format %d, and this upgrade-guard reads %d", id, m.Format, format),
			"It was taken by another version of the plugin: dokku plugin:update upgrade-guard")
	}
	if err := use(m, tr); err != nil {
		return err
	}
	return toTheEnd(id, zr)
}

// eachFile reads the raw files, which stand in the manifest's order, and holds
// each to its digest.
func eachFile(id string, m Manifest, tr *tar.Reader, use func(i int, data []byte)) error {
	var buf bytes.Buffer
	for i, f := range m.Files {
		if f.SHA256 == "" {
			continue
		}
		head, err := tr.Next()
		if err != nil {
			return damaged(id, fmt.Errorf("it ends before %s", f.Path))
		}
		buf.Reset()
		_, err = buf.ReadFrom(io.LimitReader(tr, int64(f.Size)+1))
		if err != nil || head.Name != f.Path || app.Digest(buf.Bytes()) != f.SHA256 {
			return damaged(id, fmt.Errorf("%s is not what was stored", f.Path))
		}
		use(i, buf.Bytes())
	}
	return nil
}

// maxManifest bounds what a damaged or foreign file can make us read: ten times
// the manifest of a host with a thousand apps.
const maxManifest = 256 << 20

// toTheEnd reads on to gzip's own checksum, which covers the manifest too.
func toTheEnd(id string, zr io.Reader) error {
	if _, err := io.Copy(io.Discard, zr); err != nil {
		return damaged(id, err)
	}
	return nil
}
