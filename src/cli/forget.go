package cli

import (
	"errors"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/say"
)

func (c commands) forgetCommand() *cli.Command {
	return &cli.Command{
		Name: "forget", Usage: "Remove snapshots: those named, or all but the newest; never what an upgrade or a restore needs", ArgsUsage: "<id>...",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "keep-last", Usage: "keep the newest `n`; labelled and imported ones stay in any case"},
			&cli.IntFlag{Name: "keep-monthly", Usage: "keep the newest of each of the last `n` months that have any"},
			&cli.BoolFlag{Name: "dry-run", Usage: "show what would go and change nothing"},
		}, Action: c.forget,
	}
}

func (c commands) forget(ctx *cli.Context) error {
	o := guard.ForgetOptions{IDs: ctx.Args().Slice(), KeepLast: ctx.Int("keep-last"), KeepMonthly: ctx.Int("keep-monthly"), DryRun: ctx.Bool("dry-run")}
	byRule := ctx.IsSet("keep-last") || ctx.IsSet("keep-monthly")
	hint := "dokku upgrade-guard:forget 20250101T000000Z-0.30.11-manual, or: dokku upgrade-guard:forget --keep-last 5 --keep-monthly 12 --dry-run"
	switch {
	case byRule && len(o.IDs) > 0:
		return say.Hint(errors.New("snapshots are named, or a number to keep, not both"), "%s", hint)
	case !byRule && len(o.IDs) == 0:
		return say.Hint(errors.New("snapshots have to be named, or how many are kept"), "%s", hint)
	case byRule && (o.KeepLast < 0 || o.KeepMonthly < 0 || o.KeepLast+o.KeepMonthly == 0):
		return say.Hint(errors.New("at least one has to be kept"), "%s", hint)
	}
	return c.guard.ForgetSnapshots(ctx.Context, o)
}
