package cli

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/say"
)

// snapshotLine is one snapshot in JSON.
type snapshotLine struct {
	ID     string `json:"id"`
	Dokku  string `json:"dokku"`
	Reason string `json:"reason"`
	Label  string `json:"label,omitempty"`
	// From is the host that it comes from, where that is not this one.
	From string `json:"from,omitempty"`
	// Repositories are the apps whose code lies beside it.
	Repositories []string `json:"repositories,omitempty"`
	Time         string   `json:"time"`
	Size         int64    `json:"size"`
	State        string   `json:"state,omitempty"` // whole or damaged, with --verify
	Error        string   `json:"error,omitempty"`
	// LeftOut says what of it no restore would take.
	LeftOut []string `json:"left_out,omitempty"`
	Future  bool     `json:"future,omitempty"` // dated beyond tomorrow
}

func (c commands) snapshots(ctx *cli.Context) error {
	if err := c.noArgs(ctx); err != nil {
		return err
	}
	list, err := c.guard.Store.All()
	if err != nil {
		return err
	}
	lines := []snapshotLine{}
	var errs *multierror.Error
	for i, e := range list {
		l := snapshotLine{ID: e.ID, Dokku: e.Dokku, Reason: e.Reason, Label: e.Label, Time: e.Time.Format("2006-01-02T15:04:05Z"), Size: e.Size, Future: e.Future}
		if e.From != "" {
			l.From, l.Repositories = c.guard.Store.Origin(e.ID), c.guard.Store.Repositories(e.ID)
		}
		if ctx.Bool("verify") {
			if ctx.String("format") != "json" {
				c.out.Step("[%d/%d] %s", i+1, len(list), e.ID)
			}
			l.State = "whole"
			m, err := c.guard.Store.Verify(e.ID)
			if err != nil {
				l.State, l.Error = "damaged", say.Line(err)
				errs = multierror.Append(errs, err)
			}
			for _, l := range m.Refused {
				errs = multierror.Append(errs, errors.New(l))
			}
			l.LeftOut = m.Refused
		}
		lines = append(lines, l)
	}
	if ctx.String("format") == "json" {
		if err := c.out.JSON(map[string]any{"version": guard.JSONVersion, "upgrade_guard": c.guard.Version, "snapshots": lines}); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for i, l := range lines {
			row := []string{l.ID, list[i].Time.Format("2006-01-02 15:04 UTC"), fmt.Sprintf("%d KiB", (l.Size+1023)/1024), l.State}
			if l.From != "" {
				row = append(row, "from "+l.From+withCode(l.Repositories))
			}
			if l.Future {
				row = append(row, "dated ahead of now: never taken for the newest")
			}
			rows = append(rows, row)
		}
		if len(rows) == 0 {
			c.out.Detail("There is none. To take one: dokku upgrade-guard:snapshot")
		}
		if len(rows) > 0 && !c.out.Quiet {
			header := []string{"SNAPSHOT", "TAKEN", "SIZE"}
			if ctx.Bool("verify") {
				header = append(header, "STATE")
			}
			rows = append([][]string{header}, rows...)
		}
		c.out.Table("", rows, func(row, column int) say.Look {
			if column == 3 && rows[row][column] == "damaged" {
				return say.Bad
			}
			return say.Normal
		})
		if errs != nil {
			c.out.Trouble("%s", errs) // without the hint to come here
		}
	}
	if errs != nil {
		return errForYou
	}
	return nil
}

// withCode says whose code lies beside a snapshot.
func withCode(apps []string) string {
	if len(apps) == 0 {
		return ", without code"
	}
	return ", with the code of " + say.Plural(len(apps), "app")
}
