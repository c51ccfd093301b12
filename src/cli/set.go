package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

func (c commands) set(ctx *cli.Context) error {
	args, scope, names := ctx.Args().Slice(), c.app, guard.PropertyNames()
	if i := slices.Index(args, host.GlobalScope); i >= 0 {
		scope, args = host.GlobalScope, slices.Delete(args, i, i+1) // wherever it stands, as in Dokku's own
	} else if len(args) > 0 && scope == "" {
		// What it is for comes first. An app may be called like a property.
		scope, args = args[0], args[1:]
	}
	if len(args) < 1 || len(args) > 2 {
		return say.Hint(errors.New("an app or --global is needed, and a property: with a value, or alone to unset it"),
			"dokku upgrade-guard:set --global auto-apply false. Valid properties include: %s", strings.Join(names, ", "))
	}
	if slices.Contains(names, scope) && !slices.Contains(names, args[0]) {
		return say.Hint(fmt.Errorf("%s is for an app or for --global, and neither is named", scope), "%s", say.Command("dokku upgrade-guard:set --global", append([]string{scope}, args...)...))
	}
	value := ""
	if len(args) == 2 {
		value = args[1]
	}
	if err := c.guard.Set(ctx.Context, scope, args[0], value); err != nil {
		return err
	}
	what := args[0]
	if scope != host.GlobalScope {
		what += " of " + scope
	}
	if value == "" {
		c.out.Title("Unsetting %s", what)
	} else {
		c.out.Title("Setting %s to %s", what, value)
	}
	return nil
}
