package report

import (
	"fmt"
	"strings"
)

// bar is a stretch on a lane; From and Width are percent of the lane.
type bar struct {
	From, Width float64
	Class       string
	Title       string
}

// lane is one row under the curve, on the same time axis.
type lane struct {
	Name string
	Bars []bar
}

// axis is the stretch of wall time, in seconds from T0, that a chart shows.
type axis struct{ From, To float64 }

// lead is how much of the time before T0 a chart shows; before that the services
// may still have been starting.
const lead = -5

func axisOf(l Layout) axis {
	a := axis{0, l.EndS}
	for _, p := range l.Probes {
		for _, pt := range p.Curve {
			a.From, a.To = max(min(a.From, pt.WallS), lead), max(a.To, pt.WallS+0.5)
		}
	}
	if a.To <= a.From {
		a.To = a.From + 1
	}
	return a
}

// bar cuts a stretch to the axis. Nothing gets thinner than can be seen.
func (a axis) bar(from, to float64, class, title string) bar {
	from, to = max(from, a.From), min(to, a.To)
	span := a.To - a.From
	return bar{From: 100 * (from - a.From) / span, Width: max(100*(to-from)/span, 0.3), Class: class, Title: title}
}

// lanes are the faults, outages, steps and late windows of a layout.
func lanes(l Layout) []lane {
	a := axisOf(l)
	var out []lane
	for _, g := range faultGroups(l) {
		title := fmt.Sprintf("%s on %s, %.1f s to %.1f s", g.kind, strings.Join(g.hosts, ", "), g.from, g.to)
		out = append(out, lane{Name: g.kind + " " + strings.Join(g.hosts, " "), Bars: []bar{a.bar(g.from, g.to, "fault", title)}})
	}
	for _, p := range l.Probes {
		if len(p.Outages) == 0 {
			continue
		}
		dark := lane{Name: p.Name + " dark"}
		for _, o := range p.Outages {
			dark.Bars = append(dark.Bars, a.outage(o)...)
		}
		out = append(out, dark)
	}
	if len(l.Runbook) > 0 {
		steps := lane{Name: "runbook"}
		for _, s := range l.Runbook {
			steps.Bars = append(steps.Bars, a.bar(s.WallS, s.WallS, "step", s.Name+" at "+Instant(seconds(s.IncidentS))))
		}
		out = append(out, steps)
	}
	if len(l.Late) > 0 {
		late := lane{Name: "not measured"}
		for _, w := range l.Late {
			late.Bars = append(late.Bars, a.bar(w[0], w[1], "late", fmt.Sprintf("clients late, %.1f s to %.1f s", w[0], w[1])))
		}
		out = append(out, late)
	}
	return out
}

// outage is one bar for what it waited for and one for what software took.
func (a axis) outage(o Outage) []bar {
	if o.ToWallS == nil || o.OwnWallS == nil {
		return []bar{a.bar(o.FromWallS, a.To, "own", "from "+o.From+", never came back")}
	}
	gate := *o.ToWallS - *o.OwnWallS
	own := a.bar(gate, *o.ToWallS, "own", "back by itself after "+Wall(seconds(*o.OwnWallS)))
	if gate <= o.FromWallS+0.001 {
		return []bar{own}
	}
	wait := a.bar(o.FromWallS, gate, "gated", "waited "+Long(seconds(o.GatedIncidentS))+" of the incident for "+o.GateDetail)
	return []bar{wait, own}
}
