package say

import (
	"strings"
	"unicode/utf8"
)

// Table prints rows of cells below one another, each line with the prefix. Where they are
// wider than the line the last column is broken into several lines, at its blanks, so that
// nothing of it is cut off. Each cell has the look that look gives it; nil gives none.
func (p *Printer) Table(prefix string, rows [][]string, look func(row, column int) Look) {
	if len(rows) == 0 {
		return
	}
	cells := make([][]string, len(rows))
	var widths []int
	for i, row := range rows {
		for j, cell := range row {
			if cell = shown(cell); p.ASCII {
				cell = ascii(cell) // before it is measured
			}
			cells[i] = append(cells[i], cell)
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range cells {
		line, plain := prefix, utf8.RuneCountInString(prefix)
		for j, cell := range row {
			pad := strings.Repeat(" ", widths[j]+2-utf8.RuneCountInString(cell))
			var more []string
			if j == len(row)-1 {
				pad = ""
				if list := wrapped(cell, p.Width-plain); p.Width > 0 && len(list) > 1 {
					cell, more = list[0], list[1:]
				}
			}
			if look != nil && p.OutColour {
				line += look(i, j).of(cell) + pad
			} else {
				line += cell + pad
			}
			for k, l := range more {
				if k == 0 {
					p.print(p.Out, line)
				}
				line = strings.Repeat(" ", plain) + l
				if k < len(more)-1 {
					p.print(p.Out, line)
				}
			}
			plain += utf8.RuneCountInString(cell) + len(pad)
		}
		p.print(p.Out, line)
	}
}
