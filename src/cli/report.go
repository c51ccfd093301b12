package cli

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

func (c commands) report(ctx *cli.Context) error {
	name, err := c.appArg(ctx)
	if err != nil {
		return err
	}
	if name == host.GlobalScope {
		name = ""
	}
	var info []string
	for _, f := range guard.FlagNames() {
		if ctx.Bool(host.Plugin + "-" + f) {
			info = append(info, f)
		}
	}
	asJSON := ctx.String("format") == "json"
	switch {
	case ctx.Bool("to-do") && (asJSON || len(info) > 0):
		return say.Hint(errors.New("--to-do excludes --format json and single flags"), "In JSON the key to_do of each app has its commands.")
	case len(info) > 1:
		return say.Hint(errors.New("one flag at a time"), "See dokku %s --help", ctx.Command.Name)
	case len(info) == 1 && asJSON:
		return say.Hint(errors.New("--format json and a single flag exclude each other"), "Ask for one of them.")
	case len(info) == 1 && name == "":
		return say.Hint(fmt.Errorf("--upgrade-guard-%s is about one app", info[0]), "dokku upgrade-guard:report <app> --upgrade-guard-%s", info[0])
	}
	r, err := c.guard.Report(ctx.Context, name)
	if err != nil {
		return err
	}
	switch {
	case ctx.Bool("to-do"):
		for _, command := range r.ToDo() {
			c.out.Value("%s", command)
		}
	case asJSON && name != "":
		err = c.out.JSON(r.Apps[0])
	case asJSON:
		err = c.out.JSON(r)
	case len(info) == 1:
		for _, f := range r.Apps[0].Flags() {
			if f.Name == info[0] {
				c.out.Value("%s", f.Value)
			}
		}
	case name != "":
		PrintApp(c.out, r.Apps[0])
	default:
		printReport(c.out, r)
	}
	if err == nil && ctx.Bool("exit-code") && r.ForYou() {
		return errForYou
	}
	return err
}

func infoFlags() []cli.Flag {
	var flags []cli.Flag
	for _, name := range guard.FlagNames() {
		flags = append(flags, &cli.BoolFlag{Name: host.Plugin + "-" + name, Hidden: true})
	}
	return flags
}
