package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"upgrade-guard/src/pattern"
)

// Programs are run here and not by Dokku's own package, which keeps all that they
// print, kills them alone and not what they have started, and waits for whoever holds
// their output.
const (
	// maxOutput is as much as Run keeps of a program's standard output: docker's
	// word on a host with a thousand apps is a twentieth of it.
	maxOutput = 64 << 20
	// maxErrors is as much as is kept of its standard error, from the end.
	maxErrors = 64 << 10
	// runTime is how long a program may take for which the caller has set no time:
	// a deploy of Dokku's, with its checks.
	runTime = 30 * time.Minute
	// grace is how long a program has between TERM and KILL, and what it has left
	// behind to close its output.
	grace = time.Second
)

// Run runs a program and returns what it prints, also when it fails.
func (l *Local) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	return l.collect(ctx, name, name, args...)
}

// Trigger fires a trigger.
func (l *Local) Trigger(ctx context.Context, name string, args ...string) ([]byte, error) {
	return l.collect(ctx, "plugn trigger "+name, "plugn", append([]string{"trigger", name}, args...)...)
}

func (l *Local) collect(ctx context.Context, what, name string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := l.run(ctx, what, func(r io.Reader) error {
		n, err := out.ReadFrom(io.LimitReader(r, maxOutput))
		if err == nil && n == maxOutput {
			return fmt.Errorf("%s prints more than %s and was ended", what, size(maxOutput))
		}
		return err
	}, name, args...)
	return out.Bytes(), err
}

// Stream runs a program and hands what it prints to use, which need not read it to
// the end: the program is ended where it does not.
func (l *Local) Stream(ctx context.Context, use func(io.Reader) error, name string, args ...string) error {
	return l.run(ctx, name, use, name, args...)
}

func (l *Local) run(ctx context.Context, what string, use func(io.Reader) error, name string, args ...string) error {
	if _, set := ctx.Deadline(); !set {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, runTime)
		defer cancel()
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	var stderr tail
	l.say(program(name), args)
	cmd := exec.Command(program(name), args...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = w, &stderr, grace
	// Root calls dokku from /root, which the Dokku user may not enter: docker cp ends there.
	cmd.Dir = "/"
	// A group of its own, so that what it has started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return fmt.Errorf("%s cannot be run: %w", what, err)
	}
	out := &output{pipe: r}
	exited := make(chan error, 1)
	group, gone := -cmd.Process.Pid, atomic.Bool{}
	go func() {
		err := cmd.Wait()
		if errors.Is(syscall.Kill(group, 0), syscall.ESRCH) {
			gone.Store(true) // and its number may be another's
		}
		_ = r.SetReadDeadline(time.Now()) // whoever else holds the pipe
		exited <- err
	}()
	signal := func(s syscall.Signal) {
		if !gone.Load() {
			_ = syscall.Kill(group, s)
		}
	}
	end := func() {
		signal(syscall.SIGTERM)
		time.AfterFunc(grace, func() { signal(syscall.SIGKILL) })
	}
	// At the end of its time what it prints is read no further, and neither is what a
	// program prints that may not be killed: root's, behind sudo.
	stop := context.AfterFunc(ctx, func() {
		end()
		time.AfterFunc(2*grace, func() { _ = r.Close() })
	})
	defer stop()
	useErr := use(out)
	if !out.ended && ctx.Err() == nil {
		end()
		return useErr
	}
	select {
	case err = <-exited:
	case <-ctx.Done():
		select {
		case <-exited:
		case <-time.After(2 * grace):
		}
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not end in time", what)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return commandError(what, stderr.String(), cmd.ProcessState)
	}
	return useErr
}

// output is what a program prints. It ends where everybody has closed it, and a while
// after the program itself has gone.
type output struct {
	pipe  *os.File
	ended bool
}

func (o *output) Read(p []byte) (int, error) {
	n, err := o.pipe.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// The program is gone. What it has printed is still to be had.
		_ = o.pipe.SetReadDeadline(time.Now().Add(grace))
		if n, err = o.pipe.Read(p); errors.Is(err, os.ErrDeadlineExceeded) {
			err = io.EOF
		}
	}
	o.ended = o.ended || err != nil
	return n, err
}

// tail keeps the end of what is written to it.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > maxErrors {
		p = p[len(p)-maxErrors:]
	}
	if t.Len()+len(p) > 2*maxErrors {
		t.Next(t.Len() - maxErrors)
	}
	_, _ = t.Buffer.Write(p)
	return n, nil
}

// commandError makes a sentence of a failure whose text may be empty. It keeps
// the last line only: a core trigger may print whole configurations before it.
func commandError(what, stderr string, state *os.ProcessState) error {
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(stderr), "\n"), shellTrace().MatchString)
	if len(lines) == 0 {
		lines = []string{""}
	}
	last := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "!"))
	if last == "" {
		return fmt.Errorf("%s failed with exit code %d", what, state.ExitCode())
	}
	if len(last) > maxSentence {
		last = strings.ToValidUTF8(last[:maxSentence], "") + "..."
	}
	return fmt.Errorf("%s failed: %s", what, last)
}

// shellTrace is a line of what a shell traces, where dokku trace:on was said: no complaint,
// and there may be a value of an environment in it.
var shellTrace = pattern.Of(`^\++ `)

// maxSentence is as much of a program's complaint as is passed on.
const maxSentence = 2000
