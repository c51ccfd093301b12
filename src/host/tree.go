package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Copy says how a tree is copied. Paths are relative to the tree.
type Copy struct {
	// Skip leaves out a file, or a directory with all in it.
	Skip func(rel string) bool
	// HardLink makes a hard link of a file instead of a copy, for what is never
	// written in place: git's objects. Across filesystems it is a copy after all.
	HardLink func(rel string) bool
	// Merge copies into a directory that is there. Then it is the files, and not
	// the tree, that are there whole or not at all; what the tree has is put in
	// place of what is there, and what else is there stays.
	Merge bool
}

// aside is where a tree is while it is copied or removed: hidden, so that Dokku
// takes it for no app and for nobody's properties.
func aside(name string) string {
	return filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+Plugin)
}

// CopyTree copies a directory with modes, owners, times and links.
func (l *Local) CopyTree(from, to string, how Copy) error {
	if how.Merge {
		if err := l.copyDir(from, to, "", how); err != nil {
			return err
		}
		return syncDir(filepath.Dir(to))
	}
	if err := l.Mkdir(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(aside(to)); err != nil {
		return err
	}
	if err := l.copyDir(from, aside(to), "", how); err != nil {
		return errors.Join(err, os.RemoveAll(aside(to)))
	}
	return l.Rename(aside(to), to)
}

func (l *Local) copyDir(from, to, rel string, how Copy) error {
	st, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return &fs.PathError{Op: "copy", Path: from, Err: syscall.ENOTDIR}
	}
	if err := os.Mkdir(to, 0o700); err != nil && !(how.Merge && errors.Is(err, fs.ErrExist)) {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		f, t, r := filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), filepath.Join(rel, e.Name())
		if how.Skip != nil && how.Skip(r) {
			continue
		}
		if e.IsDir() {
			err = l.copyDir(f, t, r, how)
		} else {
			err = l.copyFile(f, t, how.HardLink != nil && how.HardLink(r))
		}
		if errors.Is(err, fs.ErrNotExist) {
			if _, gone := os.Lstat(f); errors.Is(gone, fs.ErrNotExist) {
				continue // somebody's temporary file
			}
		}
		if err != nil {
			return err
		}
	}
	if err := keepMeta(to, st); err != nil {
		return err
	}
	return syncDir(to)
}

func (l *Local) copyFile(from, to string, link bool) error {
	st, err := os.Lstat(from)
	if err != nil {
		return err
	}
	switch {
	case st.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return l.Link(target, to)
	case !st.Mode().IsRegular():
		return &fs.PathError{Op: "copy", Path: from, Err: fmt.Errorf("is %s, neither a file nor a link", Kind(st.Mode()))}
	case link:
		err := os.Link(from, to)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return nil
		}
		// Another filesystem, or a kernel that lets nobody link what is another's.
		if !errors.Is(err, syscall.EXDEV) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	src, err := openRegular(from, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	if st, err = src.Stat(); err != nil {
		return err
	}
	temp := aside(to)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // what a killed copy has left
		return err
	}
	dst, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, io.LimitReader(src, st.Size())) // and no log's growing end
	err = errors.Join(err, dst.Sync(), dst.Close())
	if err == nil {
		err = keepMeta(temp, st)
	}
	if err == nil {
		err = os.Rename(temp, to)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("copying %s: %w", from, err), os.Remove(temp))
	}
	return nil
}

// keepMeta gives a copy the original's owner, mode and times. Only root can give
// files away; the Dokku user's copy of somebody else's file is the Dokku user's.
func keepMeta(name string, st fs.FileInfo) error {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		if err := os.Lchown(name, int(sys.Uid), int(sys.Gid)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	if err := os.Chmod(name, st.Mode()); err != nil {
		return err
	}
	return os.Chtimes(name, st.ModTime(), st.ModTime())
}

// RemoveTree removes a directory and all that is in it.
func (l *Local) RemoveTree(name string) error {
	if err := os.RemoveAll(aside(name)); err != nil {
		return err
	}
	if err := os.Rename(name, aside(name)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := os.RemoveAll(aside(name)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// Free is how many bytes may still be written where the name is, or would be.
func (l *Local) Free(name string) (uint64, error) {
	for {
		var st syscall.Statfs_t
		err := syscall.Statfs(name, &st)
		if errors.Is(err, fs.ErrNotExist) && name != filepath.Dir(name) {
			name = filepath.Dir(name)
			continue
		}
		return st.Bavail * uint64(st.Bsize), err
	}
}
