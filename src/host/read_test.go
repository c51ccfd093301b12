package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inTime fails the test where work does not end: a read that blocks cannot be ended.
func inTime(t *testing.T, limit time.Duration, work func()) {
	t.Helper()
	done := make(chan bool)
	began := time.Now()
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
		if took := time.Since(began); took > time.Millisecond {
			t.Logf("%s", took)
		}
	case <-time.After(limit):
		t.Fatalf("still at it after %s", limit)
	}
}

// places are what may stand where a file is expected, with what is said of each.
func places(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(syscall.Mkfifo(at("fifo"), 0o600))
	check(os.Mkdir(at("directory"), 0o700))
	socket, err := net.Listen("unix", at("socket"))
	check(err)
	t.Cleanup(func() { socket.Close() })
	check(os.Symlink("/dev/zero", at("zero")))
	check(os.Symlink("fifo", at("to-fifo")))
	check(os.Symlink("/dev/full", at("full")))
	check(os.WriteFile(at("sparse"), nil, 0o600))
	check(os.Truncate(at("sparse"), 1<<40))
	return map[string]string{
		at("fifo"): "is a FIFO", at("directory"): "is a directory", at("socket"): "is a socket", at("zero"): "is a device",
		at("full"): "is a device", at("to-fifo"): "is a FIFO", at("sparse"): "is larger than 16 MiB",
	}
}

// A FIFO in the place of a property held pre-upgrade, and apt behind it, for ever.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	h := NewLocal(Paths{})
	for name, want := range places(t) {
		inTime(t, 5*time.Second, func() {
			if _, err := h.ReadFile(name); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("read: %v", err)
			}
			if filepath.Base(name) == "sparse" {
				return
			}
			if f, err := h.Open(name); err == nil || f != nil || !strings.Contains(err.Error(), want) {
				t.Errorf("opened: %v", err)
			}
			if err := h.Append(name, []byte("a line")); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("appended to: %v", err)
			}
			if want != "is a directory" {
				if _, err := h.ReadDir(name); !errors.Is(err, syscall.ENOTDIR) {
					t.Errorf("listed: %v", err)
				}
			}
			if unlock, err := h.Lock(context.Background(), name, 0o600, time.Second); err == nil {
				unlock()
			}
		})
	}
	// Links go on being followed, and what is missing is missing.
	file := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Symlink(file, file+"2")); err != nil {
		t.Fatal(err)
	}
	if b, err := h.ReadFile(file + "2"); string(b) != "x" || err != nil {
		t.Error(b, err)
	}
	if _, err := h.ReadFile(file + "3"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	// The files of /proc say that they are empty.
	if b, err := h.ReadFile("/proc/self/status"); len(b) == 0 || err != nil {
		t.Error(b, err)
	}
}

func TestReadFileHasALimit(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	for size, fits := range map[int]bool{0: true, 511: true, 512: true, 1024: true, 1025: false, 5000: false} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := readFile(name, 1024)
		if fits != (err == nil) || fits && len(b) != size || !fits && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d bytes: %d, %v", size, len(b), err)
		}
	}
	// One that grows while it is read: /proc/kallsyms and the like have no size.
	if _, err := readFile("/proc/self/maps", 64); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestReadDirHasALimit(t *testing.T) {
	dir := t.TempDir()
	for i := range 1001 {
		if err := os.Symlink("x", filepath.Join(dir, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := readDir(dir, 1000); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "has more than 1000 entries") {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, "7")); err != nil {
		t.Fatal(err)
	}
	if list, err := readDir(dir, 1000); err != nil || len(list) != 1000 || list[1].Name() != "1" || list[2].Name() != "10" {
		t.Error(len(list), err)
	}
	// However many there are, what a killed write has left is found among them.
	if err := os.WriteFile(filepath.Join(dir, ".file4711"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := removeLeftovers(dir, "file"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".file4711")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// Dokku's own package would wait for a FIFO in the place of a property.
func TestAPropertyThatIsNone(t *testing.T) {
	lib := t.TempDir()
	t.Setenv("DOKKU_LIB_ROOT", lib)
	h := NewLocal(Paths{LibRoot: lib})
	path := h.Paths().Property(Plugin, GlobalScope, "probe")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	for place := range places(t) {
		if err := errors.Join(os.RemoveAll(path), os.Symlink(place, path)); err != nil {
			t.Fatal(err)
		}
		inTime(t, 5*time.Second, func() {
			if v := h.Property(GlobalScope, "probe"); v != "" {
				t.Errorf("%s reads as %q", place, v)
			}
			if err := h.SetProperty(GlobalScope, "probe", "false"); err == nil {
				t.Errorf("%s: could be set", place)
			}
		})
	}
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("false"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if v := h.Property(GlobalScope, "probe"); v != "false" {
		t.Errorf("reads as %q", v)
	}
}

// What See says of a name, whatever its directory has said of it before: it may be another
// thing by now, and no link is followed.
func TestSee(t *testing.T) {
	h := NewLocal(Paths{})
	dir := t.TempDir()
	for name, content := range map[string]string{"small": "value", "empty": "", "full": strings.Repeat("x", 100), "large": strings.Repeat("x", 40_000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := h.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range listed {
		for _, e := range []fs.DirEntry{e, nil} {
			name := filepath.Join(dir, listed[0].Name())
			if e != nil {
				name = filepath.Join(dir, e.Name())
			}
			want, _ := os.ReadFile(name)
			for _, limit := range []int64{100_000, int64(len(want)), int64(len(want)) - 1} {
				s, err := h.See(name, e, limit)
				if read := int64(len(want)) <= limit; err != nil || s.Mode != 0o640 || s.Size != int64(len(want)) || read != (string(s.Data) == string(want) && s.Data != nil) {
					t.Errorf("%s, limit %d: %v %d %q %v", name, limit, s.Mode, s.Size, s.Data, err)
				}
			}
		}
	}
	for name, want := range places(t) {
		inTime(t, 5*time.Second, func() {
			for _, e := range []fs.DirEntry{nil, listed[0]} { // which says that it is a file
				s, err := h.See(name, e, 1<<20)
				link, _ := os.Readlink(name)
				if s.Data != nil || s.Link != link || err == nil && link == "" && s.Size <= 1<<20 && !strings.HasSuffix(want, strings.TrimPrefix(Kind(s.Mode), "a ")) {
					t.Errorf("%s: %v %q %v", name, s.Mode, s.Link, err)
				}
			}
		})
	}
	if _, err := h.See(filepath.Join(dir, "none"), nil, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	// The files of /proc say that they are empty.
	if s, err := h.See("/proc/self/status", nil, 1<<20); len(s.Data) == 0 || err != nil {
		t.Error(s, err)
	}
}
