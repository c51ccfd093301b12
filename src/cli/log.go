package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/say"
)

// log prints the runs, the newest last, where a terminal shows it.
func (c commands) log(ctx *cli.Context) error {
	name, err := c.appArg(ctx)
	if err != nil {
		return err
	}
	o := guard.LogOptions{App: name, Run: ctx.String("run")}
	if since := ctx.String("since"); since != "" {
		if o.Since, err = sinceTime(since); err != nil {
			return err
		}
	}
	l, err := c.guard.Log(ctx.Context, o)
	if err != nil {
		return err
	}
	if ctx.String("format") == "json" {
		return c.out.JSON(l)
	}
	for _, run := range l.Runs {
		c.out.Title("%s", run.Title())
		for _, line := range run.Told() {
			c.out.Result("       %s", line)
		}
	}
	if len(l.Runs) == 0 {
		c.out.Result("       %s", nothingDone(o, ctx.String("since")))
	}
	return nil
}

// nothingDone says of what there is nothing in the log.
func nothingDone(o guard.LogOptions, since string) string {
	text := "Nothing was done"
	if o.App != "" {
		text += " for " + o.App
	}
	if since != "" {
		text += " in the last " + since
	}
	if o.Run != "" {
		text += " by this run"
	}
	return text + "."
}

// sinceTime is a time as people type it: 7d is 7 days, the rest is Go's own.
func sinceTime(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, say.Hint(fmt.Errorf("--since cannot be %q", text), "It is a time until now: 7d, 12h, 30m.")
}
