package snapshot

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"

	"upgrade-guard/src/app"
	"upgrade-guard/src/rawjson"
)

// manifestName is the first entry of an archive.
const manifestName = "manifest.json"

// archive writes the snapshot. tar wants sizes first, and fit has measured the manifest.
// While one goroutine puts together what the next piece is, this one packs.
func (m Manifest) archive(w io.Writer, manifest encoding, size int) error {
	zw, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	pr, end := beside(func(w io.Writer) error {
		out := bufio.NewWriterSize(w, pieceSize)
		if err := m.entries(out, manifest, size); err != nil {
			return err
		}
		return out.Flush()
	})
	defer end()
	if _, err := io.CopyBuffer(zw, pr, make([]byte, pieceSize)); err != nil {
		return err
	}
	return zw.Close()
}

// entries writes what is packed.
func (m Manifest) entries(w io.Writer, manifest encoding, size int) error {
	tw := tar.NewWriter(w)
	if err := tw.WriteHeader(header(manifestName, m.Time, int64(size))); err != nil {
		return err
	}
	if err := manifest.write(tw); err != nil {
		return err
	}
	for i := range m.Files {
		f := &m.Files[i]
		if f.SHA256 == "" {
			continue // a link, a directory, or one that could not be read
		}
		data, err := f.Content()
		if err != nil {
			return err
		}
		if err := tw.WriteHeader(header(f.Path, m.Time, int64(len(data)))); err != nil {
			return err
		}
		if _, err := tw.Write(data); err != nil {
			return err
		}
	}
	return tw.Close()
}

// pieceSize is how much is handed from one goroutine to the other at once.
const pieceSize = 128 << 10

// beside writes in a goroutine of its own what is read from r here. end must be called, and
// waits until it has ended. It panics in no other goroutine than its caller's.
func beside(write func(io.Writer) error) (r io.Reader, end func()) {
	pr, pw := io.Pipe()
	ended := make(chan struct{})
	var panicked any
	go func() {
		defer close(ended)
		defer func() {
			if panicked = recover(); panicked != nil {
				pw.CloseWithError(errors.New("it cannot be gone on with"))
			}
		}()
		pw.CloseWithError(write(pw))
	}()
	return pr, func() {
		pr.Close()
		if <-ended; panicked != nil {
			panic(panicked)
		}
	}
}

func header(name string, t time.Time, size int64) *tar.Header {
	return &tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: t, Format: tar.FormatPAX}
}

// read reads an archive from its first byte to its last: the one way in for whatever
// is ever taken from a snapshot, and what storing and --verify go by. Nothing is
// handed out before all of it was held to its digests, and the manifest to gzip's
// checksum, which comes last. Of the files it keeps the content of those that are
// wanted; without want it keeps neither these nor the apps' states, and only checks.
//
// A path that no snapshot of ours holds is left out and named; it costs no other its
// snapshot. What is not as it was written costs the whole.
func read(in io.Reader, want func(path string) bool) (Manifest, error) {
	src, zr, free, err := unpacker(in)
	defer free()
	if err != nil {
		return Manifest{}, err
	}
	there, end := unpacking(zr)
	defer end()
	unpacked := &bounded{there, maxManifest + overhead}
	tr, err := toManifest(unpacked)
	if err != nil {
		return Manifest{}, err
	}
	size := meter{sum: sha256.New()}
	m, files, err := decode(io.TeeReader(tr, &size), parts{states: want != nil, files: true})
	if errors.Is(err, errFormat) { // or a bit of its number is another
		unpacked.left = maxContent
		if _, broken := io.Copy(io.Discard, unpacked); broken != nil {
			return m, broken
		}
	}
	if err != nil {
		return m, fmt.Errorf("its manifest cannot be read: %w", err)
	}
	m.sum = digest(size.sum.Sum(nil))
	if m.Escaped {
		rawjson.Unescape(&m)
		for i := range files {
			files[i].path = rawjson.UnescapeString(files[i].path)
		}
	}
	if unpacked.left, err = unpacks(files, size.bytes); err != nil {
		return m, err
	}
	lost := size.lost && !m.Escaped
	var buf bytes.Buffer
	others := len(m.Files)
	for i := range files {
		p := &files[i]
		if err := p.read(tr, &buf); err != nil {
			return m, err
		}
		if !p.odd && (lost || want != nil && want(p.path)) {
			m.Files = append(m.Files, app.File{Path: p.path, Mode: p.mode, Size: p.size, SHA256: hex.EncodeToString(p.sum[:]), Data: bytes.Clone(buf.Bytes())})
		}
	}
	if _, err := tr.Next(); !errors.Is(err, io.EOF) {
		return m, errors.New("it has more in it than its manifest says")
	}
	if _, err := io.Copy(zeros{}, unpacked); err != nil { // to gzip's checksum
		return m, err
	}
	if _, err := src.ReadByte(); !errors.Is(err, io.EOF) {
		return m, errGoesOn
	}
	m.refuse(files, others)
	if lost {
		m.recover()
	}
	return m, nil
}

