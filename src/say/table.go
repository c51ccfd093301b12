package say

import (
	"strings"
	"unicode/utf8"
)

// Table prints rows of cells below one another, each line with the prefix. Where they are
// wider than the line, cells are broken at their blanks, those of the widest column first.
// Nothing is cut off: what has no place in its column has a line of its own. Each cell
// has the look that look gives it; nil gives none.
func (p *Printer) Table(prefix string, rows [][]string, look func(row, column int) Look) {
	cells := make([][]string, len(rows))
	for i, row := range rows {
		for _, cell := range row {
			if cell = shown(cell); p.ASCII {
				cell = ascii(cell) // before it is measured
			}
			cells[i] = append(cells[i], cell)
		}
	}
	widths := p.widths(utf8.RuneCountInString(prefix), cells)
	for i, row := range cells {
		p.row(prefix, row, widths, func(column int, text string) string {
			if look == nil || !p.OutColour {
				return text
			}
			return look(i, column).of(text)
		})
	}
}

// widest is as much as a word widens a column: the name of an app has 80 columns for itself
// where it needs them.
const widest = 32

// widths are those of the columns.
func (p *Printer) widths(prefix int, cells [][]string) []int {
	var widths, least []int
	for _, row := range cells {
		for j, cell := range row {
			if j == len(widths) {
				widths, least = append(widths, 0), append(least, 0)
			}
			if p.Width == 0 {
				widths[j] = max(widths[j], utf8.RuneCountInString(cell))
				continue
			}
			natural := -1
			for _, w := range strings.Fields(cell) {
				if n := utf8.RuneCountInString(w); n <= widest {
					natural, least[j] = natural+1+n, max(least[j], n)
				}
			}
			widths[j] = max(widths[j], natural)
		}
	}
	if p.Width == 0 || len(widths) == 0 {
		return widths
	}
	room := func() int {
		n := prefix + 2*(len(widths)-1)
		for _, w := range widths {
			n += w
		}
		return n
	}
	for room() > p.Width {
		column := -1
		for j := range widths {
			if widths[j] > least[j] && (column < 0 || widths[j] >= widths[column]) {
				column = j
			}
		}
		if column < 0 {
			last := len(widths) - 1
			widths[last] = max(8, widths[last]-room()+p.Width)
			break
		}
		widths[column]--
	}
	return widths
}

// row prints a row, in as many lines as its cells need.
func (p *Printer) row(prefix string, cells []string, widths []int, paint func(column int, text string) string) {
	lines := make([][]string, len(cells))
	var below []string
	for j, cell := range cells {
		if p.Width == 0 {
			lines[j] = []string{cell}
			continue
		}
		for _, w := range strings.Fields(cell) {
			n, last := utf8.RuneCountInString(w), len(lines[j])-1
			switch {
			case n > widths[j] && j == 0: // above the others
				p.print(p.Out, prefix+paint(j, w))
			case n > widths[j]:
				below = append(below, w)
			case last >= 0 && utf8.RuneCountInString(lines[j][last])+1+n <= widths[j]:
				lines[j][last] += " " + w
			default:
				lines[j] = append(lines[j], w)
			}
		}
	}
	for n, more := 0, true; more; n++ {
		line, plain := prefix, 0
		more = false
		for j := range cells {
			text := ""
			if n < len(lines[j]) {
				text = lines[j][n]
				more = more || n+1 < len(lines[j])
			}
			line += strings.Repeat(" ", plain) + paint(j, text)
			plain = widths[j] + 2 - utf8.RuneCountInString(text)
		}
		p.print(p.Out, line)
	}
	if len(below) > 0 {
		p.lines(p.Out, prefix+"    ", strings.Join(below, " "))
	}
}
