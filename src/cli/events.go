package cli

import (
	"github.com/urfave/cli/v2"

	"upgrade-guard/src/say"
)

func (c commands) events(ctx *cli.Context) error {
	if err := c.noArgs(ctx); err != nil {
		return err
	}
	if ctx.Bool("test") {
		return c.guard.TestEvents(ctx.Context)
	}
	hooks := c.guard.EventHooks()
	for _, hook := range hooks {
		c.out.Value("%s", hook)
	}
	if len(hooks) == 0 {
		c.out.Detail("Nobody is told: there is no executable in %s.", c.guard.Host.Paths().Events)
	}
	if n := c.guard.WaitingEvents(); n > 0 {
		c.out.Detail("%s to be told, at the end of the next run.", say.Plural(n, "event"))
	}
	return nil
}