// toManifest goes to the first entry, which is the manifest.
func toManifest(unpacked io.Reader) (*tar.Reader, error) {
	tr := tar.NewReader(unpacked)
	head, err := tr.Next()
	if err != nil || head.Name != manifestName || head.Typeflag != tar.TypeReg || head.Size > maxManifest {
		return nil, errors.New("it does not begin with a manifest")
	}
	return tr, nil
}

// unpacking reads ahead, in a goroutine of its own.
func unpacking(zr *gzip.Reader) (r *bufio.Reader, end func()) {
	pr, ended := beside(func(w io.Writer) error {
		piece := pieceBuffers.Get().(*[pieceSize]byte)
		defer pieceBuffers.Put(piece)
		_, err := io.CopyBuffer(w, onlyReader{zr}, piece[:])
		return err
	})
	r, free := bufferOf(pr)
	return r, func() { defer free(); ended() }
}

// Of a thousand apps a thousand live snapshots are read one after the other, with the same
// buffers.
var (
	buffers      = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, pieceSize) }}
	pieceBuffers = sync.Pool{New: func() any { return new([pieceSize]byte) }}
	unpackers    = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// unpacker unpacks what is read, up to the end of it, until it is freed; src is what is
// packed and was not read yet.
func unpacker(in io.Reader) (src *bufio.Reader, zr *gzip.Reader, free func(), err error) {
	src, freed := bufferOf(in)
	zr = unpackers.Get().(*gzip.Reader)
	if err = zr.Reset(src); err == nil {
		zr.Multistream(false)
	}
	return src, zr, func() { unpackers.Put(zr); freed() }, err
}

// bufferOf buffers what is read, until it is freed.
func bufferOf(in io.Reader) (r *bufio.Reader, free func()) {
	r = buffers.Get().(*bufio.Reader)
	r.Reset(in)
	return r, func() { r.Reset(nil); buffers.Put(r) }
}

// onlyReader is a reader that is read piece by piece, whatever else it can do.
type onlyReader struct{ io.Reader }

// promised is what a manifest says of a file's content. There are tens of thousands of
// them, of which most are only looked at.
type promised struct {
	path string
	mode fs.FileMode
	odd  bool // it says that it is something else than a file
	size int
	sum  [sha256.Size]byte
}

func promise(f app.File) (p promised, err error) {
	p = promised{path: f.Path, mode: f.Mode, size: f.Size, odd: !f.Mode.IsRegular() || f.Link != "" || f.Error != "" || strings.HasSuffix(f.Path, "/")}
	if n, err := hex.Decode(p.sum[:], []byte(f.SHA256[:min(len(f.SHA256), 2*sha256.Size)])); err != nil || n != sha256.Size || f.SHA256 != strings.ToLower(f.SHA256) || len(f.SHA256) != 2*n {
		return p, fmt.Errorf("%q has no digest", f.Path)
	}
	return p, nil
}

