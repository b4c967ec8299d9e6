package judge_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/injector/internal/judge"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
	"github.com/firedrill-io/firedrill/injector/internal/report"
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

// A ledger's curve counts each write in the second it was begun in, from T0 on;
// what was not acknowledged is sent all the same.
func TestLedgerCurve(t *testing.T) {
	in := input()
	write := func(at time.Duration, s ledger.State) ledger.Write {
		return ledger.Write{Ledger: "talk", Start: t0 + int64(at), State: s}
	}
	in.Audits = []ledger.Audit{{Name: "talk"}}
	in.Writes = map[string][]ledger.Write{"talk": {
		write(-time.Second, ledger.Acknowledged), write(100*time.Millisecond, ledger.Acknowledged),
		write(900*time.Millisecond, ledger.Unknown), write(2*time.Second, ledger.Acknowledged),
	}}
	want := []report.LedgerPoint{{WallS: 0, Sent: 2, Acknowledged: 1}, {WallS: 1}, {WallS: 2, Sent: 1, Acknowledged: 1}}
	if diff := cmp.Diff(want, judge.Layout(in).Ledgers[0].Curve); diff != "" {
		t.Error(diff)
	}
}
