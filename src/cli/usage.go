package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/say"
)

// How a command is told to be used: its help, and what is said of a flag that it does not
// have.

func init() { cli.HelpPrinter = printUsage }

// printUsage prints the help of one command, in 80 columns as all else.
func printUsage(w io.Writer, _ string, data any) {
	c, ok := data.(*cli.Command)
	if !ok {
		fmt.Fprint(w, help())
		return
	}
	out := &say.Printer{Out: w, Width: say.Columns}
	out.Result("Usage: %s", strings.TrimSpace("dokku "+c.Name+" "+c.ArgsUsage)+" [<flags>]")
	out.Result("")
	out.Result("%s.", c.Usage)
	out.Result("")
	out.Result("Flags:")
	for _, f := range flagsOf(c) {
		out.Result("    %s", f.title)
		out.Result("        %s", f.usage)
	}
	if c.Description != "" {
		out.Result("")
		for line := range strings.SplitSeq(c.Description, "\n") {
			out.Result("%s", line)
		}
	}
}

type flagUsage struct{ name, title, usage string }

// flagsOf are the flags of a command that are not hidden.
func flagsOf(c *cli.Command) (list []flagUsage) {
	for _, f := range c.Flags {
		visible, ok := f.(cli.VisibleFlag)
		told, has := f.(cli.DocGenerationFlag)
		if !ok || !has || !visible.IsVisible() || f.Names()[0] == "help" {
			continue
		}
		name := f.Names()[0]
		usage, value := told.GetUsage(), name
		if !told.TakesValue() {
			value = ""
		} else {
			if before, quoted, found := strings.Cut(usage, "`"); found {
				var rest string
				value, rest, _ = strings.Cut(quoted, "`")
				usage = before + value + rest
			}
			value = " <" + value + ">"
		}
		list = append(list, flagUsage{"--" + name, "--" + name + value, usage})
	}
	return append(list, flagUsage{"--help", "--help", "this"})
}

// noFlag is the error of a flag that a command does not have, as the library words it, or
// of how it is given.
func noFlag(c *cli.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return say.Hint(err, "See dokku %s --help", c.Name)
	}
	var names []string
	for _, f := range flagsOf(c) {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return say.Hint(fmt.Errorf("%s has no flag --%s", c.Name, strings.TrimPrefix(name, "-")), "It has %s. See dokku %s --help", strings.Join(names, ", "), c.Name)
}

// noValue is the error of a flag that needs a value and has none.
func noValue(c *cli.Command, name string) error {
	return say.Hint(fmt.Errorf("--%s needs a value", name), "See dokku %s --help", c.Name)
}