// read reads the next file of an archive into buf and holds it to what was promised.
func (p *promised) read(tr *tar.Reader, buf *bytes.Buffer) error {
	head, err := tr.Next()
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("it ends before %q", p.path)
	case err != nil:
		return err
	}
	if head.Name != p.path && lossy(head.Name) == p.path {
		p.path = head.Name // until there was rawjson, only tar had the name as it is
	}
	if head.Name != p.path || head.Typeflag != tar.TypeReg || head.Size != int64(p.size) {
		return fmt.Errorf("%q is not what was stored", p.path)
	}
	buf.Reset()
	if _, err := buf.ReadFrom(tr); err != nil {
		return err
	}
	if sha256.Sum256(buf.Bytes()) != p.sum {
		return fmt.Errorf("%q is not what was stored", p.path)
	}
	return nil
}

// lossy is a name as encoding/json writes and reads one that is not UTF-8.
func lossy(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return string([]rune(name))
}

// overhead is more than tar adds to a file: its header, the header for a long name,
// and what fills the blocks. At its end an archive has as much, and GNU tar's more.
const overhead = 20 * 512

// unpacks is how much there may be after the manifest, by what it says; an error where
// that is more than any snapshot of ours has, with the manifest or without.
func unpacks(files []promised, manifest int) (int64, error) {
	content, names := 0, 0
	for _, p := range files {
		if p.size < 0 || p.size > mostOf(p.path) {
			return 0, fmt.Errorf("%q is larger than any file of ours", p.path)
		}
		if content += p.size; content > maxContent {
			return 0, tooMuch("bytes in its files", maxContent)
		}
		if content+manifest > maxTogether {
			return 0, tooMuch("bytes in all", maxTogether)
		}
		names += len(p.path)
	}
	return int64(content) + 2*int64(names) + int64(len(files)+1)*overhead, nil
}

var errGoesOn = errors.New("it goes on after its end")

// zeros takes what fills an archive's last block, and nothing else.
type zeros struct{}

func (zeros) Write(p []byte) (int, error) {
	if len(bytes.TrimLeft(p, "\x00")) > 0 {
		return 0, errGoesOn
	}
	return len(p), nil
}

// refuse leaves out what no snapshot of ours holds: paths that lead elsewhere, paths
// that come twice, and files that are no files. The first of m.Files are those without a
// content.
func (m *Manifest) refuse(files []promised, without int) {
	refused := 0
	no := func(path, why string) {
		if refused++; refused <= maxNames {
			m.Refused = append(m.Refused, fmt.Sprintf("names %q%s", path, why))
		}
	}
	paths := make([]string, 0, len(files)+without)
	for _, f := range m.Files[:without] {
		paths = append(paths, f.Path)
	}
	for _, p := range files {
		if paths = append(paths, p.path); p.odd && app.Holds(p.path) {
			no(p.path, ", which is no file, with a content")
		}
	}
	slices.Sort(paths)
	for i, path := range paths {
		switch {
		case !app.Holds(path):
			no(path, ", which no snapshot of ours holds")
		case i > 0 && path == paths[i-1]:
			no(path, " twice")
		}
	}
	if refused > maxNames {
		m.Refused = append(m.Refused, fmt.Sprintf("names %d more such paths", refused-maxNames))
	}
	m.Files = slices.DeleteFunc(m.Files, func(f app.File) bool { return !app.Holds(f.Path) })
	slices.SortStableFunc(m.Files, func(a, b app.File) int { return strings.Compare(a.Path, b.Path) })
	m.Files = slices.CompactFunc(m.Files, func(a, b app.File) bool { return a.Path == b.Path })
}

// recover makes good what a manifest from before rawjson has lost of names that are not
// UTF-8: tar has them, and the state is read again from the files.
func (m *Manifest) recover() {
	was := m.Apps
	m.Apps = slices.DeleteFunc(slices.Clone(was), func(name string) bool { return strings.ContainsRune(name, utf8.RuneError) })
	for _, f := range m.Files {
		name := app.Scope(f.Path)
		if strings.HasPrefix(f.Path, "root/") && f.SHA256 != "" && slices.Contains(was, lossy(name)) && !slices.Contains(m.Apps, name) {
			m.Apps = append(m.Apps, name)
		}
	}
	slices.Sort(m.Apps)
	m.Host = app.Read(app.NewFiles(m.Dokku, m.Apps, m.Host.Strays, slices.Clone(m.Files)))
}
