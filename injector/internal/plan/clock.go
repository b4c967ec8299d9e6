package plan

import (
	"math/bits"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
)

// stretches lays the clock's pace end to end. Without a pace one minute of the
// incident takes one minute, up to the last thing that the file names.
func stretches(exp *experiments.Experiment) []Stretch {
	var out []Stretch
	from, start := experiments.Instant(0), time.Duration(0)
	for _, p := range exp.Clock.Pace {
		s := Stretch{From: from, To: p.To, Start: start, End: start + time.Duration(p.Takes)}
		out = append(out, s)
		from, start = s.To, s.End
	}
	if len(out) == 0 {
		last := lastInstant(exp)
		out = append(out, Stretch{To: last, End: time.Duration(last)})
	}
	return out
}

// lastInstant is the last moment that stages, restores, runbook and surges name. It is
// asked only of a clock without pace, where a wall duration is incident time.
func lastInstant(exp *experiments.Experiment) (last experiments.Instant) {
	for _, s := range exp.Stages {
		last = max(last, s.At)
		for _, f := range s.Faults {
			if f.Until != nil {
				last = max(last, *f.Until)
			}
			last = max(last, s.At+experiments.Instant(f.For))
			for _, r := range f.Restore {
				last = max(last, r.At)
			}
		}
	}
	for _, s := range exp.Runbook {
		last = max(last, s.At)
	}
	return max(last, lastSurge(exp))
}

// WallAt is when an instant of the incident comes, in wall time from T0.
// Before the clock's start it is 0, after its last instant the plan's end.
func (p *Plan) WallAt(i experiments.Instant) time.Duration {
	for _, s := range p.Pace {
		if i <= s.To {
			return s.Start + scale(time.Duration(i-s.From), s.End-s.Start, time.Duration(s.To-s.From))
		}
	}
	return p.End
}

// IncidentAt is the instant of the incident at a wall time from T0: the inverse
// of WallAt. Before T0 it is the clock's start, after the end its last instant.
func (p *Plan) IncidentAt(wall time.Duration) experiments.Instant {
	for _, s := range p.Pace {
		if wall <= s.End {
			return s.From + experiments.Instant(scale(wall-s.Start, time.Duration(s.To-s.From), s.End-s.Start))
		}
	}
	return p.last()
}

// last is the last instant of the clock.
func (p *Plan) last() experiments.Instant {
	if len(p.Pace) == 0 {
		return 0
	}
	return p.Pace[len(p.Pace)-1].To
}

// scale is d*num/den without overflow, rounded to the nearest nanosecond.
func scale(d, num, den time.Duration) time.Duration {
	if d <= 0 || den <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(d), uint64(num))
	lo, carry := bits.Add64(lo, uint64(den)/2, 0)
	q, _ := bits.Div64(hi+carry, lo, uint64(den))
	return time.Duration(q)
}
