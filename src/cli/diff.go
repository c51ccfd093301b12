package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/plan"
	"upgrade-guard/src/say"
)

func (c commands) diffCommand() *cli.Command {
	return &cli.Command{
		Name: "diff", Usage: "What differs between a snapshot and another, or the present; exit code 2 if anything does", ArgsUsage: "[<id>|latest|live] [<id>|live|now]",
		Flags: []cli.Flag{formatFlag(), &cli.StringFlag{Name: "app", Usage: "of this `app` only, or --global"}}, Action: c.diff,
	}
}

func (c commands) diff(ctx *cli.Context) error {
	args := ctx.Args().Slice()
	if len(args) > 2 {
		return say.Hint(fmt.Errorf("two sides are compared, not %s", strings.Join(args, ", ")), "See dokku %s --help", ctx.Command.Name)
	}
	args = append(args, "", "")[:2]
	if args[1] == "" {
		args[1] = guard.Now
	}
	if args[0] == guard.Now {
		return say.Hint(errors.New("the present is the second of the two"), "dokku upgrade-guard:diff latest now")
	}
	name := ctx.String("app")
	if name == "" {
		name = c.app
	}
	d, err := c.guard.Diff(ctx.Context, args[0], args[1], name)
	if err != nil {
		return err
	}
	if ctx.String("format") == "json" {
		if err := c.out.JSON(d); err != nil {
			return err
		}
	} else {
		printDiff(c.out, d)
	}
	if d.Differ {
		return errForYou
	}
	return nil
}

// printDiff prints it as a restore prints its plan.
func printDiff(out *say.Printer, d guard.Diff) {
	out.Title("%s and %s", d.From, d.To)
	for _, n := range d.Notes {
		out.Trouble("%s", n)
	}
	for _, a := range d.Apps {
		for _, l := range a.Lines {
			out.Result("       %-4s %s: %s", l.Mark, host.Place(a.App), l.Told())
		}
		for _, n := range a.Notes {
			out.Trouble("%s: %s", host.Place(a.App), n)
		}
	}
	switch {
	case !d.Differ:
		out.Result("       %-4s nothing differs", plan.OK)
	default:
		out.Result("       %s: only in %s. %s: only in %s. %s: in both, and not the same.", plan.Add, d.From, plan.Remove, d.To, plan.Change)
	}
}
