package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
)

func (c commands) restore(ctx *cli.Context) error {
	name, err := c.appArg(ctx)
	if err != nil {
		return err
	}
	all := ctx.Bool("all")
	switch {
	case all && ctx.NArg() > 0:
		return say.Hint(errors.New("an app or --all, not both"), "See dokku %s --help", ctx.Command.Name)
	case name == "" && !all:
		return say.Hint(errors.New("an app is needed, or --all, or --global"), "For example: dokku upgrade-guard:restore my-app --dry-run")
	}
	var parts []string
	for _, only := range ctx.StringSlice("only") {
		parts = append(parts, strings.FieldsFunc(only, func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	there := restore.Parts
	if name == host.GlobalScope {
		there = restore.HostParts
	}
	if ctx.IsSet("only") && len(parts) == 0 {
		return say.Hint(errors.New("--only is empty"), "It takes any of: %s.", strings.Join(there, ", "))
	}
	o := guard.RestoreOptions{
		Snapshot: ctx.String("snapshot"), Parts: parts, DryRun: ctx.Bool("dry-run"), Exact: ctx.Bool("exact"), Ask: c.asking(ctx),
	}
	if ctx.Bool("create") || ctx.IsSet("as") {
		return c.create(ctx, name, o)
	}
	switch {
	case all:
		return c.guard.RestoreAll(ctx.Context, o)
	case name == host.GlobalScope:
		return c.guard.RestoreHost(ctx.Context, o)
	}
	return c.guard.Restore(ctx.Context, name, o)
}

// create is restore --create.
func (c commands) create(ctx *cli.Context, name string, o guard.RestoreOptions) error {
	as := ctx.String("as")
	switch {
	case !ctx.Bool("create"):
		return say.Hint(errors.New("--as is what an app is to be called that is made"), "For example: dokku upgrade-guard:restore my_app --create --as my-app")
	case ctx.IsSet("as") && as == "":
		return say.Hint(errors.New("--as is empty"), "For example: dokku upgrade-guard:restore my_app --create --as my-app")
	case as != "" && name == "":
		return say.Hint(errors.New("--as is the name of one app"), "dokku upgrade-guard:restore <app> --create --as <name>")
	case name == host.GlobalScope:
		return say.Hint(errors.New("--create makes apps, and --global is none"), "dokku upgrade-guard:restore --all --create")
	}
	for _, other := range []string{"only", "exact"} {
		if ctx.IsSet(other) {
			return say.Hint(fmt.Errorf("--%s is for an app that is there: with --create it gets all that the snapshot has", other), "See dokku %s --help", ctx.Command.Name)
		}
	}
	if name == "" {
		return c.guard.CreateAll(ctx.Context, o)
	}
	return c.guard.Create(ctx.Context, name, as, o)
}
