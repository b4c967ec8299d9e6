package judge

import (
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// bucket is the width of one point of a curve.
const bucket = 500 * time.Millisecond

// counts are the samples of the judged stretch.
type counts struct {
	sound, ok, late int
	latencies       []time.Duration
}

func (c counts) availability() float64 {
	if c.sound == 0 {
		return 0
	}
	return float64(c.ok) / float64(c.sound)
}

func (c *counts) add(s probe.Sample, late []probe.Window) {
	if s.Late(late) {
		c.late++
		return
	}
	c.sound++
	if s.OK {
		c.ok++
		c.latencies = append(c.latencies, s.Latency)
	}
}

// count counts what was due between the first stage and the last revert.
func (l *layout) count(name string) counts {
	var c counts
	for _, s := range l.byProbe[name] {
		if at := l.wall(s.Due); at >= l.first && at <= l.reverted {
			c.add(s, l.in.Late)
		}
	}
	return c
}

// probe is the probe's part of the report.
func (l *layout) probe(name string) report.Probe {
	c := l.count(name)
	p := report.Probe{
		Name: name, Availability: c.availability(), Samples: len(l.byProbe[name]),
		P99MS: ms(probe.Quantile(c.latencies, 0.99)), LateS: l.lateTime().Seconds(),
		Outages: []report.Outage{}, Curve: l.curve(name),
	}
	for _, o := range l.cuts[name] {
		p.Outages = append(p.Outages, l.reported(o))
	}
	return p
}

// curve has one point for each bucket in which something was measured. A good
// answer stands where it came, a failure where it was asked: a request that hung
// until the service was back must not look as if it had been served before. A
// bucket in which requests hung and none was answered is dark.
func (l *layout) curve(name string) []report.Point {
	buckets, hung := map[int]*counts{}, map[int]bool{}
	first, last := 0, -1
	for i, s := range l.byProbe[name] {
		asked := floor(l.wall(s.Due), bucket)
		at := asked
		if s.OK {
			at = max(at, floor(l.wall(s.End()), bucket))
		}
		if i == 0 {
			first, last = asked, at
		}
		first, last = min(first, asked), max(last, at)
		if buckets[at] == nil {
			buckets[at] = &counts{}
		}
		buckets[at].add(s, l.in.Late)
		for ; asked < at; asked++ {
			hung[asked] = true
		}
	}
	points := []report.Point{}
	for at := first; at <= last; at++ {
		c := buckets[at]
		if c == nil {
			c = &counts{}
		}
		if c.sound > 0 || hung[at] {
			points = append(points, report.Point{
				WallS:        (time.Duration(at) * bucket).Seconds(),
				Availability: c.availability(),
				P99MS:        ms(probe.Quantile(c.latencies, 0.99)),
			})
		}
	}
	return points
}

// floor divides and rounds down, below zero too.
func floor(a, b time.Duration) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return int(q)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
