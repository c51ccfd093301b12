package snapshot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"upgrade-guard/src/say"
)

// How a snapshot comes in: whoever sends it may be anybody. It is received beside the
// store, held to its digests and to what every snapshot is held to, and only then put
// where snapshots are. Its id says that it comes from elsewhere; see elsewhere.

// Arrival is an export that was received whole, and is not kept yet.
type Arrival struct {
	About    About
	Manifest Manifest
	digests  map[string]content // of what lies beside the snapshot, and the snapshot's own
}

// besideSuffix is that of the directory beside a snapshot from elsewhere; arrivalName is
// what in it says where it comes from.
const (
	besideSuffix = ".d"
	arrivalName  = "import.json"
	incoming     = "incoming"
)

// elsewhere begins the reason in the id of a snapshot from another host, before that
// host's name. Versions that know of no such take it for a person's: a label cannot begin
// so.
const elsewhere = Manual + "--"

func (s *Store) beside(id string) string { return s.h.Paths().Data("snapshots", id+besideSuffix) }

func (s *Store) coming(elem ...string) string {
	return s.h.Paths().Data(append([]string{incoming}, elem...)...)
}

// Discard removes what has come in and is not kept. Whoever calls it is the only one who
// receives anything.
func (s *Store) Discard() error { return s.h.RemoveTree(s.coming()) }

// Receive reads an export, or a snapshot alone as it lies in the store, to its end.
// Whatever becomes of it, Discard must follow.
func (s *Store) Receive(r io.Reader) (*Arrival, error) {
	if err := s.Discard(); err != nil { // what a killed one has left
		return nil, err
	}
	for _, dir := range []string{s.h.Paths().Data(), s.coming(), s.coming("beside")} {
		if err := s.h.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
	}
	in := bufio.NewReader(r)
	a := &Arrival{digests: map[string]content{}}
	head, err := in.Peek(2)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case len(head) == 0:
		return nil, errors.New("nothing has come in")
	case bytes.Equal(head, []byte{0x1f, 0x8b}):
		a.digests[packedName], err = s.take(in, packedName, maxPacked)
	default:
		err = a.receive(s, in)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errCutOff // and not: the writing of what there was has failed
	}
	if err != nil {
		return nil, err
	}
	f, err := s.h.Open(s.coming(packedName)) // what the disk has of it
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a.Manifest, err = read(f, nothing)
	switch {
	case errors.Is(err, errFormat):
		return nil, newer(fmt.Errorf("its snapshot cannot be read: %w", err))
	case err != nil:
		return nil, fmt.Errorf("its snapshot is %w: %v", ErrDamaged, err)
	}
	for i, why := range a.Manifest.Refused {
		a.Manifest.Refused[i] = fmt.Sprintf("It %s: it is left out.", why)
	}
	return a, nil
}

func newer(err error) error {
	return say.Hint(err, "It was made by another version of the plugin: dokku plugin:update upgrade-guard")
}

// Keep gives what has come in its place in the store, and its id. It is known already
// where the same snapshot with the same repositories is there. The caller holds the
// store's lock.
func (s *Store) Keep(a *Arrival) (e Entry, known bool, err error) {
	taken := a.Manifest.Time
	if parsed, ok := parse(a.About.ID); ok {
		taken = parsed.Time // as it is called there
	}
	for number := 1; ; number++ {
		reason := elsewhere + slug(a.About.Host)
		if number > 1 {
			reason += fmt.Sprintf("-%d", number) // other apps of the same, or other repositories
		}
		id := newID(taken.UTC(), a.Manifest.Dokku, reason)
		e, ok := parse(id)
		if !ok {
			return e, false, fmt.Errorf("its Dokku version %q or time cannot stand in an id", a.Manifest.Dokku)
		}
		if _, err := s.h.Lstat(s.path(id)); err == nil {
			if there, err := s.arrival(id); err == nil && maps.Equal(there.Digests, a.kept()) {
				return e, true, nil
			}
			continue
		}
		b, err := json.Marshal(arrived{Host: a.About.Host, ID: a.About.ID, Time: s.h.Now(), Digests: a.kept()})
		if err != nil {
			return e, false, err
		}
		if err := s.h.Write(s.coming("beside", arrivalName), 0o600, b); err != nil {
			return e, false, err
		}
		if err := s.h.Mkdir(s.h.Paths().Data("snapshots"), 0o700); err != nil {
			return e, false, err
		}
		if err := s.h.RemoveTree(s.beside(id)); err != nil { // of one that was removed, or killed here
			return e, false, err
		}
		if err := s.h.Rename(s.coming("beside"), s.beside(id)); err != nil {
			return e, false, err
		}
		if err := s.h.Rename(s.coming(packedName), s.path(id)); err != nil {
			return e, false, errors.Join(err, s.h.RemoveTree(s.beside(id)))
		}
		return e, false, nil
	}
}

// kept are the digests of what is kept.
func (a *Arrival) kept() map[string]content {
	kept := maps.Clone(a.digests)
	delete(kept, aboutName)
	return kept
}

// arrived is what is noted beside a snapshot from elsewhere.
type arrived struct {
	Host    string             `json:"host"`
	ID      string             `json:"snapshot"`
	Time    time.Time          `json:"time"` // when it came
	Digests map[string]content `json:"digests"`
}

func (s *Store) arrival(id string) (a arrived, err error) {
	b, err := s.h.ReadFile(s.beside(id) + "/" + arrivalName)
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	return a, err
}

// Origin is the host that a snapshot comes from, as it calls itself; "" for one of this
// host.
func (s *Store) Origin(id string) string {
	e, ok := parse(id)
	if !ok || e.From == "" {
		return ""
	}
	if a, err := s.arrival(id); err == nil && a.Host != "" {
		return a.Host
	}
	return e.From // it was put there by hand
}

// Repositories are the apps whose repositories lie beside a snapshot.
func (s *Store) Repositories(id string) (apps []string) {
	a, err := s.arrival(id)
	if err != nil {
		return nil
	}
	for name := range a.Digests {
		file, ok := strings.CutPrefix(name, "git/")
		if app, err := url.PathUnescape(strings.TrimSuffix(file, ".bundle")); ok && err == nil && Travels(app) {
			apps = append(apps, app)
		}
	}
	slices.Sort(apps)
	return apps
}

// Repository is the file with an app's repository beside a snapshot: what git clones, and
// git bundle has written. It is held to its digest first. fs.ErrNotExist where there is
// none.
func (s *Store) Repository(id, app string) (file string, err error) {
	a, err := s.arrival(id)
	promised, ok := a.Digests[bundleName(app)]
	if err != nil || !ok || !Travels(app) {
		return "", missing(fmt.Sprintf("the repository of %s is not beside the snapshot %s", app, id))
	}
	file = s.beside(id) + "/" + bundleFile(app)
	f, err := s.h.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	m := measure(io.Discard)
	if _, err := io.Copy(m, f); err != nil {
		return "", err
	}
	if m.content() != promised {
		return "", fmt.Errorf("the repository of %s beside the snapshot %s is %w", app, id, ErrDamaged)
	}
	return file, nil
}
