package report

import (
	"fmt"
	"slices"
	"strings"
)

// bar is a stretch on a lane; From, Width and Height are percent of the lane,
// Row counts from the top where marks would cover each other.
type bar struct {
	From, Width, Height float64
	Row                 int
	Class               string
	Label               string
	Title               string
}

// lane is one row of a layout's time axis.
type lane struct {
	Name, Detail string
	Class        string
	Rows         int
	Bars         []bar
}

// axis is the stretch of wall time, in seconds from T0, that a layout's time axis
// shows: the same for all layouts of a run.
type axis struct{ From, To float64 }

// lead is how much of the time before T0 a chart shows; before that the services
// may still have been starting.
const lead = -5

func axisOf(layouts []Layout) axis {
	var a axis
	for _, l := range layouts {
		a.To = max(a.To, l.EndS)
		for _, p := range l.Probes {
			for _, pt := range p.Curve {
				a.From, a.To = max(min(a.From, pt.WallS), lead), max(a.To, pt.WallS+0.5)
			}
		}
	}
	if a.To <= a.From {
		a.To = a.From + 1
	}
	return a
}

func (a axis) at(wall float64) float64 { return 100 * (wall - a.From) / (a.To - a.From) }

// bar cuts a stretch to the axis. Nothing gets thinner than can be seen.
func (a axis) bar(from, to float64, class, title string) bar {
	from, to = max(from, a.From), min(to, a.To)
	return bar{From: a.at(from), Width: max(a.at(to)-a.at(from), 0.3), Height: 100, Class: class, Title: title}
}

// lanes are the clock, stages, steps, faults and probes of a layout.
func (a axis) lanes(l Layout) []lane {
	out := []lane{a.clock(l)}
	var stages, steps []bar
	for i, s := range l.Stages {
		stages = append(stages, a.mark(s.WallS, "stage", Count(i+1), s.Name+" at "+Instant(seconds(s.IncidentS))))
	}
	for i, s := range l.Runbook {
		steps = append(steps, a.mark(s.WallS, "step", letter(i), s.Name+" at "+Instant(seconds(s.IncidentS))))
	}
	if len(stages) > 0 {
		out = append(out, spread(lane{Name: "stages", Class: "marks", Bars: stages}, 2.6))
	}
	if len(steps) > 0 {
		out = append(out, spread(lane{Name: "people's steps", Detail: "replayed", Class: "marks", Bars: steps}, 2.6))
	}
	out = append(out, a.faultLanes(l)...)
	for _, p := range l.Probes {
		out = append(out, a.strip(l, p))
	}
	return out
}

func (a axis) mark(at float64, class, label, title string) bar {
	if a.at(at) > 92 { // it would be cut off
		class += " end"
	}
	return bar{From: a.at(at), Height: 100, Class: class, Label: label, Title: title}
}

// letter numbers runbook steps, so that they are not taken for stages.
func letter(i int) string {
	if i >= 26 {
		return letter(i/26-1) + letter(i%26)
	}
	return string(rune('a' + i))
}

// spread puts marks that would cover each other into rows of their own.
func spread(l lane, apart float64) lane {
	var last []float64
	for i, b := range l.Bars {
		row := slices.IndexFunc(last, func(at float64) bool { return b.From-at >= apart })
		if row < 0 {
			row, last = len(last), append(last, 0)
		}
		last[row], l.Bars[i].Row = b.From, row
	}
	l.Rows = len(last)
	return l
}

// clock is incident time along the wall clock's axis.
func (a axis) clock(l Layout) lane {
	const minute, hour, day, room = 60.0, 3600.0, 86400.0, 4.5
	out := lane{Name: "incident clock", Class: "clockticks", Rows: 1}
	if len(l.Pace) == 0 {
		return out
	}
	last := -room
	for _, t := range []float64{0, 10 * minute, 20 * minute, 30 * minute, hour, 2 * hour, 4 * hour, 7 * hour, 10 * hour, 14 * hour, 18 * hour, day, 2 * day, 3 * day, 4 * day, 5 * day, 6 * day, 7 * day, 10 * day, 14 * day} {
		wall, ok := wallAt(l.Pace, t)
		if at := a.at(wall); ok && at-last >= room {
			label := "T+0"
			if t > 0 {
				label = Long(seconds(t))
			}
			out.Bars, last = append(out.Bars, bar{From: at, Class: "tick", Label: label}), at
		}
	}
	return out
}

// wallAt is the wall time of an instant of the incident.
func wallAt(pace []Stretch, incident float64) (float64, bool) {
	for _, s := range pace {
		if incident <= s.ToIncidentS && s.ToIncidentS > s.FromIncidentS {
			return s.FromWallS + (incident-s.FromIncidentS)*(s.ToWallS-s.FromWallS)/(s.ToIncidentS-s.FromIncidentS), true
		}
	}
	return 0, false
}

// faultLanes are one lane for each kind of fault of a stage; the bar is as high
// as the share of its hosts that are under it.
func (a axis) faultLanes(l Layout) []lane {
	groups := map[string][]Fault{}
	var order []string
	for _, f := range l.Faults {
		key := f.Kind + "\x00" + f.Stage
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], f)
	}
	var out []lane
	for _, key := range order {
		g := groups[key]
		out = append(out, lane{Name: g[0].Kind + " ×" + Count(len(g)), Detail: g[0].Stage, Class: "dose", Rows: 1, Bars: a.dose(g)})
	}
	return out
}

func (a axis) dose(faults []Fault) []bar {
	var edges []float64
	for _, f := range faults {
		edges = append(edges, f.FromWallS, f.ToWallS)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	var out []bar
	for i := 1; i < len(edges); i++ {
		var hosts []string
		for _, f := range faults {
			if f.FromWallS <= edges[i-1] && edges[i] <= f.ToWallS {
				hosts = append(hosts, f.Host)
			}
		}
		if len(hosts) > 0 {
			b := a.bar(edges[i-1], edges[i], "fault", fmt.Sprintf("%s on %s, %.1f s to %.1f s", faults[0].Kind, strings.Join(hosts, ", "), edges[i-1], edges[i]))
			b.Height = 100 * float64(len(hosts)) / float64(len(faults))
			out = append(out, b)
		}
	}
	return out
}

// strip is when a probe was up, dark, or not measured.
func (a axis) strip(l Layout, p Probe) lane {
	out := lane{Name: p.Name, Class: "strip", Rows: 1}
	if len(p.Curve) > 0 {
		out.Bars = append(out.Bars, a.bar(p.Curve[0].WallS, p.Curve[len(p.Curve)-1].WallS+0.5, "up", ""))
	}
	for i, pt := range p.Curve {
		if pt.Availability < 1 && !p.darkAt(pt.WallS) && pt.WallS >= a.From && i+1 < len(p.Curve) {
			out.Bars = append(out.Bars, a.bar(pt.WallS, p.Curve[i+1].WallS, "some", fmt.Sprintf("%s at %.1f s", Percent(pt.Availability), pt.WallS)))
		}
	}
	for _, o := range p.Outages {
		out.Bars = append(out.Bars, a.outage(o)...)
	}
	for _, w := range l.Late {
		if w[1] > a.From {
			out.Bars = append(out.Bars, a.bar(w[0], w[1], "late", fmt.Sprintf("clients late, %.1f s to %.1f s", w[0], w[1])))
		}
	}
	return out
}

func (p Probe) darkAt(wall float64) bool {
	return slices.ContainsFunc(p.Outages, func(o Outage) bool {
		return o.FromWallS-0.6 <= wall && (o.ToWallS == nil || wall <= *o.ToWallS)
	})
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
