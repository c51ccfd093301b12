package host

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// A disk that is full in the middle of a line leaves none of it: the next line would go on
// where that one ended.
func TestALineIsAddedWholeOrNotAtAll(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	h := NewLocal(Paths{})
	if err := h.Append(name, []byte("first")); err != nil {
		t.Fatal(err)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	small := before
	small.Cur = 10 // and the disk is full
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	err := h.Append(name, []byte("a second one"))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Error("it was added")
	}
	if err := h.Append(name, []byte("third")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "first\nthird\n" {
		t.Errorf("%q, %v", b, err)
	}
}
