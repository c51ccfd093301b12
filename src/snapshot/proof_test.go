package snapshot

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/src/app"
)

// What a snapshot says of itself is known by its digest where it was read back when it was
// stored, and is what it says where all of it is read. Whatever is another byte in it is
// noticed all the same.
func TestASnapshotIsKnownByItsDigest(t *testing.T) {
	for _, name := range []string{"blog", "caf\xe9"} {
		h := newHost(t)
		s := New(h)
		put(t, h, h.Paths().DokkuRoot+"/"+name+"/ENV", "export A=\"1\"\n")
		content := []byte("export A=\"1\"\n")
		list := []app.File{
			{Path: "root/" + name, Mode: os.ModeDir | 0o755},
			{Path: "root/" + name + "/ENV", Mode: 0o600, Data: content, Size: len(content), SHA256: app.Digest(content)},
			{Path: "root/" + name + "/VHOST", Mode: 0o600, Error: "permission denied"},
		}
		m, err := s.Save(app.NewFiles("0.38.27", []string{name}, []string{"stray"}, list), Manual)
		if err != nil {
			t.Fatal(err)
		}
		if _, known := s.head(s.path(m.ID)); !known {
			t.Fatalf("%q: what was just read back is not known", name)
		}
		full, err := s.Verify(m.ID)
		if err != nil {
			t.Fatal(err)
		}
		full.sum, full.file = digest{}, digest{}
		said := func() Manifest {
			t.Helper()
			m, err := s.Manifest(m.ID)
			if err != nil {
				t.Fatal(err)
			}
			m.sum, m.file = digest{}, digest{}
			return m
		}
		if diff := cmp.Diff(full, said(), cmp.AllowUnexported(Manifest{})); diff != "" {
			t.Errorf("%q: by its digest it says another thing:\n%s", name, diff)
		}

		whole, err := os.ReadFile(s.path(m.ID))
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(whole); at += 7 {
			spoilt := slices.Clone(whole)
			spoilt[at] ^= 1
			for what, bytes := range map[string][]byte{"another": spoilt, "cut off": whole[:at]} {
				if err := os.WriteFile(s.path(m.ID), bytes, 0o600); err != nil {
					t.Fatal(err)
				}
				_, known := s.head(s.path(m.ID))
				_, verified := s.Verify(m.ID)
				if _, err := s.Manifest(m.ID); known || (err == nil) != (verified == nil) {
					t.Fatalf("byte %d is %s: known %v, %v where all of it is read %v", at, what, known, err, verified)
				}
			}
		}
		if err := os.WriteFile(s.path(m.ID), append(bytes.Clone(whole), 0), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Manifest(m.ID); !errors.Is(err, ErrDamaged) {
			t.Errorf("with a byte more: %v", err)
		}
		if err := os.WriteFile(s.path(m.ID), whole, 0o600); err != nil {
			t.Fatal(err)
		}

		// Without what was noted, or with what makes no sense, all of it is read.
		for _, noted := range []string{"", "\n", " ", "0123 4567\n", string([]byte{0, 255})} {
			put(t, h, h.Paths().Data("read-back"), noted)
			if _, known := s.head(s.path(m.ID)); known {
				t.Errorf("it is known by %q", noted)
			}
			if diff := cmp.Diff(full, said(), cmp.AllowUnexported(Manifest{})); diff != "" {
				t.Errorf("%q: with %q noted it says another thing:\n%s", name, noted, diff)
			}
		}
	}
}

// However many are taken, what is noted of them has an end, and the newest are in it.
func TestNotedOfTheNewest(t *testing.T) {
	s := New(newHost(t))
	for n := range 2 * mostProofs {
		if err := s.proven(digest{byte(n)}, digest{1}); err != nil {
			t.Fatal(err)
		}
	}
	lines := s.proofs()
	if len(lines) != mostProofs || lines[mostProofs-1] != proof(digest{2*mostProofs - 1}, digest{1}) {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// What is stored and asked for no more is let go of, and the snapshot is whole.
func TestStoredFilesAreLetGo(t *testing.T) {
	s := New(newHost(t))
	content := []byte("export A=\"1\"\n")
	files := app.NewFiles("0.38.27", []string{"blog"}, nil, []app.File{{Path: "root/blog/ENV", Mode: 0o600, Data: content, Size: len(content), SHA256: app.Digest(content)}})
	files.Spent = true
	m, err := s.Save(files, Manual)
	if err != nil || !slices.Equal(m.Apps, []string{"blog"}) {
		t.Fatalf("%v, %v", m.Apps, err)
	}
	if left := files.All(); len(left) > 0 {
		t.Errorf("%d files are held", len(left))
	}
	back, err := s.Files(m.ID)
	if text, ok := back.Text("root/blog/ENV"); err != nil || !ok || text != string(content) {
		t.Errorf("it came back as %q: %v", text, err)
	}
}
