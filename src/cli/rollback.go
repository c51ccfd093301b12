package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func (c commands) rollbackCommand() *cli.Command {
	return &cli.Command{Name: "rollback", Usage: "How the last upgrade of Dokku is undone: what root types, and what it will do; nothing is done",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "script", Usage: "print that one command alone"},
			&cli.BoolFlag{Name: "dry-run", Usage: "the same without it: nothing is ever done"},
		}, Action: c.rollback}
}

func (c commands) rollback(ctx *cli.Context) error {
	if err := c.noArgs(ctx); err != nil {
		return err
	}
	r, err := c.guard.Rollback(ctx.Context)
	if err != nil {
		return err
	}
	if ctx.Bool("script") {
		c.out.Value("%s", r.Command)
		return nil
	}
	PrintCheck(c.out, r.Check)
	c.out.Title("Back from Dokku %s to %s, as root", r.From, r.To)
	c.out.Result("       %s", r.Command)
	if !r.Offered {
		c.out.Trouble("apt does not offer dokku %s here. With its package as a file: %s", r.To, fmt.Sprintf("dpkg -i ./dokku_%s_*.deb", r.To))
	}
	c.out.Detail("So that the next upgrade of everything leaves it there: apt-mark hold dokku")
	if r.Check.ForYou() {
		return errForYou
	}
	return nil
}
