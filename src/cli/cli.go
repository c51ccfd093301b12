// Package cli is the commands: it parses flags, calls the guard, and prints
// text or JSON. Exit codes: 0 nothing is left to a person, 1 an error, 2 something is
// left to a person, or not known (check, apply, diff, snapshots --verify; report with
// --exit-code), 20 the app does not exist.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/app"
	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/restore"
	"upgrade-guard/src/say"
)

// errForYou is the end of a command that leaves something to a person: exit code 2.
var errForYou = errors.New("something is left to you")

// NotImplemented is the exit code by which a plugin's commands tell Dokku that
// a command is not theirs.
const NotImplemented = 10

// Run runs one command, as Dokku calls it: args begin with the command's full
// name, upgrade-guard:report. It returns the exit code.
func Run(ctx context.Context, h host.Host, out *say.Printer, args []string) int {
	name := strings.TrimPrefix(args[0], host.Plugin+":")
	if name == "help" && len(args) > 1 && !strings.HasPrefix(args[1], "-") { // of one command
		name, args = strings.TrimPrefix(args[1], host.Plugin+":"), []string{args[1], "--help"}
	}
	switch name {
	case host.Plugin, "default": // without a colon
		if len(args) > 1 && !strings.HasPrefix(args[1], "-") {
			out.Error(say.Hint(fmt.Errorf("there is no command %s %s", host.Plugin, args[1]), "A command has a colon, as in dokku upgrade-guard:report. See dokku upgrade-guard:help for those there are."))
			return 1
		}
		fallthrough
	case "", "help":
		fmt.Fprint(out.Out, help())
		return 0
	}
	// dokku --app names one app for all commands that it starts, ours and those that a
	// repair calls.
	c := commands{guard.New(h, out), out, os.Getenv("DOKKU_APP_NAME")}
	defer host.Setenv("DOKKU_APP_NAME", "")()
	program := &cli.App{
		Name: "dokku", HelpName: "dokku", Usage: Description,
		Commands: c.all(), Writer: out.Out, ErrWriter: out.Err,
		HideVersion: true, CommandNotFound: func(*cli.Context, string) {},
		ExitErrHandler:        func(*cli.Context, error) {},
		CustomAppHelpTemplate: help(),
	}
	i := slices.IndexFunc(program.Commands, func(c *cli.Command) bool { return c.Name == host.Plugin+":"+name })
	if i < 0 {
		out.Error(say.Hint(fmt.Errorf("there is no command %s:%s", host.Plugin, name), "See dokku upgrade-guard:help for those there are."))
		return 1
	}
	if slices.ContainsFunc(args[1:], func(a string) bool { return a == "--help" || a == "-h" }) {
		args = []string{args[0], "--help"} // whatever stands beside it
	}
	flags, err := flagsFirst(program.Commands[i], args[1:])
	if err == nil {
		err = program.RunContext(ctx, append([]string{"dokku", host.Plugin + ":" + name}, flags...))
		// What only looks is not held up by those who are told; the queue's worker is.
		if slices.Contains([]string{"apply", "restore", "rename", "snapshot", "events"}, name) {
			c.guard.Deliver(ctx)
		}
	}
	nagios := nagiosOK
	var missing app.NoApp
	switch {
	case errors.As(err, &nagios):
		return int(nagios)
	case err != nil && asNagios(args):
		return nagiosError(out, err)
	case errors.Is(err, errForYou):
		return 2
	case errors.As(err, &missing):
		out.Error(err)
		if now := c.guard.CalledNow(missing.Name); now != "" {
			out.Trouble("%s was renamed and is called %s now.", missing.Name, now)
		}
		return app.NoAppExit
	case err != nil:
		out.Error(err)
		return 1
	}
	return 0
}

