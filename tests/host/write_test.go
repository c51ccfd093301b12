package host_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"upgrade-guard/tests/sandbox"
)

// What is read back after a write comes from the disk, which may have kept something
// else than the kernel remembers.
func TestWritesAreReadBackFromTheDisk(t *testing.T) {
	_, h := newHost(t, sandbox.Before)
	cached := func(name string) (pages int) {
		t.Helper()
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		const size = 1 << 20
		m, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
		if err != nil {
			t.Skip(err)
		}
		defer syscall.Munmap(m)
		resident := make([]byte, size/os.Getpagesize())
		if _, _, err := syscall.Syscall(syscall.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), size, uintptr(unsafe.Pointer(&resident[0]))); err != 0 {
			t.Skip(err)
		}
		for _, r := range resident {
			pages += int(r & 1)
		}
		return pages
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	plain, ours := filepath.Join(t.TempDir(), "plain"), filepath.Join(t.TempDir(), "ours")
	if err := os.WriteFile(plain, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Write(ours, 0o600, content); err != nil {
		t.Fatal(err)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(ours, &fs); err != nil || fs.Type == 0x01021994 { // tmpfs
		t.Skip("no disk here")
	}
	if before, now := cached(plain), cached(ours); before == 0 || now > before/10 {
		t.Errorf("of %d pages %d are read from memory", before, now)
	}
}

// A name in Latin-1 ended the process that wrote a file of that name.
func TestAnyNameIsWritten(t *testing.T) {
	_, h := newHost(t, sandbox.Before)
	dir := t.TempDir()
	for _, name := range []string{"caf\xe9", "a\nb", "[x", "(", "\\"} {
		file := filepath.Join(dir, name)
		for _, half := range []string{"." + name + "123", "." + name + "12x"} {
			if err := os.WriteFile(filepath.Join(dir, half), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Write(file, 0o600, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "."+name+"123")); err == nil {
			t.Errorf("%q: what a killed write has left is still there", name)
		}
		if _, err := os.Lstat(filepath.Join(dir, "."+name+"12x")); err != nil {
			t.Errorf("%q: another file was removed: %v", name, err)
		}
	}
}
