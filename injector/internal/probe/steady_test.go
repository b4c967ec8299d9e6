package probe_test

import (
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

func TestSteady(t *testing.T) {
	tol := experiments.Tolerance{Availability: 0.95, P99: experiments.Duration(50 * time.Millisecond), Over: experiments.Duration(2 * time.Second)}
	for name, c := range map[string]struct {
		samples string
		late    []probe.Window
		change  func([]probe.Sample)
		why     string // part of the reason; empty: steady
	}{
		"good":                {samples: "...................."},
		"one failure":         {samples: ".........x.........."},
		"two failures":        {samples: "....x....x..........", why: "availability 90.00%"},
		"failures before it":  {samples: "xxxxxx...................."},
		"too few samples":     {samples: "..........", why: "10 of 20 requests"},
		"none":                {why: "0 of 20 requests"},
		"failures while late": {samples: "....xxx.............", late: []probe.Window{{From: 4 * tick, To: 7 * tick}}},
		"mostly late":         {samples: "....................", late: []probe.Window{{From: 0, To: 7 * tick}}, why: "7 sent late"},
		"slow":                {samples: "....................", change: func(s []probe.Sample) { s[3].Latency = time.Second }, why: "p99 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			samples := row(c.samples)
			if c.change != nil {
				c.change(samples)
			}
			now := max(int64(len(samples)), 20) * tick
			ok, why := probe.Steady(samples, c.late, time.Duration(tick), tol, now)
			if ok != (c.why == "") || !strings.Contains(why, c.why) {
				t.Errorf("steady %v because %q, want %q", ok, why, c.why)
			}
		})
	}
}
