package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// listed is an entry of a directory, as the kernel lists it.
type listed struct {
	dir, name string
	kind      fs.FileMode
}

func (e *listed) Name() string               { return e.name }
func (e *listed) IsDir() bool                { return e.kind.IsDir() }
func (e *listed) Type() fs.FileMode          { return e.kind }
func (e *listed) Info() (fs.FileInfo, error) { return os.Lstat(path.Join(e.dir, e.name)) }
func (e *listed) String() string             { return fs.FormatDirEntry(e) }

// kinds are the kernel's, in getdents64.
var kinds = map[byte]fs.FileMode{
	unix.DT_REG: 0, unix.DT_DIR: fs.ModeDir, unix.DT_LNK: fs.ModeSymlink, unix.DT_FIFO: fs.ModeNamedPipe,
	unix.DT_SOCK: fs.ModeSocket, unix.DT_CHR: fs.ModeDevice | fs.ModeCharDevice, unix.DT_BLK: fs.ModeDevice,
}

// lists are what the kernel writes entries into.
var lists = sync.Pool{New: func() any { return new([8 << 10]byte) }}

// ReadDir lists a directory of up to MaxEntries, sorted by name.
func (l *Local) ReadDir(name string) ([]fs.DirEntry, error) { return readDir(name, MaxEntries) }

// readDir does it without an os.File: a host of a thousand apps has thirty thousand
// directories, and each would be given to the poller, which takes none.
func readDir(name string, limit int) (entries []fs.DirEntry, err error) {
	fd, err := again(func() (int, error) {
		return unix.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	buffer := lists.Get().(*[8 << 10]byte)
	defer lists.Put(buffer)
	for {
		n, err := again(func() (int, error) { return unix.Getdents(fd, buffer[:]) })
		if err != nil {
			return nil, &fs.PathError{Op: "readdirent", Path: name, Err: err}
		}
		if n <= 0 {
			break
		}
		for rest := buffer[:n]; len(rest) > 0; {
			var e *listed
			if e, rest, err = entry(name, rest); err != nil {
				return nil, err
			}
			if e != nil {
				entries = append(entries, e)
			}
		}
		if len(entries) > limit {
			return nil, tooLarge(name, fmt.Sprintf("has more than %d entries", limit))
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// entry is the first of what getdents64 has written: inode and offset of 8 bytes each, a
// length of 2, a kind of 1, a name. It is nil where there is nothing to be listed.
func entry(dir string, list []byte) (e *listed, rest []byte, err error) {
	const inode, length, kind, name = 0, 16, 18, 19
	if len(list) < name {
		return nil, nil, &fs.PathError{Op: "readdirent", Path: dir, Err: io.ErrUnexpectedEOF}
	}
	n := int(binary.NativeEndian.Uint16(list[length:]))
	if n < name || n > len(list) {
		return nil, nil, &fs.PathError{Op: "readdirent", Path: dir, Err: io.ErrUnexpectedEOF}
	}
	this, rest := list[:n], list[n:]
	called, _, _ := strings.Cut(string(this[name:]), "\x00")
	if binary.NativeEndian.Uint64(this[inode:]) == 0 || called == "." || called == ".." {
		return nil, rest, nil
	}
	e = &listed{dir: dir, name: called}
	known := false
	if e.kind, known = kinds[this[kind]]; known {
		return e, rest, nil
	}
	st, err := os.Lstat(path.Join(dir, called)) // a filesystem that does not say
	if errors.Is(err, syscall.ENOENT) {
		return nil, rest, nil // gone meanwhile
	}
	if err != nil {
		return nil, nil, err
	}
	e.kind = st.Mode().Type()
	return e, rest, nil
}
