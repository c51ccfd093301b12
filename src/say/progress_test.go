package say

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// safe is a buffer that progress may write to while the test reads.
type safe struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (s *safe) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

func (s *safe) until(t *testing.T, text string) {
	t.Helper()
	for range 500 {
		if strings.Contains(s.String(), text) {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("%q is never printed: %q", text, s.String())
}

func TestProgress(t *testing.T) {
	var out, errs safe
	p := &Printer{Out: &out, Err: &errs, ErrTerminal: true, Patience: time.Millisecond, Every: 20 * time.Millisecond}
	ctx, end := p.Counting(context.Background(), "apps read")
	for range 3 {
		Counted(ctx, 1000)
	}
	errs.until(t, "       apps read: 3 of 1000")
	p.Step("between") // takes the line away first
	Counted(ctx, 1000)
	errs.until(t, "\r\x1b[K       apps read: 4 of 1000")
	end()
	end()
	if got := errs.String(); !strings.HasSuffix(got, "\r\x1b[K") || out.String() != "-----> between\n" {
		t.Errorf("%q, %q", got, out.String())
	}

	// A log gets lines.
	var log safe
	p = &Printer{Out: &out, Err: &log, Patience: time.Millisecond, Every: time.Millisecond}
	ctx, end = p.Counting(context.Background(), "apps read")
	Counted(ctx, 2)
	log.until(t, "       apps read: 1 of 2\n")
	end()
	if strings.Contains(log.String(), "\x1b") {
		t.Errorf("%q", log.String())
	}
}

// What is quick says nothing, and neither does what runs in somebody else's run.
func TestNoProgress(t *testing.T) {
	for about, p := range map[string]*Printer{
		"quick": {Patience: time.Hour, Every: time.Hour}, "quiet": {Quiet: true, Patience: 1, Every: 1}, "a hook": {ASCII: true, Patience: 1, Every: 1}, "a test": {},
	} {
		var errs safe
		p.Err = &errs
		ctx, end := p.Counting(context.Background(), "apps read")
		Counted(ctx, 2)
		time.Sleep(5 * time.Millisecond)
		end()
		if errs.String() != "" {
			t.Errorf("%s: %q", about, errs.String())
		}
	}
	Counted(context.Background(), 1)
}
