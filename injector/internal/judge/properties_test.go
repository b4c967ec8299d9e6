package judge_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firedrill-io/firedrill/injector/internal/judge"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// drawn is an input with any outages, gates and late windows.
func drawn(t *rapid.T) judge.Input {
	instant := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.IntRange(0, 400).Draw(t, "tenths")) * every
	})
	var dark [][2]time.Duration
	for range rapid.IntRange(0, 4).Draw(t, "outages") {
		from := instant.Draw(t, "from")
		dark = append(dark, [2]time.Duration{from, from + instant.Draw(t, "length")/4})
	}
	in := input(dark...)
	for range rapid.IntRange(0, 6).Draw(t, "gates") {
		kind, name := judge.Runbook, "promote"
		if rapid.Bool().Draw(t, "power") {
			kind, name = judge.Power, rapid.SampledFrom([]string{"p1", "p2"}).Draw(t, "host")
		}
		in.Gates = append(in.Gates, judge.Gate{Kind: kind, Name: name, Wall: instant.Draw(t, "gate")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "late windows") {
		from := t0 + int64(instant.Draw(t, "late"))
		in.Late = append(in.Late, probe.Window{From: from, To: from + int64(time.Second)})
	}
	return in
}

// The two parts of an outage cover it and no more: own ends at the recovery, the
// wait begins at the first failure, neither is negative, and they meet at the gate.
func TestPartsCoverTheOutage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawn(t)
		const incidentPerWall = 60 // of the input's clock
		for _, o := range judge.Layout(in).Probes[0].Outages {
			if o.GatedIncidentS < 0 {
				t.Fatalf("negative wait: %+v", o)
			}
			if (o.Gate == "none") != (o.GateDetail == "") || o.Gate == "none" && o.GatedIncidentS != 0 {
				t.Fatalf("gate and wait do not go together: %+v", o)
			}
			if (o.OwnWallS == nil) != (o.ToWallS == nil) {
				t.Fatalf("own without an end, or the other way: %+v", o)
			}
			if o.OwnWallS == nil {
				continue
			}
			length := *o.ToWallS - o.FromWallS
			if sum := *o.OwnWallS + o.GatedIncidentS/incidentPerWall; *o.OwnWallS < 0 || sum-length > 1e-6 || length-sum > 1e-6 {
				t.Fatalf("own %f s and wait %f s of wall time do not cover %f s", *o.OwnWallS, o.GatedIncidentS/incidentPerWall, length)
			}
		}
	})
}

// No outage begins or ends with a sample that was late, and a run in which
// everything was late has none and is inconclusive.
func TestLatenessIsNeverAnOutage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawn(t)
		for _, o := range judge.Layout(in).Probes[0].Outages {
			from := t0 + int64(o.FromWallS*1e9+0.5)
			for _, w := range probe.Merge(in.Late) {
				if w.From <= from && from < w.To {
					t.Fatalf("outage begins at %f s, in a late window", o.FromWallS)
				}
			}
		}
		in.Late = []probe.Window{{From: t0 - int64(time.Hour), To: t0 + int64(time.Hour)}}
		all := judge.Layout(in)
		if len(all.Probes[0].Outages) != 0 || all.Verdict != report.Inconclusive {
			t.Fatalf("all late: %d outages, %s", len(all.Probes[0].Outages), all.Verdict)
		}
	})
}

// The same input, however ordered, gives the same layout.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawn(t)
		first := judge.Layout(in)
		in.Samples = rapid.Permutation(in.Samples).Draw(t, "samples")
		in.Gates = rapid.Permutation(in.Gates).Draw(t, "gates")
		second := judge.Layout(in)
		a, b := first.Probes[0], second.Probes[0]
		if len(a.Outages) != len(b.Outages) || a.Availability != b.Availability || len(a.Curve) != len(b.Curve) {
			t.Fatalf("in order: %+v\nmixed: %+v", a, b)
		}
		for i := range a.Outages {
			if a.Outages[i].GatedIncidentS != b.Outages[i].GatedIncidentS {
				t.Fatalf("outage %d: %+v, mixed %+v", i, a.Outages[i], b.Outages[i])
			}
		}
	})
}
