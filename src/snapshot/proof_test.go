package snapshot

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
		full.sum = digest{}
		said := func() Manifest {
			t.Helper()
			m, err := s.Manifest(m.ID)
			if err != nil {
				t.Fatal(err)
			}
			m.sum = digest{}
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

// Nobody waits for the end of a file that has none.
func TestADigestHasAnEnd(t *testing.T) {
	s := New(newHost(t))
	m, err := s.Save(app.NewFiles("0.38.27", nil, nil, nil), Manual)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(s.path(m.ID), 1<<40); err != nil {
		t.Skip(err) // no sparse files
	}
	begun := time.Now()
	if _, known := s.head(s.path(m.ID)); known || s.holds(s.path(m.ID), digest{}) {
		t.Error("it is known")
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

// A name in Latin-1 and one that looks as that is written are two: no snapshot of the one is
// a twin of the other.
func TestNoTwinOfAnotherName(t *testing.T) {
	s := New(newHost(t))
	save := func(name string) string {
		t.Helper()
		content := []byte("a snippet\n")
		m, err := s.Save(app.NewFiles("0.38.27", []string{"blog"}, nil, []app.File{
			{Path: "root/blog/nginx.conf.d/" + name, Mode: 0o600, Data: content, Size: len(content), SHA256: app.Digest(content)},
		}), Manual)
		if err != nil {
			t.Fatal(err)
		}
		return m.ID
	}
	save("caf\xe9")
	save("other")
	files, err := s.Files(save(`caf\xe9`))
	if err != nil {
		t.Fatal(err)
	}
	if _, there := files.Get(`root/blog/nginx.conf.d/caf\xe9`); !there {
		t.Errorf("it holds %q", files.All()[0].Path)
	}
}

// What was set aside and cannot be read again is in no snapshot, and there is none without
// it.
func TestWhatWasSetAsideCannotBeReadAgain(t *testing.T) {
	h := newHost(t)
	s := New(h)
	put(t, h, h.Paths().DokkuRoot+"/blog/ENV", "")
	put(t, h, h.Paths().DokkuRoot+"/blog/letsencrypt/certs/0123/certificates/blog.example.org.pem", strings.Repeat("a bundle\n", 1000))
	if err := h.Mkdir(h.Paths().Data(), 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := app.Capture(context.Background(), h, app.What{NoCommands: true})
	if err != nil {
		t.Fatal(err)
	}
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	spoilt := 0
	for _, fd := range open {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, h.Paths().Data()) && os.Truncate(fd, 10) == nil {
			spoilt++
		}
	}
	if spoilt == 0 {
		t.Skip("nothing can be set aside here")
	}
	if _, err := s.Save(files, Manual); err == nil || !strings.Contains(err.Error(), "blog.example.org.pem") {
		t.Errorf("it was stored: %v", err)
	}
	if list, err := s.List(); err != nil || len(list) > 0 {
		t.Errorf("there is %v: %v", list, err)
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
