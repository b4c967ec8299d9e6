package plan

import (
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"pgregory.net/rapid"
)

func drawClock(t *rapid.T) *Plan {
	exp := &experiments.Experiment{}
	to := experiments.Instant(0)
	for range rapid.IntRange(1, 6).Draw(t, "stretches") {
		to += experiments.Instant(rapid.Int64Range(1, int64(300*time.Hour)).Draw(t, "to"))
		takes := experiments.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Hour)).Draw(t, "takes"))
		exp.Clock.Pace = append(exp.Clock.Pace, experiments.Pace{To: to, Takes: takes})
	}
	p := &Plan{Pace: stretches(exp)}
	p.End = p.Pace[len(p.Pace)-1].End
	return p
}

// Wall time never runs backwards while incident time goes on, and the other way round.
func TestClockIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawClock(t)
		a := experiments.Instant(rapid.Int64Range(0, int64(p.last())).Draw(t, "a"))
		b := experiments.Instant(rapid.Int64Range(int64(a), int64(p.last())).Draw(t, "b"))
		if p.WallAt(a) > p.WallAt(b) {
			t.Errorf("%s is at %s, %s at %s", a, p.WallAt(a), b, p.WallAt(b))
		}
		v := time.Duration(rapid.Int64Range(0, int64(p.End)).Draw(t, "v"))
		w := time.Duration(rapid.Int64Range(int64(v), int64(p.End)).Draw(t, "w"))
		if p.IncidentAt(v) > p.IncidentAt(w) {
			t.Errorf("%s is %s, %s is %s", v, p.IncidentAt(v), w, p.IncidentAt(w))
		}
	})
}

// IncidentAt undoes WallAt, but for what a nanosecond of wall time cannot tell apart.
func TestClockInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawClock(t)
		i := experiments.Instant(rapid.Int64Range(0, int64(p.last())).Draw(t, "i"))
		wall := p.WallAt(i)
		fastest := 1.0
		for _, s := range p.Pace {
			fastest = max(fastest, float64(s.To-s.From)/float64(s.End-s.Start))
		}
		if off := float64(p.IncidentAt(wall) - i); off > 2*fastest+2 || off < -2*fastest-2 {
			t.Errorf("%s comes at %s, which is %s", i, wall, p.IncidentAt(wall))
		}
	})
}

func TestClockEdges(t *testing.T) {
	exp := &experiments.Experiment{Clock: experiments.Clock{Pace: []experiments.Pace{
		{To: experiments.Instant(3 * time.Minute), Takes: experiments.Duration(2 * time.Second)},
		{To: experiments.Instant(93 * time.Minute), Takes: experiments.Duration(28 * time.Second)},
	}}}
	p := &Plan{Pace: stretches(exp), End: 30 * time.Second}
	for text, want := range map[string]time.Duration{
		"T+0m": 0, "T+90s": time.Second, "T+3m": 2 * time.Second, "T+48m": 16 * time.Second, "T+93m": 30 * time.Second, "T+900m": 30 * time.Second,
	} {
		i, err := experiments.ParseInstant(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.WallAt(i); got != want {
			t.Errorf("%s is at %s, want %s", text, got, want)
		}
	}
	if got := p.IncidentAt(-time.Second); got != 0 {
		t.Errorf("before T0 it is %s", got)
	}
	if got := p.IncidentAt(time.Hour); got != p.last() {
		t.Errorf("after the end it is %s", got)
	}
}

// Without a pace one minute takes one minute, up to the last thing named.
func TestClockWithoutPace(t *testing.T) {
	exp := experiment(t, 1, "stages: [{stage: cut, at: T+10s, faults: [{powerloss: {}, on: {hosts: p1}, for: 20s}]}]")
	exp.Clock.Pace = nil
	p, err := New(exp, lab(t), "", infos)
	if err != nil {
		t.Fatal(err)
	}
	if p.End != 30*time.Second || p.Injections[0].Start != 10*time.Second || p.Injections[0].End != 30*time.Second {
		t.Errorf("the plan ends at %s; %+v", p.End, p.Injections[0])
	}
}