// flagsFirst puts flags before arguments: the library wants them so, and people
// type "report my_app --format json". It says which flag has no value, and which is given
// twice with a meaning for one: the library would take the argument after it, or drop the
// first in silence.
func flagsFirst(c *cli.Command, args []string) ([]string, error) {
	one, list := map[string]bool{}, map[string]bool{}
	for _, f := range c.Flags {
		switch f.(type) {
		case *cli.StringFlag, *cli.IntFlag:
			one[f.Names()[0]] = true
		case *cli.StringSliceFlag:
			list[f.Names()[0]] = true
		}
	}
	var flags, rest []string
	given := map[string]bool{}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return append(append(flags, rest...), args[i:]...), nil
		}
		if a == host.GlobalScope || !strings.HasPrefix(a, "-") {
			rest = append(rest, a)
			continue
		}
		flags = append(flags, a)
		name, _, hasValue := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if !one[name] && !list[name] {
			continue
		}
		if one[name] && given[name] {
			return nil, say.Hint(fmt.Errorf("--%s is given twice", name), "See dokku %s --help", c.Name)
		}
		given[name] = true
		if hasValue {
			continue
		}
		if i+1 == len(args) {
			return nil, noValue(c, name)
		}
		i++
		value := args[i]
		if strings.HasPrefix(value, "--") { // of none the value begins so
			return nil, noValue(c, name)
		}
		for list[name] && strings.HasSuffix(value, ",") && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++ // certs, ports without quotes
			value += args[i]
		}
		flags = append(flags, value)
	}
	if len(rest) > 0 {
		rest = append([]string{"--"}, rest...)
	}
	return append(flags, rest...), nil
}

// Names are the commands that the plugin has a link for.
func Names() []string {
	names := []string{"default", "help"}
	for _, c := range (commands{}).all() {
		names = append(names, strings.TrimPrefix(c.Name, host.Plugin+":"))
	}
	return names
}

type commands struct {
	guard *guard.Guard
	out   *say.Printer
	app   string // what dokku --app named
}

func formatFlag(more ...string) cli.Flag {
	formats := append([]string{"stdout", "json"}, more...)
	usage := "stdout for people, json for programs"
	for _, f := range more {
		usage += ", " + f + map[string]string{"json-flat": " as Dokku's own reports", "nagios": " for a line with its exit code", "prometheus": " for metrics"}[f]
	}
	return &cli.StringFlag{Name: "format", Value: "stdout", Usage: usage,
		Action: func(_ *cli.Context, v string) error {
			if !slices.Contains(formats, v) {
				last := len(formats) - 1
				return say.Hint(fmt.Errorf("--format cannot be %q", v), "It is %s or %s.", strings.Join(formats[:last], ", "), formats[last])
			}
			return nil
		}}
}

