package host

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A directory is listed as the standard library lists it: every kind of entry, names as
// long as they may be, more entries than one answer of the kernel holds.
func TestDirectoriesAreListedWhole(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 700 {
		must(os.WriteFile(filepath.Join(dir, "file"+strconv.Itoa(i)), nil, 0o600))
	}
	must(os.WriteFile(filepath.Join(dir, strings.Repeat("n", 255)), nil, 0o600))
	must(os.WriteFile(filepath.Join(dir, "\xff\n \t"), nil, 0o600))
	must(os.WriteFile(filepath.Join(dir, "..."), nil, 0o600))
	must(os.Mkdir(filepath.Join(dir, "directory"), 0o700))
	must(os.Symlink("nowhere", filepath.Join(dir, "link")))
	must(unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	must(err)
	defer socket.Close()
	for _, name := range []string{dir, filepath.Join(dir, "directory"), "/dev", "/proc/self"} {
		want, err := os.ReadDir(name)
		must(err)
		got, err := readDir(name, MaxEntries)
		must(err)
		if len(got) != len(want) {
			t.Fatalf("%s has %d entries, and %d are listed", name, len(want), len(got))
		}
		for i, w := range want {
			if g := got[i]; g.Name() != w.Name() || g.Type() != w.Type() || g.IsDir() != w.IsDir() {
				t.Errorf("%v is listed as %v", w, g)
			}
		}
	}
	entries, err := readDir(dir, MaxEntries)
	must(err)
	for _, e := range entries {
		if st, err := e.Info(); err != nil || st.Name() != e.Name() || st.Mode().Type() != e.Type() {
			t.Errorf("%v is %v, %v", e, st, err)
		}
	}
	if _, err := readDir(dir, 100); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := readDir(filepath.Join(dir, "none"), 100); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, damaged := range [][]byte{{1, 2, 3}, append(make([]byte, 16), 0, 0, 4), append(make([]byte, 16), 0xff, 0x7f, 4, 'a', 0)} {
		if _, _, err := entry(dir, damaged); err == nil {
			t.Errorf("%v is an entry", damaged)
		}
	}
}
