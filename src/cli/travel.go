package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
	"upgrade-guard/src/seal"
)

// travelCommands are those by which a snapshot leaves this host, and one of another comes
// in.
func (c commands) travelCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "export", Usage: "Write a snapshot to standard output, to be kept elsewhere or imported by another host", ArgsUsage: "[<id>|latest|live]",
			Flags: []cli.Flag{
				&cli.StringSliceFlag{Name: "app", Usage: "this `app` only, without the host's own settings; again for more"},
				&cli.StringSliceFlag{Name: "recipient", Usage: "encrypt it for this public `key`, of age or ssh; again for more"},
				&cli.BoolFlag{Name: "with-git", Usage: "each app's repository too, as it is now"},
			}, Action: c.export},
		{Name: "import", Usage: "Keep an exported snapshot of another host, read from standard input",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "identity", Usage: "the `file` with the private key that it is encrypted for, which the Dokku user can read"},
			}, Action: c.imports},
	}
}

func (c commands) export(ctx *cli.Context) error {
	keys, args := keysIn(ctx.StringSlice("recipient"), ctx.Args().Slice())
	if len(args) > 1 {
		return say.Hint(fmt.Errorf("one snapshot at a time, not %s", strings.Join(args, ", ")), "See dokku %s --help", ctx.Command.Name)
	}
	if host.Terminal(c.out.Out) {
		return say.Hint(errors.New("an export is not for a terminal: it holds every variable and private key"), "dokku upgrade-guard:export > file, or pipe it into upgrade-guard:import on another host.")
	}
	o := guard.ExportOptions{WithGit: ctx.Bool("with-git")}
	for _, id := range args {
		o.ID = id
	}
	for _, names := range append(ctx.StringSlice("app"), c.app) {
		for _, name := range strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' }) {
			if !slices.Contains(o.Apps, name) {
				o.Apps = append(o.Apps, name)
			}
		}
	}
	var err error
	if o.Recipients, err = seal.ParseRecipients(keys); err != nil {
		return err
	}
	// Nothing else is on standard output.
	c.guard.Out = &say.Printer{Out: c.out.Err, Err: c.out.Err, Quiet: c.out.Quiet}
	return c.guard.Export(ctx.Context, c.out.Out, o)
}

// keysIn puts together a key of ssh that comes as several words, as every shell leaves it
// that an ssh to a Dokku host goes through: its kind, the key, and perhaps whose it is.
func keysIn(keys, args []string) (whole, rest []string) {
	for _, key := range keys {
		if strings.HasPrefix(key, "ssh-") && !strings.Contains(key, " ") {
			i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "AAAA") })
			if i >= 0 {
				key += " " + args[i]
				args = slices.Delete(slices.Clone(args), i, i+1)
				if i < len(args) && strings.Contains(args[i], "@") {
					args = slices.Delete(args, i, i+1)
				}
			}
		}
		whole = append(whole, key)
	}
	return whole, args
}

func (c commands) imports(ctx *cli.Context) error {
	if err := c.noArgs(ctx); err != nil {
		return err
	}
	if host.Terminal(os.Stdin) {
		return say.Hint(errors.New("nothing comes in"), "dokku upgrade-guard:import < file, or: ssh dokku@<old host> upgrade-guard:export | dokku upgrade-guard:import")
	}
	id, err := c.guard.Import(ctx.Context, os.Stdin, ctx.String("identity"))
	if err == nil && c.out.Quiet {
		c.out.Result("%s", id)
	}
	return err
}
