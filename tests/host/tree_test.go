package host_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upgrade-guard/src/host"
	"upgrade-guard/tests/sandbox"
)

// A tree is copied with modes, times and links; what is linked is one file with the
// original, what is copied is not.
func TestCopyTree(t *testing.T) {
	_, h := newHost(t, sandbox.Before)
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "deep", "to")
	put := func(name, content string, mode fs.FileMode) {
		t.Helper()
		if err := h.Write(filepath.Join(from, name), mode, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	put("objects/ab/cd", "object", 0o444)
	put("hooks/pre-receive", "hook", 0o755)
	put("tls/server.key", "key", 0o640)
	put("cache/large", "no", 0o644)
	if err := os.Chmod(filepath.Join(from, "tls"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := h.Link("/nowhere/at/all", filepath.Join(from, "current")); err != nil {
		t.Fatal(err)
	}
	old := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(from, "tls/server.key"), old, old); err != nil {
		t.Fatal(err)
	}
	how := host.Copy{
		Skip:     func(rel string) bool { return rel == "cache" },
		HardLink: func(rel string) bool { return filepath.Dir(filepath.Dir(rel)) == "objects" },
	}
	if err := h.CopyTree(from, to, how); err != nil {
		t.Fatal(err)
	}
	list := func(dir string) map[string]string {
		found := map[string]string{}
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			st, err := d.Info()
			rel, _ := filepath.Rel(dir, path)
			content, _ := os.ReadFile(path)
			if target, err := os.Readlink(path); err == nil {
				content = []byte(target)
			}
			found[rel] = st.Mode().String() + " " + string(content)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return found
	}
	want := list(from)
	delete(want, "cache")
	delete(want, "cache/large")
	if diff := cmp.Diff(want, list(to)); diff != "" {
		t.Error(diff)
	}
	same := func(name string) bool {
		a, err := os.Stat(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.Stat(filepath.Join(to, name))
		if err != nil {
			t.Fatal(err)
		}
		return os.SameFile(a, b)
	}
	if !same("objects/ab/cd") || same("tls/server.key") {
		t.Error("what is to be linked is not, or what is not to be is")
	}
	if st, err := os.Stat(filepath.Join(to, "tls/server.key")); err != nil || !st.ModTime().Equal(old) {
		t.Errorf("the copy is of %v, %v", st.ModTime(), err)
	}

	// Merged, what is there and not in the tree stays.
	if err := h.Write(filepath.Join(to, "own"), 0o600, []byte("own")); err != nil {
		t.Fatal(err)
	}
	put("tls/server.key", "new key", 0o640)
	how.Merge = true
	if err := h.CopyTree(from, to, how); err != nil {
		t.Fatal(err)
	}
	want["own"], want["tls/server.key"] = "-rw------- own", "-rw-r----- new key"
	if diff := cmp.Diff(want, list(to)); diff != "" {
		t.Error(diff)
	}

	// What cannot be copied leaves nothing.
	other := filepath.Join(filepath.Dir(to), "other")
	if err := os.Chmod(filepath.Join(from, "tls/server.key"), 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		if err := h.CopyTree(from, other, host.Copy{}); err == nil {
			t.Error("a file that cannot be read was copied")
		}
		if entries, _ := os.ReadDir(filepath.Dir(to)); len(entries) != 1 {
			t.Errorf("left behind: %v", entries)
		}
	}
	for range 2 {
		if err := h.RemoveTree(to); err != nil {
			t.Fatal(err)
		}
	}
	if entries, _ := os.ReadDir(filepath.Dir(to)); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}
