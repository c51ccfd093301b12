package snapshot

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"upgrade-guard/src/app"
)

// traveler is a store with one snapshot, of two apps.
func traveler(t *testing.T) (*Store, Manifest) {
	t.Helper()
	h := newHost(t)
	root, lib := h.Paths().DokkuRoot, h.Paths().LibRoot
	for path, content := range map[string]string{
		lib + "/STABLE_VERSION": "0.38.27", root + "/shop/ENV": "SECRET=shop", root + "/blog/ENV": "SECRET=blog", root + "/ENV": "SECRET=host",
		root + "/shop/HEAD": "ref: x", lib + "/config/nginx/shop/hsts": "on", lib + "/config/nginx/--global/hsts": "off", lib + "/data/basic-auth/shop/users": "x",
		lib + "/config/storage/shop/mounts":                 `{"entry_name":"one","container_path":"/x"}` + "\n",
		lib + "/data/storage-registry/entries/one.json":     `{"name":"one","scheduler":"docker-local"}`,
		lib + "/data/storage-registry/entries/another.json": `{"name":"another","scheduler":"docker-local"}`,
	} {
		put(t, h, path, content)
	}
	files, err := app.Capture(context.Background(), h, app.What{NoCommands: true})
	if err != nil {
		t.Fatal(err)
	}
	s := New(h)
	m, err := s.Save(files, Manual)
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

// bundle is what looks like one, of any size.
func bundle(size int) []byte {
	b := make([]byte, size)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	copy(b, "# v2 git bundle\n0000000000000000000000000000000000000000 refs/heads/master\n\n")
	return b
}

func travel(t *testing.T, s *Store, m Manifest, repositories map[string][]byte) []byte {
	t.Helper()
	_, size, archive, err := s.Packed(m.ID)
	if err != nil {
		t.Fatal(err)
	}
	var list []Repository
	for name, content := range repositories {
		list = append(list, Repository{name, func(w io.Writer) error {
			for rest := content; len(rest) > 0; { // in pieces of any size
				n := min(len(rest), 100_001)
				if _, err := w.Write(rest[:n]); err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		}})
	}
	var out bytes.Buffer
	if err := Export(&out, About{Host: "Old.example.org", ID: m.ID, Time: m.Time, Apps: m.Apps}, size, archive, list); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func come(t *testing.T, s *Store, export []byte) (Entry, bool) {
	t.Helper()
	a, err := s.Receive(bytes.NewReader(export))
	if err != nil {
		t.Fatal(err)
	}
	e, known, err := s.Keep(a)
	if err = errors.Join(err, s.Discard()); err != nil {
		t.Fatal(err)
	}
	return e, known
}

func TestASnapshotTravelsWithItsRepositories(t *testing.T) {
	from, m := traveler(t)
	// As long as a piece, a byte more and less, and of several.
	repositories := map[string][]byte{"a": bundle(piece), "b": bundle(piece + 1), "c": bundle(piece - 1), "d": bundle(3*piece + 7), "e": bundle(100), "shop_v2.eu+x~y@z": bundle(107), "caf\u00e9 b%2f": bundle(108)}
	export := travel(t, from, m, repositories)
	to, _ := traveler(t)
	e, known := come(t, to, export)
	if known || e.Reason != Imported || e.From != "old-example-org" || to.Origin(e.ID) != "Old.example.org" {
		t.Errorf("%+v from %q", e, to.Origin(e.ID))
	}
	if got := to.Repositories(e.ID); !slices.Equal(got, slices.Sorted(maps.Keys(repositories))) || len(got) != 7 {
		t.Errorf("beside it are %v", got)
	}
	for name, want := range repositories {
		file, err := to.Repository(e.ID, name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what was sent: %v", name, err)
		}
		if st, _ := os.Stat(file); st.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v", file, st.Mode())
		}
	}
	got, err := to.Manifest(e.ID)
	if err != nil || got.Dokku != m.Dokku || !got.Time.Equal(m.Time) || !slices.Equal(got.Apps, m.Apps) {
		t.Errorf("%+v, %v", got, err)
	}
	// The same again is here already; with other repositories it is another.
	if again, known := come(t, to, export); !known || again.ID != e.ID {
		t.Errorf("%+v, %v", again, known)
	}
	if other, known := come(t, to, travel(t, from, m, nil)); known || other.ID != e.ID+"-2" {
		t.Errorf("%+v, %v", other, known)
	}
	// It is none of this host's own, and no retention takes it.
	own, err := to.List()
	if err != nil || len(own) != 1 || own[0].From != "" {
		t.Errorf("its own are %+v, %v", own, err)
	}
	if err := to.Prune(1, nil); err != nil {
		t.Fatal(err)
	}
	if all, err := to.All(); err != nil || len(all) != 3 {
		t.Errorf("all are %+v, %v", all, err)
	}
	// A repository that is another than came.
	file, _ := to.Repository(e.ID, "e")
	if err := os.WriteFile(file, bundle(101), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Repository(e.ID, "e"); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged one: %v", err)
	}
	if _, err := to.Repository(e.ID, "../x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that is none: %v", err)
	}
	if err := to.Remove(e.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(to.beside(e.ID)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what lies beside it stays: %v", err)
	}
}

// Where a repository cannot be read to its end the stream has none.
func TestAnExportThatFailsIsCutOff(t *testing.T) {
	s, m := traveler(t)
	_, size, archive, err := s.Packed(m.ID)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = Export(&out, About{}, size, archive, []Repository{{"shop", func(w io.Writer) error {
		_, _ = w.Write(bundle(5 << 20))
		return errors.New("gone")
	}}})
	if err == nil || !strings.Contains(err.Error(), "the repository of shop") {
		t.Error(err)
	}
	if _, err := s.Receive(&out); err == nil {
		t.Error("it is taken")
	}
}

// Of an export of some apps nothing of another, or of the host, is in it.
func TestOnlySomeAppsTravel(t *testing.T) {
	s, m := traveler(t)
	only, write, err := s.PackedOnly(m.ID, []string{"shop"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	back, err := read(&out, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range back.Files {
		if paths = append(paths, f.Path); strings.Contains(string(f.Data), "blog") || strings.Contains(string(f.Data), "SECRET=host") {
			t.Errorf("%s has %q", f.Path, f.Data)
		}
	}
	want := []string{
		"lib/STABLE_VERSION", "lib/config/nginx/shop/hsts", "lib/config/storage/shop/mounts", "lib/data/basic-auth/shop/users",
		"lib/data/storage-registry/entries/one.json", "root/shop", "root/shop/ENV", "root/shop/HEAD",
	}
	if !slices.Equal(paths, want) || !only.Partial || !back.Partial || !slices.Equal(back.Apps, []string{"shop"}) {
		t.Errorf("it holds %q, of %v", paths, back.Apps)
	}
}

func TestTravels(t *testing.T) {
	for name, want := range map[string]bool{
		"blog": true, "my_app": true, "shop-v2.eu": true, "a+b~c@d": true, "caf\u00e9": true, "a b": true, "0": true,
		"": false, ".ssh": false, "Blog": false, "a/b": false, "a:b": false, "..": false, "caf\xe9": false, strings.Repeat("a", 133): true, strings.Repeat("a", 134): false,
	} {
		if Travels(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestIDsOfElsewhere(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{
		"old.example.org": "old-example-org", "OLD": "old", "": "unknown", "--": "unknown", "caf\xe9": "caf", "../../x": "x", "\x1b[2J": "2j",
		strings.Repeat("a", 300): strings.Repeat("a", 60), "host_1": "host-1",
	} {
		id := newID(now, "0.20.4", elsewhere+slug(name))
		if e, ok := parse(id); !ok || e.From != want || e.Reason != Imported || e.Label != "" || e.Automatic() {
			t.Errorf("%q: %s is %+v, %v", name, id, e, ok)
		}
		// Whoever knows of no such takes it for a person's, and no label is like it.
		if !strings.Contains(id, "-"+Manual+"-") {
			t.Errorf("%s", id)
		}
	}
	if _, err := Labelled("-old"); err == nil {
		t.Error("a label can begin so")
	}
}
