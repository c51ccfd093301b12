package scenarios

import (
	"context"
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
	for _, url := range args[1:] {
		targets = append(targets, probe.Target{URL: url, App: args[0]})
	}
	ctx, end := context.WithCancel(context.Background())
	probing.end, probing.results = end, make(chan []probe.Result, 1)
	go func() { probing.results <- probe.Run(ctx, targets, 20) }()
	ts.Defer(end)
	time.Sleep(time.Second)
}

func cmdProbed(ts *testscript.TestScript, neg bool, _ []string) {
	if !onRealHost {
		return
	}
	time.Sleep(2 * time.Second)
	probing.end()
	bad := 0
	for _, r := range <-probing.results {
		ts.Logf("%s", r)
		bad += r.Bad()
		if r.Asked == 0 {
			ts.Fatalf("nothing was asked of %s", r.URL)
		}
	}
	if (bad > 0) != neg {
		ts.Fatalf("%d requests were not answered by the app", bad)
	}
}
