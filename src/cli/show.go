package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/host"
	"upgrade-guard/src/say"
)

func (c commands) showCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "What a snapshot holds: its apps, or the files at a path, without what may be a secret", ArgsUsage: "<id>|latest|live/<app> [<path>]",
		Flags: []cli.Flag{formatFlag(), &cli.BoolFlag{Name: "raw", Usage: "the bytes of the one file at the path, as they are; not to a terminal"}}, Action: c.show,
	}
}

func (c commands) show(ctx *cli.Context) error {
	args := ctx.Args().Slice()
	hint := "dokku upgrade-guard:show latest blog"
	if len(args) == 0 || len(args) > 2 {
		return say.Hint(errors.New("a snapshot is needed, and perhaps a path in it"), "%s", hint)
	}
	id, path := args[0], strings.Join(args[1:], "")
	if ctx.Bool("raw") {
		switch {
		case path == "" || ctx.String("format") == "json":
			return say.Hint(errors.New("--raw is for the bytes of one file"), "dokku upgrade-guard:show latest blog/VHOST --raw")
		case host.Terminal(c.out.Out):
			return say.Hint(errors.New("a terminal is not shown what may be a secret, or do as it says"), "dokku upgrade-guard:show %s --raw > file", say.Command(id, path))
		}
		data, err := c.guard.ShowRaw(id, path)
		if err != nil {
			return err
		}
		_, err = c.out.Out.Write(data)
		return err
	}
	s, err := c.guard.Show(id, path)
	if err != nil {
		return err
	}
	if ctx.String("format") == "json" {
		return c.out.JSON(s)
	}
	printShown(c.out, s)
	return nil
}

func printShown(out *say.Printer, s guard.Shown) {
	if s.Files != nil {
		printFiles(out, s.Files)
		return
	}
	out.Title("%s, taken %s of Dokku %s", s.ID, s.Time.Format("2006-01-02 15:04 UTC"), s.Dokku)
	if s.From != "" {
		out.Result("       From %s%s %s", s.From, withCode(s.Repositories), strings.Join(s.Repositories, " "))
	}
	rows := [][]string{{"APP", "SCALE", "DOMAINS", "PORTS", "FILES"}}
	for _, a := range s.Apps {
		rows = append(rows, []string{a.App, orNone(a.Scale), orNone(strings.Join(a.Domains, " ")), orNone(strings.Join(a.Ports, " ")), strconv.Itoa(a.Files)})
	}
	out.Table("       ", rows, nil)
	for _, i := range s.Incomplete {
		out.Trouble("It is incomplete: %s", i)
	}
	for _, l := range s.LeftOut {
		out.Trouble("%s", l)
	}
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// printFiles prints a line for each file, and below an environment its variables.
func printFiles(out *say.Printer, files []guard.ShownFile) {
	rows := [][]string{{"PATH", "SIZE", "HOLDS"}}
	for _, f := range files {
		holds := f.Text
		switch {
		case f.Error != "":
			holds = "not captured: " + f.Error
		case f.Link != "":
			holds = "a link to " + f.Link
		case len(f.Variables) > 0:
			holds = say.Plural(len(f.Variables), "variable")
		case f.Fingerprint == "" && holds == "":
			holds = f.Mode
		case holds == "":
			holds = "fingerprint " + f.Fingerprint
		}
		rows = append(rows, []string{f.Path, strconv.Itoa(f.Size), holds})
		for _, v := range f.Variables {
			rows = append(rows, []string{"  " + v.Name, "", fmt.Sprintf("fingerprint %s", orNone(v.Fingerprint))})
		}
	}
	out.Table("", rows, nil)
}
