package snapshot

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"upgrade-guard/src/app"
	"upgrade-guard/src/pattern"
)

// How a snapshot leaves a host: one stream, a plain tar.
//
//	export.json                    what it is, and from which host
//	snapshot.tar.gz                the snapshot
//	git/<app>.bundle/00000001 ...  an app's repository, in pieces
//	digests.json                   SHA-256 and size of each; without it the stream is cut off
//
// A repository comes in pieces of one size (the last may be smaller), because tar wants
// sizes first, and nobody knows that of a bundle before it is made: so nothing is held in
// memory, and nothing is written on a host whose disk may be full. Together the pieces of
// one, in the order of their numbers, are what git bundle has written.

const (
	travelFormat = 1
	aboutName    = "export.json"
	packedName   = "snapshot.tar.gz"
	digestsName  = "digests.json"
	piece        = 4 << 20

	maxAbout      = 4 << 20
	maxPacked     = maxManifest + maxContent + maxContent/2 // of what does not pack, and tar's blocks
	maxRepository = 8 << 30
	maxTraveling  = 1 << 20 // pieces of all repositories: 4 TiB
)

// About is what an export says of itself.
type About struct {
	Format int `json:"format"`
	// Guard is the version of upgrade-guard that made it.
	Guard string `json:"upgrade_guard"`
	// Host is the name of the host that it comes from.
	Host string    `json:"host"`
	Time time.Time `json:"time"`
	// ID is what the snapshot is called there.
	ID   string   `json:"snapshot"`
	Apps []string `json:"apps"`
	// Repositories are the apps whose repositories are in it.
	Repositories []string `json:"repositories,omitempty"`
}

// Repository is the code of an app: Bundle writes what git bundle makes of it.
type Repository struct {
	App    string
	Bundle func(io.Writer) error
}

// bundled are the names of apps whose repositories travel: those that Dokku has taken in
// any version. A directory beside them may be called anything.
var bundled = pattern.Of(`^[a-z0-9][^/:A-Z]*$`)

// Travels tells whether the repository of an app of this name can be exported: what tar
// has a place for, and JSON.
func Travels(name string) bool {
	return bundled().MatchString(name) && utf8.ValidString(name) && len(bundleFile(name)) <= 140
}

// bundleFile is what an app's repository is called; in most names nothing is escaped.
func bundleFile(app string) string { return url.PathEscape(app) + ".bundle" }

func bundleName(app string) string { return "git/" + bundleFile(app) }

// content is how much there was of a part, and its digest.
type content struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// measured counts and digests what is written through it.
type measured struct {
	w    io.Writer
	size int64
	sum  hash.Hash
}

func measure(w io.Writer) *measured { return &measured{w: w, sum: sha256.New()} }

func (m *measured) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.size += int64(n)
	m.sum.Write(p[:n])
	return n, err
}

func (m *measured) content() content { return content{m.size, hex.EncodeToString(m.sum.Sum(nil))} }

// Export writes an export. archive writes the snapshot, and does it twice where its size
// is not known.
func Export(w io.Writer, about About, size int64, archive func(io.Writer) error, repositories []Repository) error {
	about.Format = travelFormat
	for _, r := range repositories {
		about.Repositories = append(about.Repositories, r.App)
	}
	e := exporter{tw: tar.NewWriter(w), time: about.Time, digests: map[string]content{}}
	if err := e.json(aboutName, about); err != nil {
		return err
	}
	if size < 0 {
		counted := measure(io.Discard)
		if err := archive(counted); err != nil {
			return err
		}
		size = counted.size
	}
	if err := e.header(packedName, size); err != nil {
		return err
	}
	packed := measure(e.tw)
	if err := archive(packed); err != nil {
		return err
	}
	e.digests[packedName] = packed.content()
	for _, r := range repositories {
		p := &pieces{e: &e, name: bundleName(r.App)}
		whole := measure(p)
		if err := r.Bundle(whole); err != nil {
			return fmt.Errorf("the repository of %s cannot be exported: %w", r.App, err)
		}
		if err := p.flush(); err != nil {
			return err
		}
		e.digests[p.name] = whole.content()
	}
	if err := e.json(digestsName, e.digests); err != nil {
		return err
	}
	return e.tw.Close()
}

type exporter struct {
	tw      *tar.Writer
	time    time.Time
	digests map[string]content
}

func (e *exporter) header(name string, size int64) error {
	return e.tw.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: e.time, Format: tar.FormatUSTAR})
}

func (e *exporter) json(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := e.header(name, int64(len(b))); err != nil {
		return err
	}
	m := measure(e.tw)
	_, err = m.Write(b)
	e.digests[name] = m.content()
	return err
}

// pieces writes what it is given as entries of one size.
type pieces struct {
	e      *exporter
	name   string
	number int
	held   bytes.Buffer
}

func (p *pieces) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), piece-p.held.Len())
		p.held.Write(rest[:n])
		rest = rest[n:]
		if p.held.Len() == piece {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return len(b), nil
}

func (p *pieces) flush() error {
	if p.held.Len() == 0 {
		return nil
	}
	p.number++
	if err := p.e.header(pieceName(p.name, p.number), int64(p.held.Len())); err != nil {
		return err
	}
	_, err := p.e.tw.Write(p.held.Bytes())
	p.held.Reset()
	return err
}

func pieceName(of string, number int) string { return fmt.Sprintf("%s/%08d", of, number) }

// slug is a host's name as it stands in an id.
func slug(name string) string {
	s := strings.Trim(notInSlug().ReplaceAllString(strings.ToLower(name), "-"), "-")
	if s = strings.Trim(s[:min(len(s), 60)], "-"); s == "" {
		return "unknown"
	}
	return s
}

var notInSlug = pattern.Of(`[^a-z0-9]+`)

// Packed is a snapshot, or live/<app>, as it lies in the store: its size, and what writes
// it. All of it is checked first.
func (s *Store) Packed(id string) (m Manifest, size int64, write func(io.Writer) error, err error) {
	if m, err = s.Manifest(id); err != nil {
		return m, 0, nil, err
	}
	file := s.path(id)
	if name, is := strings.CutPrefix(id, "live/"); is {
		file = s.livePath(name)
	}
	st, err := s.h.Stat(file)
	if err != nil {
		return m, 0, nil, err
	}
	return m, st.Size(), func(w io.Writer) error {
		f, err := s.h.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyN(w, f, st.Size())
		return err
	}, nil
}

// PackedOnly is a snapshot of some of the apps that one holds. Its size is not known
// before it is written.
func (s *Store) PackedOnly(id string, apps []string) (m Manifest, write func(io.Writer) error, err error) {
	m, err = s.open(id, func(string) bool { return true })
	if err != nil {
		return m, nil, err
	}
	files := app.NewFiles(m.Dokku, m.Apps, m.Host.Strays, m.Files).Only(apps)
	m = Manifest{
		Format: format, ID: m.ID, Time: m.Time, Reason: m.Reason, Dokku: m.Dokku, Partial: true, Incomplete: files.Incomplete(),
		Apps: files.Apps, Host: app.Read(files), Files: files.All(), Refused: m.Refused,
	}
	m, manifest, size, err := m.fit()
	return m, func(w io.Writer) error { return m.archive(w, manifest, size) }, err
}
