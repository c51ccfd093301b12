package host

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Aside is a file without a name in our data directory, for what takes memory and is asked
// for late, if at all. It is gone with the process, however that ends.
type Aside struct {
	f   *os.File
	end atomic.Int64
}

// asideRoom is how much there must be left on the disk: where there is less, a snapshot
// needs it.
const asideRoom = 1 << 30

// Aside makes one. An error means that there can be none here, and whoever has something
// holds it: there is no data directory yet, or no room, or a filesystem without files
// that have no name (NFS).
func (l *Local) Aside() (*Aside, error) {
	dir := l.paths.Data()
	if st, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !st.IsDir() {
		return nil, &os.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	if free, err := l.Free(dir); err != nil {
		return nil, err
	} else if free < asideRoom {
		return nil, &os.PathError{Op: "open", Path: dir, Err: syscall.ENOSPC}
	}
	fd, err := again(func() (int, error) {
		return unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return &Aside{f: os.NewFile(uintptr(fd), dir)}, nil
}

// Keep writes data, whoever else is at it, and says where it is.
func (a *Aside) Keep(data []byte) (at int64, err error) {
	at = a.end.Add(int64(len(data))) - int64(len(data))
	_, err = a.f.WriteAt(data, at)
	return at, err
}

// Read reads so many bytes that were kept.
func (a *Aside) Read(at int64, n int) ([]byte, error) {
	data := make([]byte, n)
	if _, err := a.f.ReadAt(data, at); err != nil {
		return nil, fmt.Errorf("what was set aside cannot be read again: %w", err)
	}
	return data, nil
}
