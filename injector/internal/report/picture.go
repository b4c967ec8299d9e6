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
	Happened bool // there is a column of what really happened
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
		if c, ok := compared(run, name); ok {
			if c.Name != "" && c.Name != name {
				row.Name, row.Detail = c.Name, name
			}
			row.Happened = &pictureCell{Kind: "real", Width: s.at(c.HappenedS), Text: Long(seconds(c.HappenedS)), Source: c.Source}
			p.Happened = true
		}
		p.Rows = append(p.Rows, row)
	}
	p.Facts = append(ledgerFacts(run), loadFacts(run)...)
	return p
}

// compared is the incident's own figure for a probe.
func compared(run *Run, probe string) (Compare, bool) {
	for _, l := range run.Layouts {
		if i := slices.IndexFunc(l.Compare, func(c Compare) bool { return c.Probe == probe }); i >= 0 {
			return l.Compare[i], true
		}
	}
	return Compare{}, false
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
