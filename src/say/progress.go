package say

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// progress is how far something has come that takes its time: nothing is said of what is
// done within two seconds. On a terminal it is one line that is written anew, elsewhere a
// line every ten seconds. It goes to standard error, and in somebody else's run nowhere.
type progress struct {
	p     *Printer
	what  string
	stop  chan struct{}
	ended sync.Once

	mu        sync.Mutex
	done, all int
}

// Counting begins one: whoever works with the context that it returns says by Counted how
// far it has come, if there is anything to count. what is what is counted, "apps read", or
// waited for. end takes the line away.
func (p *Printer) Counting(ctx context.Context, what string) (counting context.Context, end func()) {
	if p.Err == nil || p.ASCII || p.Quiet || p.Patience == 0 {
		return ctx, func() {}
	}
	g := &progress{p: p, what: what, stop: make(chan struct{})}
	go g.tell()
	return context.WithValue(ctx, counter{}, g), g.end
}

type counter struct{}

// Counted says that one more of so many is done. Several may say it at once, and whoever
// is not counted.
func Counted(ctx context.Context, all int) {
	if g, ok := ctx.Value(counter{}).(*progress); ok {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.done, g.all = g.done+1, all
	}
}

func (g *progress) end() {
	g.ended.Do(func() {
		close(g.stop)
		g.p.mu.Lock()
		defer g.p.mu.Unlock()
		g.p.wipe()
	})
}

func (g *progress) tell() {
	every := g.p.Every
	if g.p.ErrTerminal {
		every = g.p.Every / 20
	}
	for wait := g.p.Patience; ; wait = every {
		select {
		case <-g.stop:
			return
		case <-time.After(wait):
		}
		g.mu.Lock()
		text := "       " + g.what
		if g.all > 0 {
			text += fmt.Sprintf(": %d of %d", g.done, max(g.all, g.done))
		}
		g.mu.Unlock()
		g.p.mu.Lock()
		select {
		case <-g.stop: // ended meanwhile
		default:
			if g.p.wipe(); g.p.ErrTerminal {
				_, _ = io.WriteString(g.p.Err, text)
				g.p.shown = true
			} else {
				fmt.Fprintln(g.p.Err, strings.TrimRight(text, " "))
			}
		}
		g.p.mu.Unlock()
	}
}

// wipe takes a line of progress away, where one stands. The caller holds the lock.
func (p *Printer) wipe() {
	if p.shown {
		_, _ = io.WriteString(p.Err, "\r\x1b[K")
		p.shown = false
	}
}
