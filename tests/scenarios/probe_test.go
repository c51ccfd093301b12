package scenarios

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"upgrade-guard/tests/probe"
)

// probing is what goes on between probe and probed.
var probing struct {
	end     context.CancelFunc
	results chan []probe.Result
}

func cmdProbe(ts *testscript.TestScript, _ bool, args []string) {
	if !onRealHost {
		return // nothing listens there
	}
	var targets []probe.Target
	app := ""
	for _, arg := range args {
		if strings.Contains(arg, "://") {
			targets = append(targets, probe.Target{URL: arg, App: app})
		} else {
			app = arg
		}
	}
	ctx, end := context.WithCancel(context.Background())
	probing.end, probing.results = end, make(chan []probe.Result, 1)
	go func() { probing.results <- probe.Run(ctx, targets, 20) }()
	ts.Defer(end)
	time.Sleep(time.Second)
}

func cmdProbed(ts *testscript.TestScript, neg bool, args []string) {
	if !onRealHost {
		return
	}
	bad, total := endProbe(ts, args)
	if (bad > 0) != neg {
		ts.Fatalf("%s: requests were not answered by the app", total)
	}
}

// cmdAsked is probed where Dokku itself may take an app down.
func cmdAsked(ts *testscript.TestScript, _ bool, args []string) {
	if onRealHost {
		endProbe(ts, args)
	}
}

// endProbe says how the requests ended, and what went on meanwhile.
func endProbe(ts *testscript.TestScript, meanwhile []string) (bad int, total string) {
	time.Sleep(2 * time.Second)
	probing.end()
	asked, gap := 0, time.Duration(0)
	for _, r := range <-probing.results {
		ts.Logf("%s", r)
		asked, bad, gap = asked+r.Asked, bad+r.Bad(), max(gap, r.Gap)
		if r.Asked == 0 {
			ts.Fatalf("nothing was asked of %s", r.URL)
		}
	}
	total = fmt.Sprintf("requests, %s: %d, of which %d refused, failed or foreign; longest gap %s", strings.Join(meanwhile, " "), asked, bad, gap.Round(time.Millisecond))
	ts.Logf("%s", total)
	return bad, total
}
