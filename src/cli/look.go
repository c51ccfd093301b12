package cli

import (
	"slices"

	"upgrade-guard/src/guard"
	"upgrade-guard/src/say"
)

// statusLooks are the looks of the report's table: a status that needs somebody does not
// look like one that is well.
func statusLooks(rows [][]string) func(row, column int) say.Look {
	return func(row, column int) say.Look {
		switch status := rows[row][column]; {
		case column != 1 || !slices.Contains(guard.Statuses, status): // the header
			return say.Normal
		case status == guard.StatusOK || status == guard.StatusRepaired:
			return say.Good
		case status == guard.StatusDown || status == guard.StatusLost:
			return say.Bad
		}
		return say.Warning
	}
}
