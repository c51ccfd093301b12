package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/recipe"
	"upgrade-guard/src/say"
)

func (c commands) recipeCommand() *cli.Command {
	return &cli.Command{
		Name: "recipe", Usage: "Write what a snapshot holds as commands, or for docket or Ansible, without what may be a secret", ArgsUsage: "[<app>|--global...]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "snapshot", Usage: "the `id` of a snapshot, latest, live of one app, or now; the newest when left out"},
			&cli.StringFlag{Name: "format", Value: "shell", Usage: strings.Join(recipe.Formats[:2], ", ") + " or " + recipe.Formats[2], Action: func(_ *cli.Context, v string) error {
				if !slices.Contains(recipe.Formats, v) {
					return say.Hint(fmt.Errorf("--format cannot be %q", v), "It is %s.", strings.Join(recipe.Formats, ", "))
				}
				return nil
			}},
			&cli.BoolFlag{Name: "vars", Usage: "the secrets that the recipe names, instead; not to a terminal"},
			&cli.BoolFlag{Name: "valid-names", Usage: "apps with a name that Dokku does not take any more under the nearest that it does"},
		}, Action: c.recipe,
	}
}

func (c commands) recipe(ctx *cli.Context) error {
	o := guard.RecipeOptions{Snapshot: ctx.String("snapshot"), Format: ctx.String("format"), Vars: ctx.Bool("vars"), ValidNames: ctx.Bool("valid-names")}
	for _, name := range append(ctx.Args().Slice(), c.app) {
		if name != "" && !slices.Contains(o.Apps, name) {
			o.Apps = append(o.Apps, name)
		}
	}
	if o.Vars && host.Terminal(c.out.Out) {
		return say.Hint(errors.New("a terminal is not shown secrets"), "dokku upgrade-guard:recipe --vars > file")
	}
	// Nothing else is on standard output.
	c.guard.Out = &say.Printer{Out: c.out.Err, Err: c.out.Err, Quiet: c.out.Quiet}
	text, err := c.guard.Recipe(ctx.Context, o)
	if err != nil {
		return err
	}
	_, err = io.WriteString(c.out.Out, text)
	return err
}
