package host

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// Local is the machine this process runs on.
type Local struct {
	paths Paths
	said  sync.Map // properties that cannot be read, and are said to
	trace bool     // each program that is run is named
}

// NewLocal is the host at these paths.
func NewLocal(p Paths) *Local {
	exportDocker(p)
	return &Local{paths: p, trace: takeTrace()}
}

// Paths says where this host keeps what.
func (l *Local) Paths() Paths { return l.paths }

// Now is the machine's time, in UTC and whole seconds: what names and journals
// are made of.
func (l *Local) Now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// Sleep waits.
func (l *Local) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Lstat describes a file, a link as itself.
func (l *Local) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }

// Stat describes a file, or what a link points to.
func (l *Local) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// Readlink is where a link points.
func (l *Local) Readlink(name string) (string, error) { return os.Readlink(name) }

// Write replaces a file by data.
func (l *Local) Write(name string, mode fs.FileMode, data []byte) error {
	return l.replace(name, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFrom replaces a file by what fill writes, piece by piece.
func (l *Local) WriteFrom(name string, mode fs.FileMode, fill func(io.Writer) error) error {
	return l.replace(name, mode, func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 64<<10)
		if err := fill(out); err != nil {
			return err
		}
		return out.Flush()
	})
}

func (l *Local) replace(name string, mode fs.FileMode, fill func(io.Writer) error) error {
	dir := filepath.Dir(name)
	if err := l.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := removeLeftovers(dir, filepath.Base(name)); err != nil {
		return err
	}
	f, err := renameio.NewPendingFile(name, renameio.WithTempDir(dir), renameio.WithStaticPermissions(mode))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if err := fill(f); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	// Whoever reads it back is to read the disk, and not what the kernel remembers of
	// the write. Where that cannot be had (tmpfs), there is no disk.
	if err := f.Sync(); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return syncDir(dir)
}

// removeLeftovers removes what a killed Write of the same file has left beside
// it. In a property directory Dokku would take such a file for a property.
func removeLeftovers(dir, base string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(1000) // however many there are
		for _, name := range names {
			if number, ok := strings.CutPrefix(name, "."+base); ok && number != "" && strings.Trim(number, "0123456789") == "" {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// syncDir puts a directory's entries on the disk, which renameio leaves out.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Append adds a line, or several, to a file: all of it or nothing.
func (l *Local) Append(name string, line []byte) error {
	dir := filepath.Dir(name)
	if err := l.Mkdir(dir, 0o700); err != nil {
		return err
	}
	_, statErr := os.Lstat(name)
	f, err := openRegular(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err = f.Write(append(bytes.TrimRight(line, "\n"), '\n')); err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Truncate(st.Size()) // half of it is no line
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if errors.Is(statErr, fs.ErrNotExist) {
		return syncDir(dir)
	}
	return nil
}

// Mkdir makes a directory and its parents.
func (l *Local) Mkdir(name string, mode fs.FileMode) error {
	if st, err := os.Stat(name); err == nil && st.IsDir() {
		return nil
	}
	if err := os.MkdirAll(name, mode); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// Rename moves a file.
func (l *Local) Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(to)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(from))
}

// Link makes a symbolic link.
func (l *Local) Link(target, name string) error {
	if err := l.Mkdir(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := renameio.Symlink(target, name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// Twin gives a file another name.
func (l *Local) Twin(name, other string) error {
	if err := os.Link(name, other); err != nil {
		return err
	}
	return syncDir(filepath.Dir(other))
}

// Date is Host.Date.
func (l *Local) Date(name string, t time.Time) error { return os.Chtimes(name, t, t) }

// Remove removes a file.
func (l *Local) Remove(name string) error {
	if err := os.Remove(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return syncDir(filepath.Dir(name))
}

// Dial connects to a port.
func (l *Local) Dial(ctx context.Context, address string) (net.Conn, error) {
	if host, _, err := net.SplitHostPort(address); err != nil || net.ParseIP(host) == nil {
		return nil, fmt.Errorf("%q is no address with a port", address)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}
