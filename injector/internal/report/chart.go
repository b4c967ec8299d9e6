package report

import (
	"math"
	"slices"
	"time"
)

// chart is what the page's script draws for one layout, and what it reads out at
// a moment.
type chart struct {
	Name   string      `json:"name"`
	Axis   [2]float64  `json:"axis"`
	Start  int64       `json:"start"`  // of the incident, Unix seconds as its own wall clock showed them; 0: none
	X      []float64   `json:"x"`      // wall seconds
	Mean   []*float64  `json:"mean"`   // percent of requests answered, all probes alike; null where nothing was measured
	Probes []chartDark `json:"probes"` // when each was dark
	Stages []chartMark `json:"stages"`
	Steps  []chartMark `json:"steps"`
	Hosts  []chartHost `json:"hosts"`
	Loads  []chartLoad `json:"loads"`
	Pace   []Stretch   `json:"pace"`
	// Ledgers share one curve: writes acknowledged in each second from T0.
	Ledgers []chartLedger `json:"ledgers"`
}

type chartLedger struct {
	Name         string `json:"name"`
	Sent         []int  `json:"sent"`
	Acknowledged []int  `json:"acknowledged"`
}

type chartDark struct {
	Name string       `json:"name"`
	Dark [][2]float64 `json:"dark"`
}

type chartMark struct {
	At    float64 `json:"at"`
	Label string  `json:"label"`
	Name  string  `json:"name"`
}

type chartHost struct {
	Name string       `json:"name"`
	Base string       `json:"base"` // its state where nothing else is the case
	Dark [][2]float64 `json:"dark"`
	Hit  []chartHit   `json:"hit"` // faults besides loss of power
}

type chartHit struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	Kind string  `json:"kind"`
}

type chartLoad struct {
	Name     string       `json:"name"`
	X        []float64    `json:"x"`
	Requests []int        `json:"requests"`
	Answered []int        `json:"answered"`
	Moved    []int        `json:"moved"` // empty: there is no rival
	Surges   [][2]float64 `json:"surges"`
}

// chartOf brings a layout onto the run's time axis.
func chartOf(l Layout, a axis, start time.Time) chart {
	c := chart{Name: l.Name, Axis: [2]float64{a.From, a.To}, Probes: []chartDark{}, Stages: []chartMark{}, Steps: []chartMark{}, Hosts: []chartHost{}, Loads: []chartLoad{}, Ledgers: []chartLedger{}, Pace: l.Pace}
	if !start.IsZero() {
		_, offset := start.Zone()
		c.Start = start.Unix() + int64(offset)
	}
	c.X, c.Mean = mean(l.Probes, a)
	for _, p := range l.Probes {
		dark := chartDark{Name: p.Name, Dark: [][2]float64{}}
		for _, o := range p.Outages {
			to := a.To
			if o.ToWallS != nil {
				to = *o.ToWallS
			}
			dark.Dark = append(dark.Dark, [2]float64{o.FromWallS, to})
		}
		c.Probes = append(c.Probes, dark)
	}
	for i, s := range l.Stages {
		c.Stages = append(c.Stages, chartMark{At: s.WallS, Label: Count(i + 1), Name: s.Name})
	}
	for i, s := range l.Runbook {
		c.Steps = append(c.Steps, chartMark{At: s.WallS, Label: letter(i), Name: s.Name})
	}
	for _, h := range l.Hosts {
		c.Hosts = append(c.Hosts, chartHostOf(l, h))
	}
	for _, d := range l.Loads {
		c.Loads = append(c.Loads, chartLoadOf(d))
	}
	for _, w := range l.Ledgers {
		c.Ledgers = append(c.Ledgers, chartLedgerOf(w))
	}
	return c
}

// mean is the share of requests answered over all probes, each counted alike, in
// half seconds: probes do not sample at the same instants.
func mean(probes []Probe, a axis) ([]float64, []*float64) {
	sum, n := map[int]float64{}, map[int]float64{}
	for _, p := range probes {
		for _, pt := range p.Curve {
			if pt.WallS >= a.From {
				k := int(math.Floor(pt.WallS * 2))
				sum[k], n[k] = sum[k]+pt.Availability, n[k]+1
			}
		}
	}
	x, y := []float64{}, []*float64{}
	for k := int(math.Floor(a.From * 2)); k <= int(math.Floor(a.To*2)) && len(n) > 0; k++ {
		x = append(x, float64(k)/2)
		if n[k] == 0 {
			y = append(y, nil)
			continue
		}
		share := math.Floor(1000*sum[k]/n[k]) / 10
		y = append(y, &share)
	}
	return x, y
}

func chartHostOf(l Layout, h Host) chartHost {
	base := stateOn
	if l.missing(h) {
		base = stateMissing
	}
	out := chartHost{Name: h.Name, Base: base, Dark: h.Dark, Hit: []chartHit{}}
	if out.Dark == nil {
		out.Dark = [][2]float64{}
	}
	for _, f := range l.Faults {
		if f.Host == h.Name && f.Kind != powerloss {
			out.Hit = append(out.Hit, chartHit{f.FromWallS, f.ToWallS, f.Kind})
		}
	}
	return out
}

func chartLedgerOf(l Ledger) chartLedger {
	c := chartLedger{Name: l.Name, Sent: []int{}, Acknowledged: []int{}}
	for _, p := range l.Curve {
		c.Sent, c.Acknowledged = append(c.Sent, p.Sent), append(c.Acknowledged, p.Acknowledged)
	}
	return c
}

func chartLoadOf(d Load) chartLoad {
	c := chartLoad{Name: d.Name, X: []float64{}, Requests: []int{}, Answered: []int{}, Moved: []int{}, Surges: [][2]float64{}}
	moves := d.Rival > 0 || d.MostMoved > 0 || slices.ContainsFunc(d.Curve, func(p LoadPoint) bool { return p.Moved > 0 })
	for _, p := range d.Curve {
		c.X, c.Requests, c.Answered = append(c.X, p.WallS), append(c.Requests, p.Requests), append(c.Answered, p.Answered)
		if moves {
			c.Moved = append(c.Moved, p.Moved)
		}
	}
	for _, s := range d.Surges {
		c.Surges = append(c.Surges, [2]float64{s.FromWallS, s.ToWallS})
	}
	return c
}