func (c commands) all() []*cli.Command {
	list := []*cli.Command{
		{Name: "report", Usage: "What was kept, lost and repaired, of all apps or of one", ArgsUsage: "[<app>|--global]",
			Description: "Each line of an app's report, and of --global's, is a flag that prints its value alone:\n" + strings.Join(lineFlags(guard.FlagNames()), "\n"),
			Flags: append([]cli.Flag{formatFlag("json-flat", "prometheus", "nagios"), &cli.BoolFlag{Name: "exit-code", Usage: "exit code 2 if anything is left to you, or not known"},
				&cli.BoolFlag{Name: "to-do", Usage: "only what there is to type, a command a line"},
				&cli.BoolFlag{Name: "no-probe", Usage: "no app is asked by requests whether it answers, and that is said"}}, infoFlags()...), Action: c.report},
		{Name: "check", Usage: "What is wrong now, and what an upgrade would break; exit code 2 if anything is left to you", ArgsUsage: "[<app>] [<version>]",
			Flags: []cli.Flag{formatFlag(), &cli.StringFlag{Name: "to", Usage: "the Dokku `version` to upgrade to; the one apt would install when left out"}}, Action: c.check},
		{Name: "apply", Usage: "Do, or go on with, the work after an upgrade, for all apps or for one; exit code 2 if anything is left to you", ArgsUsage: "[<app>]",
			Flags: []cli.Flag{
				&cli.BoolFlag{Name: "dry-run", Usage: "show the plan and change nothing; exit code 2 if there is anything to do"},
				&cli.BoolFlag{Name: "guesses", Usage: "also put back what was recorded nowhere and is guessed, from containers and nginx.conf"},
				&cli.BoolFlag{Name: "all", Usage: "also start and build again what is left to you of that; what it will run is shown"},
				forceFlag(),
			}, Action: c.apply},
		{Name: "snapshot", Usage: "Take a snapshot now; it is kept until you delete it",
			Flags: []cli.Flag{&cli.StringFlag{Name: "label", Usage: "its `label`, a part of its id: before-docker28"}}, Action: c.snapshot},
		{Name: "snapshots", Usage: "The snapshots there are",
			Flags: []cli.Flag{formatFlag(), &cli.BoolFlag{Name: "verify", Usage: "read each one whole and check it; exit code 2 if one is damaged"}}, Action: c.snapshots},
		{Name: "log", Usage: "What upgrade-guard has done: prevented, repaired, restored, renamed, refused", ArgsUsage: "[<app>]",
			Flags: []cli.Flag{formatFlag(),
				&cli.StringFlag{Name: "since", Usage: "no older than this `time`: 7d, 12h, 30m"},
				&cli.StringFlag{Name: "run", Usage: "of one run only, by its `id` or the beginning of it"},
			}, Action: c.log},
		{Name: "events", Usage: "Who is told of events, and how many wait to be told",
			Flags: []cli.Flag{&cli.BoolFlag{Name: "test", Usage: "run each of them with a test event"}}, Action: c.events},
		{Name: "set", Usage: "Set a property, or unset it without a value", ArgsUsage: "<app>|--global <property> [<value>]", Action: c.set},
		{Name: "restore", Usage: "Put one app back as a snapshot has it, all of them, or what belongs to no app; another snapshot is taken first", ArgsUsage: "<app>|--all|--global",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "snapshot", Usage: "the `id` of a snapshot, or live for the one that follows the app; the newest from before the last upgrade when left out"},
				&cli.StringSliceFlag{Name: "only", Usage: "these `parts` only, with commas between them: " + strings.Join(restore.Parts, ", ") + "; of the host " + strings.Join(restore.HostParts, ", ")},
				&cli.BoolFlag{Name: "all", Usage: "every app that there is; with --create every app of the snapshot that is not here"},
				&cli.BoolFlag{Name: "create", Usage: "make an app that is not here, as the snapshot has it"},
				&cli.StringFlag{Name: "as", Usage: "with --create: its `name` here"},
				&cli.BoolFlag{Name: "exact", Usage: "take away variables that the snapshot does not have"},
				&cli.BoolFlag{Name: "dry-run", Usage: "show the plan and change nothing"},
				forceFlag(),
			}, Action: c.restore},
		{Name: "rename", Usage: "Rename an app without loss and without refusing a request", ArgsUsage: "<old> <new>",
			Flags: []cli.Flag{
				&cli.BoolFlag{Name: "dry-run", Usage: "show what would be done and change nothing"},
				&cli.BoolFlag{Name: "with-stop", Usage: "stop an app that must not run twice, for as long as it takes to start it under its new name"},
				forceFlag(),
			}, Action: c.rename},
	}
	list = append(list, c.rollbackCommand(), c.diffCommand(), c.showCommand(), c.recipeCommand(), c.forgetCommand())
	list = append(list, c.travelCommands()...)
	for _, command := range list {
		command.Name = host.Plugin + ":" + command.Name
		command.HideHelpCommand = true
		command.OnUsageError = func(ctx *cli.Context, err error, _ bool) error {
			if strings.HasPrefix(err.Error(), "flag provided but not defined") && ctx.Command.Name == host.Plugin+":report" {
				return invalidFlag(guard.FlagNames())
			}
			return noFlag(ctx.Command, err)
		}
	}
	return list
}

