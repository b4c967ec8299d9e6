package judge_test

import (
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/judge"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// Requests that hung from 5 s on and were answered at 8 s show as dark until then.
func TestCurveShowsAnswersWhenTheyCame(t *testing.T) {
	in := input()
	back := t0 + int64(8*time.Second)
	for i, s := range in.Samples {
		if s.Due >= t0+int64(5*time.Second) && s.Due < back {
			in.Samples[i].Latency = time.Duration(back - s.Start)
		}
	}
	for _, p := range judge.Layout(in).Probes[0].Curve {
		if dark := p.WallS >= 5 && p.WallS < 8; (p.Availability == 0) != dark {
			t.Errorf("at %.1f s availability %.2f", p.WallS, p.Availability)
		}
	}
}

// A bucket in which everything was late has no point: it was not measured.
func TestCurveHasNoPointWhereItWasLate(t *testing.T) {
	in := input([2]time.Duration{10 * time.Second, 11 * time.Second})
	in.Late = []probe.Window{late(10, 11)}
	for _, p := range judge.Layout(in).Probes[0].Curve {
		if p.WallS >= 10 && p.WallS < 11 || p.Availability != 1 {
			t.Errorf("point at %.1f s, availability %.2f", p.WallS, p.Availability)
		}
	}
}
