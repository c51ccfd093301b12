package host

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Op is one change to the machine, or one command, that a Faulty host is about
// to make.
type Op struct {
	Kind string // write, append, mkdir, rename, link, twin, remove, copy, merge, run, property
	Name string // the file, or the command with its arguments
}

// Faulty is a host that breaks where a test wants it to. Crash and disk-full
// tests are made by wrapping, so that no code above knows of them.
type Faulty struct {
	Host
	// Before is asked before each Op. An error is returned to the caller with
	// nothing done.
	Before func(Op) error
	// Kill is asked before each Op whether the process dies there: "before",
	// "during" (a temporary file is left behind), "after", or "" for not. The
	// death is a panic with Killed.
	Kill func(Op) string
	// Clock is what the clock says in place of the machine's, which may jump.
	Clock func() time.Time
	// Pause is called in place of waiting.
	Pause func(time.Duration) error
	// NoAside tells that nothing can be set aside. It is no Op: a name is never there.
	NoAside bool
	// Locks is asked before a lock is taken or looked at. Its error is returned, and
	// ErrLocked says that somebody has it. A lock is no Op: it changes nothing of the
	// machine, and a process that dies leaves none.
	Locks func(name string) error
}

// Killed is what Faulty panics with when the process is to die.
type Killed struct{ At Op }

func (f *Faulty) do(op Op, act func() error) error {
	if f.Before != nil {
		if err := f.Before(op); err != nil {
			return err
		}
	}
	kill := ""
	if f.Kill != nil {
		kill = f.Kill(op)
	}
	switch kill {
	case "before":
		panic(Killed{op})
	case "during":
		switch op.Kind {
		case "copy":
			_ = f.Host.Append(filepath.Join(aside(op.Name), "half"), []byte("half"))
		case "write":
			// What a killed renameio leaves.
			_ = f.Host.Mkdir(filepath.Dir(op.Name), 0o755)
			_ = f.Host.Append(filepath.Join(filepath.Dir(op.Name), "."+filepath.Base(op.Name)+"4711"), []byte("half"))
		}
		panic(Killed{op})
	}
	err := act()
	if kill == "after" {
		panic(Killed{op})
	}
	return err
}

// Now is Host.Now, or what Clock says.
func (f *Faulty) Now() time.Time {
	if f.Clock != nil {
		return f.Clock()
	}
	return f.Host.Now()
}

// Sleep is Host.Sleep, or Pause.
func (f *Faulty) Sleep(ctx context.Context, d time.Duration) error {
	if f.Pause == nil {
		return f.Host.Sleep(ctx, d)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.Pause(d)
}

// Lock is Host.Lock, or breaks.
func (f *Faulty) Lock(ctx context.Context, name string, mode fs.FileMode, wait time.Duration) (unlock func(), err error) {
	if f.Locks != nil {
		if err := f.Locks(name); err != nil {
			return nil, err
		}
	}
	return f.Host.Lock(ctx, name, mode, wait)
}

// Locked is Host.Locked, or breaks.
func (f *Faulty) Locked(name string) (bool, error) {
	if f.Locks != nil {
		switch err := f.Locks(name); {
		case errors.Is(err, ErrLocked):
			return true, nil
		case err != nil:
			return false, err
		}
	}
	return f.Host.Locked(name)
}

// Write is Host.Write, or breaks.
func (f *Faulty) Write(name string, mode fs.FileMode, data []byte) error {
	return f.do(Op{"write", name}, func() error { return f.Host.Write(name, mode, data) })
}

// WriteFrom is Host.WriteFrom, or breaks.
func (f *Faulty) WriteFrom(name string, mode fs.FileMode, fill func(io.Writer) error) error {
	return f.do(Op{"write", name}, func() error { return f.Host.WriteFrom(name, mode, fill) })
}

// Append is Host.Append, or breaks.
func (f *Faulty) Append(name string, line []byte) error {
	return f.do(Op{"append", name}, func() error { return f.Host.Append(name, line) })
}

// Mkdir is Host.Mkdir, or breaks.
func (f *Faulty) Mkdir(name string, mode fs.FileMode) error {
	return f.do(Op{"mkdir", name}, func() error { return f.Host.Mkdir(name, mode) })
}

// Aside is Host.Aside, or NoAside.
func (f *Faulty) Aside() (*Aside, error) {
	if f.NoAside {
		return nil, &fs.PathError{Op: "open", Path: f.Paths().Data(), Err: syscall.ENOSPC}
	}
	return f.Host.Aside()
}

// Rename is Host.Rename, or breaks.
func (f *Faulty) Rename(from, to string) error {
	return f.do(Op{"rename", to}, func() error { return f.Host.Rename(from, to) })
}

// Link is Host.Link, or breaks.
func (f *Faulty) Link(target, name string) error {
	return f.do(Op{"link", name}, func() error { return f.Host.Link(target, name) })
}

// Twin is Host.Twin, or breaks.
func (f *Faulty) Twin(name, other string) error {
	return f.do(Op{"twin", other}, func() error { return f.Host.Twin(name, other) })
}

// Date is Host.Date, or breaks.
func (f *Faulty) Date(name string, t time.Time) error {
	return f.do(Op{"date", name}, func() error { return f.Host.Date(name, t) })
}

// Remove is Host.Remove, or breaks.
func (f *Faulty) Remove(name string) error {
	return f.do(Op{"remove", name}, func() error { return f.Host.Remove(name) })
}

// CopyTree is Host.CopyTree, or breaks.
func (f *Faulty) CopyTree(from, to string, how Copy) error {
	kind := "copy"
	if how.Merge {
		kind = "merge"
	}
	return f.do(Op{kind, to}, func() error { return f.Host.CopyTree(from, to, how) })
}

// RemoveTree is Host.RemoveTree, or breaks.
func (f *Faulty) RemoveTree(name string) error {
	return f.do(Op{"remove", name}, func() error { return f.Host.RemoveTree(name) })
}

// SetProperty is Host.SetProperty, or breaks.
func (f *Faulty) SetProperty(scope, property, value string) error {
	return f.do(Op{"property", property}, func() error { return f.Host.SetProperty(scope, property, value) })
}

// Run is Host.Run, or breaks.
func (f *Faulty) Run(ctx context.Context, name string, args ...string) (out []byte, err error) {
	command := strings.Join(append([]string{name}, args...), " ")
	err = f.do(Op{"run", command}, func() error { out, err = f.Host.Run(ctx, name, args...); return err })
	return out, err
}

// Stream is Host.Stream, or breaks.
func (f *Faulty) Stream(ctx context.Context, use func(io.Reader) error, name string, args ...string) error {
	command := strings.Join(append([]string{name}, args...), " ")
	return f.do(Op{"run", command}, func() error { return f.Host.Stream(ctx, use, name, args...) })
}

// Trigger is Host.Trigger, or breaks.
func (f *Faulty) Trigger(ctx context.Context, name string, args ...string) (out []byte, err error) {
	err = f.do(Op{"run", "plugn trigger " + name}, func() error { out, err = f.Host.Trigger(ctx, name, args...); return err })
	return out, err
}