// appArg is the one argument of a command, or what dokku's --app gave: for
// plugins that are not core's it stays in the environment.
func (c commands) appArg(ctx *cli.Context) (string, error) {
	if ctx.NArg() > 1 {
		return "", say.Hint(fmt.Errorf("one app at a time, not %s", strings.Join(ctx.Args().Slice(), ", ")), "See dokku %s --help", ctx.Command.Name)
	}
	name := ctx.Args().First()
	if name == "" {
		name = c.app
	}
	return name, nil
}

func (c commands) noArgs(ctx *cli.Context) error {
	if ctx.NArg() > 0 {
		return say.Hint(fmt.Errorf("%s takes no argument, so not %q", ctx.Command.Name, ctx.Args().First()), "See dokku %s --help", ctx.Command.Name)
	}
	return nil
}

func (c commands) check(ctx *cli.Context) error {
	name, to, err := c.checkArgs(ctx)
	if err != nil {
		return err
	}
	r, err := c.guard.Check(ctx.Context, name, strings.TrimPrefix(to, "v"))
	if err != nil {
		return err
	}
	if ctx.String("format") == "json" {
		if err := c.out.JSON(r); err != nil {
			return err
		}
	} else {
		PrintCheck(c.out, r)
	}
	if r.ForYou() {
		return errForYou
	}
	return nil
}

// checkArgs are an app and a version, both as arguments, the version with --to too.
func (c commands) checkArgs(ctx *cli.Context) (name, to string, err error) {
	name, to = c.app, ctx.String("to")
	if ctx.IsSet("to") && to == "" {
		return "", "", say.Hint(errors.New("--to is empty"), "For example: dokku upgrade-guard:check --to 0.35.5")
	}
	for _, arg := range ctx.Args().Slice() {
		version := app.ValidVersion(strings.TrimPrefix(arg, "v"))
		switch {
		case version && to == "":
			to = arg
		case !version && (name == "" || name == c.app):
			name = arg
		default:
			return "", "", say.Hint(fmt.Errorf("%s takes an app and a version, so not %q", ctx.Command.Name, arg), "For example: dokku upgrade-guard:check my-app 0.38.27")
		}
	}
	return name, to, nil
}

func (c commands) apply(ctx *cli.Context) error {
	name, err := c.appArg(ctx)
	if err != nil {
		return err
	}
	all := ctx.Bool("all")
	if name != "" && all {
		return say.Hint(errors.New("an app or --all, not both"), "See dokku %s --help", ctx.Command.Name)
	}
	if ctx.Bool("dry-run") {
		p, err := c.guard.DryRun(ctx.Context, name, ctx.Bool("guesses"))
		if all {
			c.guard.TakenOver(p.Findings)
		}
		if err == nil && p.Due() {
			return errForYou
		}
		return err
	}
	left, err := guard.Left{}, error(nil)
	switch {
	case all:
		left, err = c.guard.ApplyAll(ctx.Context, ctx.Bool("guesses"), c.asking(ctx))
	case name == "":
		left, err = c.guard.Apply(ctx.Context, ctx.Bool("guesses"))
	default:
		left, err = c.guard.ApplyTo(ctx.Context, name, ctx.Bool("guesses"))
	}
	if err == nil && left.ForYou() {
		return errForYou
	}
	return err
}

func (c commands) snapshot(ctx *cli.Context) error {
	if err := c.noArgs(ctx); err != nil {
		return err
	}
	m, err := c.guard.Snapshot(ctx.Context, ctx.String("label"))
	if err != nil {
		return err
	}
	if c.out.Quiet {
		c.out.Value("%s", m.ID)
	}
	return nil
}

func (c commands) rename(ctx *cli.Context) error {
	if ctx.NArg() != 2 {
		return say.Hint(errors.New("two names are needed, the old and the new one"), "For example: dokku upgrade-guard:rename my_app my-app")
	}
	return c.guard.Rename(ctx.Context, ctx.Args().Get(0), ctx.Args().Get(1),
		guard.RenameOptions{DryRun: ctx.Bool("dry-run"), WithStop: ctx.Bool("with-stop"), Ask: c.asking(ctx)})
}
