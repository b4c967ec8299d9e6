package report

import (
	"fmt"
	"math"
	"slices"
)

// picture is what to look at first: services by layouts, every cell a bar of
// incident time on one scale, and beside them what really happened.
type picture struct {
	Ticks    []tick
	Sums     [][]string // how the services of each layout fared, counted
	Happened bool       // there is a column of what really happened
	Rows     []pictureRow
	Facts    []pictureRow // data and people: text alone
}

// tick is a mark on a scale, in percent of its length.
type tick struct {
	At    float64
	Label string
}

type pictureRow struct {
	Name, Detail string
	Cells        []pictureCell
	Happened     *pictureCell
}

// pictureCell is how one service fared in one layout. What was waited (replayed)
// is drawn and written; what software took (measured) is only written, because
// it is on the other clock.
type pictureCell struct {
	Kind   string  // held, alone, waited, lost, real, none
	Width  float64 // percent of the scale; 0: no bar
	Text   string
	Then   string
	Note   string
	Source string
}

// pictureOf draws the run.
func pictureOf(run *Run) picture {
	s := scaleOf(run)
	p := picture{Ticks: s.ticks()}
	for _, name := range names(run, probeNames) {
		row := pictureRow{Name: name}
		for _, l := range run.Layouts {
			row.Cells = append(row.Cells, s.cell(l, name))
		}
		if c, ok := happened(run, name); ok {
			if c.Name != "" && c.Name != name {
				row.Name, row.Detail = c.Name, name
			}
			row.Happened = &pictureCell{Kind: "real", Width: s.at(c.HappenedS), Text: Long(seconds(c.HappenedS)), Source: c.Source}
			p.Happened = true
		}
		p.Rows = append(p.Rows, row)
	}
	for i := range run.Layouts {
		p.Sums = append(p.Sums, sum(p.Rows, i))
	}
	p.Facts = append(ledgerFacts(run), loadFacts(run)...)
	return p
}

// sum counts how the services of layout i fared.
func sum(rows []pictureRow, i int) []string {
	n := map[string]int{}
	for _, r := range rows {
		n[r.Cells[i].Kind]++
	}
	var parts []string
	for _, k := range []struct{ kind, text string }{
		{"lost", "dark to the end"}, {"waited", "waited for power or people"}, {"alone", "back alone"}, {"held", "held"}, {"none", "not measured"},
	} {
		if n[k.kind] > 0 {
			parts = append(parts, Count(n[k.kind])+" "+k.text)
		}
	}
	return parts
}

// scale is incident time from nothing to its longest, as a square root: minutes
// still show beside days.
type scale struct{ longest float64 }

func scaleOf(run *Run) scale {
	s := scale{}
	for _, l := range run.Layouts {
		for _, c := range l.Compare {
			s.longest = max(s.longest, c.HappenedS)
		}
		for _, p := range l.Probes {
			for _, o := range p.Outages {
				s.longest = max(s.longest, o.GatedIncidentS)
			}
		}
	}
	s.longest *= 1.1 // room for the last label
	return s
}

// at is percent of the scale.
func (s scale) at(incident float64) float64 {
	if s.longest <= 0 || incident <= 0 {
		return 0
	}
	return 100 * math.Sqrt(min(incident/s.longest, 1))
}

// ticks are round lengths that leave room for their labels, from the longest down.
func (s scale) ticks() []tick {
	const minute, hour, day, room = 60, 3600, 86400, 22
	var out []tick
	for _, length := range []float64{60 * day, 30 * day, 14 * day, 7 * day, 4 * day, 2 * day, day, 10 * hour, 4 * hour, hour, 20 * minute, 5 * minute, minute} {
		at := s.at(length)
		if length <= s.longest && (len(out) == 0 || out[len(out)-1].At-at >= room) && at >= room/4 {
			out = append(out, tick{at, Long(seconds(length))})
		}
	}
	slices.Reverse(out)
	return out
}

// cell is the worst outage of a probe.
func (s scale) cell(l Layout, name string) pictureCell {
	p, ok := l.probe(name)
	if !ok || p.Samples == 0 {
		return pictureCell{Kind: "none", Text: "not measured"}
	}
	o, n := p.worst()
	if n == 0 {
		return pictureCell{Kind: "held", Text: "held", Then: Percent(p.Availability) + " answered"}
	}
	c := pictureCell{Note: failedNote(l, name)}
	if n > 1 {
		c.Source = fmt.Sprintf("the worst of %d outages", n)
	}
	gated := o.Gate != "none" && o.Gate != ""
	switch {
	case o.OwnWallS == nil:
		c.Kind, c.Width, c.Text, c.Then = "lost", 100, "dark to the end", "from "+o.From
	case gated:
		c.Kind, c.Width, c.Text = "waited", max(s.at(o.GatedIncidentS), 1), Long(seconds(o.GatedIncidentS))
		c.Then = "own " + ownText(o, 1) + " (measured)"
	default:
		c.Kind, c.Text, c.Then = "alone", "waited for nothing", "own "+ownText(o, 1)+" (measured)"
	}
	return c
}

// failedNote says that a limit of the file was missed, in words: colour alone is
// lost in print.
func failedNote(l Layout, probe string) string {
	for _, j := range l.Expect {
		if j.Name == probe+".gated" && !j.OK && j.Doubt == "" {
			return "limit: " + j.Limit
		}
	}
	for _, j := range l.Expect {
		if j.Name == probe+".own" && !j.OK && j.Doubt == "" {
			return "limit: own " + j.Limit
		}
	}
	return ""
}
