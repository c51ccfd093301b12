package host

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	h := NewLocal(Paths{})
	out, err := h.Run(context.Background(), "sh", "-c", "echo out; echo first >&2; echo ' !     trouble' >&2; exit 7")
	if string(out) != "out\n" || err == nil || err.Error() != "sh failed: trouble" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err = h.Run(context.Background(), "sh", "-c", "exit 7"); err == nil || err.Error() != "sh failed with exit code 7" {
		t.Error(err)
	}
	if _, err = h.Run(context.Background(), "no-such-program"); err == nil || !strings.Contains(err.Error(), "executable file not found") {
		t.Error(err)
	}
	// Nothing of a large answer is lost, however slowly it is taken.
	out, err = h.Run(context.Background(), "sh", "-c", "yes | head -c 20000000")
	if len(out) != 20_000_000 || err != nil {
		t.Error(len(out), err)
	}
	got := 0
	err = h.Stream(context.Background(), func(r io.Reader) error {
		time.Sleep(1500 * time.Millisecond) // the program has ended long ago
		n, err := io.Copy(io.Discard, r)
		got = int(n)
		return err
	}, "sh", "-c", "yes | head -c 60000")
	if got != 60_000 || err != nil {
		t.Error(got, err)
	}
}

// What hangs, ignores TERM, or leaves something behind that holds its output, holds us
// no longer than its time; and what it has started ends with it.
func TestAProgramsTime(t *testing.T) {
	h := NewLocal(Paths{})
	mark := filepath.Join(t.TempDir(), "mark")
	var wait sync.WaitGroup
	for script, limit := range map[string]time.Duration{
		"sleep 60": 4 * time.Second,
		"trap '' TERM; while :; do sleep 0.1; done":                                     4 * time.Second,
		"(trap '' TERM; while :; do date > " + mark + "; sleep 0.1; done) & sleep 60":   4 * time.Second,
		"setsid sh -c 'trap \"\" TERM; sleep 8' & exec sleep 60":                        5 * time.Second,
		"trap '' TERM; setsid sh -c 'sleep 8' & while :; do echo line; sleep 0.1; done": 5 * time.Second,
		"yes": 5 * time.Second, // ended before, for what it prints
	} {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			began := time.Now()
			_, err := h.Run(ctx, "sh", "-c", script)
			took := time.Since(began)
			t.Logf("%s: %s", script, took)
			if took > limit || err == nil || !strings.Contains(err.Error(), "did not end in time") && !strings.Contains(err.Error(), "prints more than 64 MiB") {
				t.Errorf("%s: %v after %s", script, err, took)
			}
		})
	}
	wait.Wait()
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	if _, err := os.Lstat(mark); !errors.Is(err, fs.ErrNotExist) {
		t.Error("what a program has started goes on after it")
	}
}

// Somebody's daemon that keeps our end of the pipe is no failure of the program.
func TestAProgramThatLeavesADaemon(t *testing.T) {
	h := NewLocal(Paths{})
	inTime(t, 4*time.Second, func() {
		out, err := h.Run(context.Background(), "sh", "-c", "setsid sleep 6 & echo done")
		if string(out) != "done\n" || err != nil {
			t.Errorf("%q, %v", out, err)
		}
	})
}

func TestWhatAProgramPrintsIsBounded(t *testing.T) {
	h := NewLocal(Paths{})
	inTime(t, 20*time.Second, func() {
		_, err := h.Run(context.Background(), "yes")
		if err == nil || err.Error() != "yes prints more than 64 MiB and was ended" {
			t.Error(err)
		}
	})
	inTime(t, 20*time.Second, func() {
		_, err := h.Run(context.Background(), "sh", "-c", "yes ' !     a complaint' | head -c 50000000 >&2; echo >&2; echo the last >&2; exit 1")
		if err == nil || err.Error() != "sh failed: the last" {
			t.Errorf("%.100v", err)
		}
	})
	if _, err := h.Run(context.Background(), "sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1"); err == nil || len(err.Error()) > 2100 {
		t.Errorf("%.100v", err)
	}
	// Stream ends it as soon as enough is read.
	inTime(t, 3*time.Second, func() {
		err := h.Stream(context.Background(), func(r io.Reader) error {
			_, err := io.ReadFull(r, make([]byte, 100))
			return err
		}, "yes")
		if err != nil {
			t.Error(err)
		}
	})
}

// Root calls dokku from /root, where the Dokku user may not look: docker cp asks for "-"
// there, and ended with "stat -: permission denied".
func TestProgramsRunWhereAnybodyMayLook(t *testing.T) {
	t.Chdir(t.TempDir())
	if out, err := (&Local{}).Run(context.Background(), "pwd"); string(out) != "/\n" {
		t.Errorf("%q, %v", out, err)
	}
}
