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

func (c commands) report(ctx *cli.Context) error {
	name, err := c.appArg(ctx)
	if err != nil {
		return err
	}
	format, there := ctx.String("format"), guard.FlagNames()
	if name == host.GlobalScope {
		there = guard.GlobalFlagNames()
	}
	var info []string
	for _, f := range guard.FlagNames() {
		if ctx.Bool(host.Plugin + "-" + f) {
			info = append(info, f)
		}
	}
	switch {
	case ctx.Bool("to-do") && (format != "stdout" || len(info) > 0):
		return say.Hint(errors.New("--to-do excludes --format and single flags"), "In JSON the key to_do of each app has its commands.")
	case len(info) > 1:
		return say.Hint(errors.New("one flag at a time"), "See dokku %s --help", ctx.Command.Name)
	case len(info) == 1 && format != "stdout":
		return say.Hint(fmt.Errorf("--format %s and a single flag exclude each other", format), "Ask for one of them.")
	case len(info) == 1 && name == "":
		return say.Hint(fmt.Errorf("--upgrade-guard-%s is about one app", info[0]), "dokku upgrade-guard:report <app> --upgrade-guard-%s", info[0])
	case len(info) == 1 && !slices.Contains(there, info[0]):
		return invalidFlag(there)
	case ctx.Bool("exit-code") && name == host.GlobalScope:
		return say.Hint(errors.New("--exit-code is about apps, and --global shows settings"), "dokku upgrade-guard:report --exit-code")
	case format == "json-flat" && name == "":
		return say.Hint(errors.New("--format json-flat is about one app, or --global"), "dokku upgrade-guard:report <app> --format json-flat. Of all apps: --format json")
	}
	if name == host.GlobalScope && (format == "stdout" && !ctx.Bool("to-do") || format == "json-flat") {
		return printFlags(c.out, host.GlobalScope, guard.GlobalFlags(c.guard.Settings(host.GlobalScope)), info, format)
	}
	if name == host.GlobalScope {
		name = "" // all that there is to tell of the host
	}
	c.guard.NoProbe = ctx.Bool("no-probe")
	r, err := c.guard.Report(ctx.Context, name)
	if err != nil {
		return err
	}
	switch {
	case ctx.Bool("to-do"):
		for _, command := range r.ToDo() {
			c.out.Value("%s", command)
		}
	case format == "json" && name != "":
		err = c.out.JSON(r.Apps[0])
	case format == "json":
		err = c.out.JSON(r)
	case format == "prometheus":
		printMetrics(c.out, r, name == "")
	case format == "nagios":
		return printNagios(c.out, r, c.guard.Host.Now())
	case name != "":
		err = printFlags(c.out, name, r.Apps[0].Flags(), info, format)
	default:
		printReport(c.out, r)
	}
	if err == nil && ctx.Bool("exit-code") && r.ForYou() {
		return errForYou
	}
	return err
}

// printFlags prints a report as Dokku's own are: a block, the value of one flag, or an
// object of JSON whose keys are the flags.
func printFlags(out *say.Printer, scope string, flags []guard.Flag, info []string, format string) error {
	flat := map[string]string{}
	for _, f := range flags {
		flat[f.Name] = f.Value
	}
	switch {
	case format == "json-flat":
		return out.JSON(flat)
	case len(info) > 0:
		out.Value("%s", flat[info[0]])
	default:
		printBlock(out, scope, flags)
	}
	return nil
}

// invalidFlag is said in Dokku's words.
func invalidFlag(there []string) error {
	return say.Hint(fmt.Errorf("Invalid flag passed, valid flags: %s", strings.Join(lineFlags(there), ", ")), "What else it takes: dokku upgrade-guard:help report")
}

// lineFlags are the flags for the lines of a report.
func lineFlags(names []string) []string {
	var flags []string
	for _, name := range names {
		flags = append(flags, "--"+host.Plugin+"-"+name)
	}
	slices.Sort(flags)
	return flags
}

func infoFlags() []cli.Flag {
	var flags []cli.Flag
	for _, name := range guard.FlagNames() {
		flags = append(flags, &cli.BoolFlag{Name: host.Plugin + "-" + name, Hidden: true})
	}
	return flags
}
