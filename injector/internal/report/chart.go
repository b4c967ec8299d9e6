package report

import "sort"

// chart is what the page's script draws for one layout.
type chart struct {
	Name   string       `json:"name"`
	Axis   [2]float64   `json:"axis"`
	X      []float64    `json:"x"`
	Probes []chartLine  `json:"probes"`
	Stages []chartMark  `json:"stages"`
	Steps  []chartMark  `json:"steps"`
	Dark   [][2]float64 `json:"dark"`
	Pace   []Stretch    `json:"pace"`
}

type chartLine struct {
	Name string     `json:"name"`
	Y    []*float64 `json:"y"` // percent; null where nothing was measured
}

type chartMark struct {
	At    float64 `json:"at"`
	Label string  `json:"label"`
}

// chartOf brings all probes of a layout onto one time axis.
func chartOf(l Layout) chart {
	a := axisOf(l)
	c := chart{Name: l.Name, Axis: [2]float64{a.From, a.To}, X: []float64{}, Probes: []chartLine{}, Stages: []chartMark{}, Steps: []chartMark{}, Dark: [][2]float64{}, Pace: l.Pace}
	at := map[float64]bool{}
	for _, p := range l.Probes {
		for _, pt := range p.Curve {
			if !at[pt.WallS] {
				at[pt.WallS] = true
				c.X = append(c.X, pt.WallS)
			}
		}
	}
	sort.Float64s(c.X)
	for _, p := range l.Probes {
		values := map[float64]float64{}
		for _, pt := range p.Curve {
			values[pt.WallS] = 100 * pt.Availability
		}
		line := chartLine{Name: p.Name, Y: make([]*float64, len(c.X))}
		for i, x := range c.X {
			if y, ok := values[x]; ok {
				line.Y[i] = &y
			}
		}
		c.Probes = append(c.Probes, line)
		for _, o := range p.Outages {
			to := a.To
			if o.ToWallS != nil {
				to = *o.ToWallS
			}
			c.Dark = append(c.Dark, [2]float64{o.FromWallS, to})
		}
	}
	for i, s := range l.Stages {
		c.Stages = append(c.Stages, chartMark{At: s.WallS, Label: Count(i + 1)})
	}
	for _, s := range l.Runbook {
		c.Steps = append(c.Steps, chartMark{At: s.WallS, Label: s.Name})
	}
	return c
}
