package report

import (
	"fmt"
	"slices"
)

// ledgerFacts are what became of the acknowledged writes, for the picture.
func ledgerFacts(run *Run) []pictureRow {
	var out []pictureRow
	for _, name := range names(run, ledgerNames) {
		row := pictureRow{Name: name, Detail: "numbered writes"}
		for _, l := range run.Layouts {
			row.Cells = append(row.Cells, ledgerFact(l, name))
		}
		out = append(out, row)
	}
	return out
}

func ledgerFact(l Layout, name string) pictureCell {
	i := slices.IndexFunc(l.Ledgers, func(g Ledger) bool { return g.Name == name })
	if i < 0 {
		return pictureCell{Kind: "none", Text: "not audited"}
	}
	g := l.Ledgers[i]
	c := pictureCell{Kind: "held", Text: "none lost", Then: "of " + Count(g.Acknowledged) + " acknowledged"}
	if g.Unaccounted > 0 {
		c.Kind, c.Text = "lost", Count(g.Unaccounted)+" not accounted for"
	}
	if g.Lost > 0 {
		c.Kind, c.Text = "lost", Count(g.Lost)+" lost for good"
	}
	if g.Elsewhere > 0 {
		c.Note = Count(g.Elsewhere) + " more only on another site's disk"
	}
	return c
}

func loadFacts(run *Run) []pictureRow {
	var out []pictureRow
	loads := func(l Layout) []string {
		var found []string
		for _, d := range l.Loads {
			found = append(found, d.Name)
		}
		return found
	}
	for _, name := range names(run, loads) {
		row := pictureRow{Name: name, Detail: "load, not judged"}
		for _, l := range run.Layouts {
			c := pictureCell{Kind: "none", Text: "not offered"}
			if i := slices.IndexFunc(l.Loads, func(d Load) bool { return d.Name == name }); i >= 0 {
				c = loadFact(l.Loads[i])
			}
			row.Cells = append(row.Cells, c)
		}
		out = append(out, row)
	}
	return out
}

func loadFact(d Load) pictureCell {
	c := pictureCell{Kind: "fact", Text: "nothing asked"}
	if d.Requests > 0 {
		c.Text = Percent(float64(d.Answered)/float64(d.Requests)) + " answered"
		c.Then = "of " + Count(d.Requests) + " requests"
	}
	if d.MostMoved > 0 {
		c.Note = fmt.Sprintf("%s of %s people at the rival at once", Count(d.MostMoved), Count(d.Users))
	}
	return c
}
