package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/dokku/dokku/plugins/common"
	"golang.org/x/sys/unix"

	"upgrade-guard/src/say"
)

// Whoever may write on this host, an app's developer or the Dokku user, decides what
// is in the places that are read here, and what they are. A FIFO would hold us for
// ever and a device has no end, so what is no regular file is refused before it is
// opened; and a file is read no further than there is any sense in.
const (
	// MaxFile is as much as ReadFile reads. Dokku's own files are a thousandth of
	// it; our ledger and journals on a host with a thousand apps a tenth.
	MaxFile = 16 << 20
	// MaxEntries is as many as ReadDir lists of one directory.
	MaxEntries = 100_000
)

var (
	// ErrNotRegular is wrapped by the error of what is read and is no regular file.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge is wrapped by the error of a file or a directory over its limit.
	ErrTooLarge = errors.New("too large")
)

// Kind is what a thing in the filesystem is, in words.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a regular file"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a link"
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// notRegular says what a thing is that is no file to be read; nil for a regular one.
func notRegular(name string, mode fs.FileMode) error {
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	return &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("is %s, %w", Kind(mode), ErrNotRegular)}
}

func tooLarge(name, what string) error {
	return &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%s, %w", what, ErrTooLarge)}
}

// openRegular opens a regular file, or what a link to one points to. It is looked at
// before it is opened, since to open a device may do something, and after, since it
// may have been replaced in between; the opening itself never waits.
func openRegular(name string, flags int, mode fs.FileMode) (*os.File, error) {
	switch st, err := os.Stat(name); {
	case err == nil:
		if err := notRegular(name, st.Mode()); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist) || flags&os.O_CREATE == 0:
		return nil, err
	}
	f, err := os.OpenFile(name, flags|syscall.O_NONBLOCK, mode)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil {
		err = notRegular(name, st.Mode())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Open opens a regular file to read. How far it is read is for the caller to bound.
func (l *Local) Open(name string) (io.ReadCloser, error) {
	f, err := openRegular(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}

// Uncached has the kernel forget a file.
func (l *Local) Uncached(name string) {
	if f, err := openRegular(name, os.O_RDONLY, 0); err == nil {
		_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		_ = f.Close()
	}
}

// ReadFile reads a whole file of up to MaxFile.
func (l *Local) ReadFile(name string) ([]byte, error) { return readFile(name, MaxFile) }

func readFile(name string, limit int64) ([]byte, error) {
	f, err := openRegular(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > limit {
		return nil, tooLarge(name, "is larger than "+size(limit))
	}
	return readTo(name, f, st.Size(), limit)
}

// Seen is what a name stands for: what it is, where it leads if it is a link, and what it
// holds if it is a regular file that is no larger than was asked for.
type Seen struct {
	Mode fs.FileMode
	Size int64
	Link string
	Data []byte
}

// See looks at what a name stands for, a link as itself, and reads it. What its directory
// has just listed need not be looked at once more before it is opened.
func (l *Local) See(name string, listed fs.DirEntry, limit int64) (Seen, error) {
	if listed == nil || !listed.Type().IsRegular() {
		st, err := os.Lstat(name)
		if err != nil {
			return Seen{}, err
		}
		s := Seen{Mode: st.Mode(), Size: st.Size()}
		if s.Mode&fs.ModeSymlink != 0 {
			s.Link, err = os.Readlink(name)
			return s, err
		}
		if !s.Mode.IsRegular() || s.Size > limit {
			return s, nil
		}
	}
	// Without an os.File, which takes half a kilobyte and a cleanup for each of them.
	fd, err := again(func() (int, error) {
		return unix.Open(name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		if errors.Is(err, syscall.ELOOP) && listed != nil { // it is a link by now
			return l.See(name, nil, limit)
		}
		var s Seen
		if st, e := os.Lstat(name); e == nil {
			s.Mode = st.Mode() // it is there, and closed to us
		}
		return s, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if _, err := again(func() (int, error) { return 0, unix.Fstat(fd, &st) }); err != nil {
		return Seen{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG { // any more
		return Seen{}, &fs.PathError{Op: "read", Path: name, Err: ErrNotRegular}
	}
	s := Seen{Mode: regularMode(st.Mode), Size: st.Size}
	if s.Size > limit {
		return s, nil
	}
	if s.Data, err = readTo(name, descriptor(fd), s.Size, limit); errors.Is(err, ErrTooLarge) {
		return Seen{Mode: s.Mode, Size: limit + 1}, nil // it has grown since
	}
	s.Size = int64(len(s.Data))
	return s, err
}

// regularMode is a regular file's mode as os has it.
func regularMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	if mode&unix.S_ISUID != 0 {
		m |= fs.ModeSetuid
	}
	if mode&unix.S_ISGID != 0 {
		m |= fs.ModeSetgid
	}
	if mode&unix.S_ISVTX != 0 {
		m |= fs.ModeSticky
	}
	return m
}

// descriptor reads what is open.
type descriptor int

func (fd descriptor) Read(p []byte) (int, error) {
	n, err := again(func() (int, error) { return unix.Read(int(fd), p) })
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return max(n, 0), err
}

// again makes a system call anew that a signal has ended.
func again(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); err != unix.EINTR {
			return n, err
		}
	}
}

// buffers are for files that are smaller than one: a property has five bytes, and there are
// tens of thousands on a large host.
var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// readTo reads a file to its end. Its size is only a hint: it may grow, and those of /proc
// have none. What is returned takes no more memory than it is long.
func readTo(name string, f io.Reader, hint, limit int64) ([]byte, error) {
	buffer := buffers.Get().(*[16 << 10]byte)
	defer buffers.Put(buffer)
	data, small := buffer[:0], hint < int64(len(buffer))
	if !small {
		data = make([]byte, 0, hint+1)
	}
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > limit:
			return nil, tooLarge(name, "is larger than "+size(limit))
		case errors.Is(err, io.EOF) || err == nil && n > 0 && int64(len(data)) == hint && len(data) < cap(data):
			if small {
				data = bytes.Clone(data)
			}
			return data, nil // there was room for more, and no more came
		case err != nil:
			return nil, err
		case len(data) == cap(data):
			data = slices.Grow(data, 512)
		}
	}
}

// Proc is what the kernel says of a process.
func Proc(pid int, name string) ([]byte, error) {
	return readFile(fmt.Sprintf("/proc/%d/%s", pid, name), MaxFile)
}

func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// maxProperty is far more than any of our own properties holds.
const maxProperty = 4 << 10

// property sees to it that Dokku's own package may read or write the file of one of
// our properties: it would wait for a FIFO, and read a device for ever.
func (l *Local) property(scope, property string) error {
	path := l.paths.Property(Plugin, scope, property)
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case st.Size() > maxProperty:
		return tooLarge(path, "is larger than "+size(maxProperty))
	}
	return notRegular(path, st.Mode())
}

// Property is the value of one of our own properties. One that cannot be read counts
// as not set, which is said once. It is not read by Dokku's own PropertyGetDefault,
// which prints an app's name as it is where it cannot read.
func (l *Local) Property(scope, property string) string {
	path := l.paths.Property(Plugin, scope, property)
	b, err := l.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		if _, said := l.said.LoadOrStore(path, true); !said {
			say.Loud().Error(say.Hint(fmt.Errorf("the property %s cannot be read, and counts as not set: %w", property, err), "Remove it, and set it again."))
		}
	}
	return string(b)
}

// SetProperty sets or unsets one of our own properties. It is read back,
// because Dokku's PropertyWrite ignores a full disk.
func (l *Local) SetProperty(scope, property, value string) error {
	if value == "" {
		return common.PropertyDelete(Plugin, scope, property)
	}
	if err := l.property(scope, property); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the property %s cannot be set: %w", property, err)
	}
	if err := common.PropertySetup(Plugin); err != nil {
		return err
	}
	if err := common.PropertyWrite(Plugin, scope, property, value); err != nil {
		return err
	}
	if got := l.Property(scope, property); got != value {
		return fmt.Errorf("%s does not hold what was written to it: is the disk full?", l.paths.Property(Plugin, scope, property))
	}
	return nil
}
