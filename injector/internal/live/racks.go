package live

import (
	"fmt"
	"strings"
)

// legend explains the blocks and counts them.
func (f frame) legend() string {
	count := map[condition]int{}
	for _, h := range f.s.hosts {
		count[h.condition()]++
	}
	var out []string
	for _, c := range []condition{on, dark, booting, faulted, missing} {
		if c == missing && count[c] == 0 {
			continue
		}
		out = append(out, f.block(" "+letters[c]+" ", c)+fmt.Sprintf(" %s %d", conditions[c], count[c]))
	}
	return f.bold("RACKS") + "  " + strings.Join(out, "  ")
}

// racks draws the map of racks, a site a row: each host by name and letter.
// Sites that are too wide take more rows, one rack at least in each.
func (f frame) racks() []string {
	all := sites(f.s.inv)
	label := 0
	for _, s := range all {
		label = max(label, width(s.name))
	}
	label = min(label, 12) + 1
	var out []string
	for _, s := range all {
		row, head := "", s.name
		for _, r := range s.racks {
			cells := f.cells(r, func(name string, letter string) string { return " " + name + " " + letter + " " })
			if row != "" && label+width(row)+2+width(cells) > f.columns {
				out = append(out, pad(head, label)+row)
				row, head = "", ""
			}
			if row != "" {
				row += "  "
			}
			row += cells
		}
		out = append(out, pad(head, label)+row)
	}
	return out
}

// fewRacks draws the same with letters only and sites side by side.
func (f frame) fewRacks() []string {
	var out []string
	row := ""
	for _, s := range sites(f.s.inv) {
		text := s.name
		for _, r := range s.racks {
			text += " " + f.cells(r, func(_, letter string) string { return letter })
		}
		if row != "" && width(row)+3+width(text) > f.columns {
			out = append(out, row)
			row = ""
		}
		if row != "" {
			row += "   "
		}
		row += text
	}
	return append(out, row)
}

// cells draws the hosts of one rack; in between they touch only where the
// background tells them apart.
func (f frame) cells(r rack, cell func(name, letter string) string) string {
	var out []string
	for _, name := range r.hosts {
		c := f.s.hosts[name].condition()
		out = append(out, f.block(cell(name, letters[c]), c))
	}
	return strings.Join(out, "")
}
