package judge_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/judge"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

const (
	every  = 100 * time.Millisecond
	answer = 10 * time.Millisecond
	t0     = int64(1_000_000_000_000)
)

// input is a run of 40 s: one minute of the incident a second, first stage at
// 2 s, last revert at 30 s, p1 serves text, p2 does not.
func input(dark ...[2]time.Duration) judge.Input {
	minute := experiments.Instant(time.Minute)
	return judge.Input{
		Plan: &plan.Plan{
			Layout: "as-it-was",
			Pace:   []plan.Stretch{{From: 0, To: 40 * minute, Start: 0, End: 40 * time.Second}},
			Stages: []plan.Stage{{Name: "cut", At: 2 * minute, Wall: 2 * time.Second}},
			End:    40 * time.Second,
		},
		Experiment: &experiments.Experiment{Hypothesis: []experiments.Hypothesis{{Probe: "text", Every: experiments.Duration(every)}}},
		Inventory: &inventory.Inventory{
			Hosts:    []inventory.Host{{Name: "p1", Site: "pangyo"}, {Name: "p2", Site: "pangyo"}},
			Services: []inventory.Service{{Name: "gateway", Serves: []string{"text"}, Hosts: inventory.Selector{Hosts: []string{"p1"}}}, {Name: "mail", Hosts: inventory.Selector{Hosts: []string{"p2"}}}},
		},
		T0: t0, Reverted: 30 * time.Second, Outcome: report.Completed,
		Samples: samples(dark...),
		After:   map[string]judge.Steadiness{"text": {OK: true}},
	}
}

// samples are good from -2 s to 40 s but while dark.
func samples(dark ...[2]time.Duration) []probe.Sample {
	var out []probe.Sample
	for at := -2 * time.Second; at < 40*time.Second; at += every {
		s := probe.Sample{Probe: "text", Due: t0 + int64(at), Start: t0 + int64(at), Latency: answer, OK: true, Class: probe.OK}
		for _, d := range dark {
			if at >= d[0] && at < d[1] {
				s.OK, s.Class = false, probe.BadStatus
			}
		}
		out = append(out, s)
	}
	return out
}

func s(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func TestOutagesAreSplitAtTheGate(t *testing.T) {
	type want struct {
		gated float64 // incident seconds
		gate  string
		own   float64 // wall seconds; -1: never came back
	}
	for name, c := range map[string]struct {
		dark  [2]time.Duration
		gates []judge.Gate
		want  want
	}{
		"waited for nothing":             {[2]time.Duration{s(5), s(11)}, nil, want{0, "none", 6.01}},
		"power of its host":              {[2]time.Duration{s(5), s(11)}, []judge.Gate{{judge.Power, "p1", s(8)}}, want{180, "power", 3.01}},
		"power of another service":       {[2]time.Duration{s(5), s(11)}, []judge.Gate{{judge.Power, "p2", s(8)}}, want{0, "none", 6.01}},
		"a step":                         {[2]time.Duration{s(5), s(11)}, []judge.Gate{{judge.Runbook, "promote", s(9)}}, want{240, "runbook", 2.01}},
		"the last of two":                {[2]time.Duration{s(5), s(11)}, []judge.Gate{{judge.Power, "p1", s(6)}, {judge.Runbook, "promote", s(9)}}, want{240, "runbook", 2.01}},
		"two within 2 s are one":         {[2]time.Duration{s(5), s(11)}, []judge.Gate{{judge.Runbook, "promote", s(9)}, {judge.Power, "p1", s(7.5)}}, want{150, "runbook", 3.51}},
		"three, the third apart":         {[2]time.Duration{s(5), s(15)}, []judge.Gate{{judge.Power, "p1", s(7)}, {judge.Power, "p1", s(8.5)}, {judge.Power, "p1", s(10)}}, want{300, "power", 5.01}},
		"before the outage":              {[2]time.Duration{s(5), s(11)}, []judge.Gate{{judge.Runbook, "promote", s(4)}}, want{0, "none", 6.01}},
		"after the recovery":             {[2]time.Duration{s(5), s(11)}, []judge.Gate{{judge.Runbook, "promote", s(12)}}, want{0, "none", 6.01}},
		"never came back":                {[2]time.Duration{s(5), s(99)}, nil, want{0, "none", -1}},
		"never came back after its step": {[2]time.Duration{s(5), s(99)}, []judge.Gate{{judge.Runbook, "promote", s(9)}}, want{240, "runbook", -1}},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(c.dark)
			in.Gates = c.gates
			outages := judge.Layout(in).Probes[0].Outages
			if len(outages) != 1 {
				t.Fatalf("%d outages", len(outages))
			}
			got := want{outages[0].GatedIncidentS, outages[0].Gate, -1}
			if outages[0].OwnWallS != nil {
				got.own = *outages[0].OwnWallS
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(want{}), approx()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func approx() cmp.Option {
	return cmp.Comparer(func(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 })
}

func late(from, to float64) probe.Window {
	return probe.Window{From: t0 + int64(s(from)), To: t0 + int64(s(to))}
}

// A step that was done for another service is no gate of this one; a step that
// names nobody was done for all.
func TestStepOfAnotherServiceIsNoGate(t *testing.T) {
	for _, c := range []struct {
		serves []string
		want   string
	}{{nil, "runbook"}, {[]string{"text"}, "runbook"}, {[]string{"mail"}, "none"}} {
		in := input([2]time.Duration{5 * time.Second, 12 * time.Second})
		in.Inventory.Runbook = []inventory.Step{{Name: "move", Serves: c.serves}}
		in.Gates = []judge.Gate{{Kind: judge.Runbook, Name: "move", Wall: 10 * time.Second}}
		if got := judge.Layout(in).Probes[0].Outages[0].Gate; got != c.want {
			t.Errorf("step that serves %v: gate %s, want %s", c.serves, got, c.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	own := func(max float64) experiments.Expectation {
		return experiments.Expectation{Probe: "text", Own: &experiments.OwnLimit{Max: experiments.Duration(s(max))}}
	}
	gated := func(minutes int) experiments.Expectation {
		return experiments.Expectation{Probe: "text", Gated: &experiments.GatedLimit{MaxIncident: experiments.IncidentDuration(time.Duration(minutes) * time.Minute)}}
	}
	ratio := experiments.Ratio(0.9)
	lost := experiments.Expectation{Ledger: "talk", Lost: &experiments.CountLimit{}, Duplicated: &experiments.CountLimit{}}
	dark := [2]time.Duration{s(5), s(11)}
	for name, c := range map[string]struct {
		dark    [2]time.Duration
		expect  []experiments.Expectation
		change  func(*judge.Input)
		verdict report.Verdict
		failed  []string
	}{
		"nothing happened":         {expect: []experiments.Expectation{own(1), gated(0)}, verdict: report.Held},
		"own within":               {dark: dark, expect: []experiments.Expectation{own(7)}, verdict: report.Held},
		"own beyond":               {dark: dark, expect: []experiments.Expectation{own(5)}, verdict: report.Deviated, failed: []string{"text.own"}},
		"gated beyond, own within": {dark: dark, expect: []experiments.Expectation{own(3), gated(2)}, change: step(8.5), verdict: report.Deviated, failed: []string{"text.gated"}},
		"never back":               {dark: [2]time.Duration{s(5), s(99)}, expect: []experiments.Expectation{own(90), gated(90)}, verdict: report.Deviated, failed: []string{"text.own", "text.gated"}},
		"availability":             {dark: dark, expect: []experiments.Expectation{{Probe: "text", Availability: &ratio}}, verdict: report.Deviated, failed: []string{"text.availability"}},
		"not steady afterwards":    {change: func(in *judge.Input) { in.After["text"] = judge.Steadiness{Reason: "p99"} }, verdict: report.Deviated, failed: []string{"text.steady"}},
		"late decides own":         {dark: dark, expect: []experiments.Expectation{own(5)}, change: lateAt(9.5, 11), verdict: report.Inconclusive},
		"late, but it failed":      {dark: dark, expect: []experiments.Expectation{own(4)}, change: lateAt(9.5, 11), verdict: report.Deviated, failed: []string{"text.own"}},
		"late, but it held":        {dark: dark, expect: []experiments.Expectation{own(7)}, change: lateAt(9.5, 11), verdict: report.Held},
		"could have begun earlier": {dark: dark, expect: []experiments.Expectation{own(5.5)}, change: lateAt(5, 6), verdict: report.Inconclusive},
		"late elsewhere":           {dark: dark, expect: []experiments.Expectation{own(5)}, change: lateAt(20, 21), verdict: report.Deviated, failed: []string{"text.own"}},
		"all of it late":           {dark: [2]time.Duration{s(5), s(7)}, expect: []experiments.Expectation{own(1)}, change: lateAt(5, 7), verdict: report.Held},
		"late for too long":        {change: lateAt(5, 10), verdict: report.Inconclusive},
		"fault not in force": {change: func(in *judge.Input) {
			in.Faults = []report.Fault{{Kind: "powerloss", Host: "p1", State: "not in force"}}
		}, verdict: report.Inconclusive},
		"silent at the end":       {change: reverted(40.2), verdict: report.Inconclusive},
		"the next one is not due": {change: reverted(40), verdict: report.Held},
		"agent died":              {change: func(in *judge.Input) { in.Doubts = []string{"agent of p1 died"} }, verdict: report.Inconclusive},
		"halted":                  {change: func(in *judge.Input) { in.Outcome = report.Halted }, verdict: report.Inconclusive},
		"no audit":                {expect: []experiments.Expectation{lost}, verdict: report.Inconclusive},
		"lost":                    {expect: []experiments.Expectation{lost}, change: audit(ledger.Audit{Lost: 1, Missing: 1}), verdict: report.Deviated, failed: []string{"talk.lost"}},
		"duplicated":              {expect: []experiments.Expectation{lost}, change: audit(ledger.Audit{Duplicated: 2}), verdict: report.Deviated, failed: []string{"talk.duplicated"}},
		"a disk not read":         {expect: []experiments.Expectation{lost}, change: audit(ledger.Audit{Missing: 1, Unaccounted: 1, Unreadable: []string{"anyang"}}), verdict: report.Inconclusive},
		"active not read":         {expect: []experiments.Expectation{lost}, change: audit(ledger.Audit{Acknowledged: 5, Missing: 5, Elsewhere: 5, ActiveUnread: true}), verdict: report.Inconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(c.dark)
			in.Experiment.Expect = c.expect
			if c.change != nil {
				c.change(&in)
			}
			in.Predict = experiments.Prediction{Verdict: string(c.verdict), Fails: slices.Sorted(slices.Values(c.failed))}
			got := judge.Layout(in)
			if got.Verdict != c.verdict || !slices.Equal(got.Failed, c.failed) {
				t.Errorf("%s, failed %v, because %v; want %s, failed %v", got.Verdict, got.Failed, got.Reasons, c.verdict, c.failed)
			}
			if !got.Predicted.Match {
				t.Errorf("predicted %+v, got %s %v: not seen as a match", got.Predicted, got.Verdict, got.Failed)
			}
		})
	}
}

func step(at float64) func(*judge.Input) {
	return func(in *judge.Input) { in.Gates = []judge.Gate{{judge.Runbook, "promote", s(at)}} }
}

func reverted(at float64) func(*judge.Input) {
	return func(in *judge.Input) { in.Reverted = s(at) }
}

func lateAt(from, to float64) func(*judge.Input) {
	return func(in *judge.Input) { in.Late = []probe.Window{late(from, to)} }
}

func audit(a ledger.Audit) func(*judge.Input) {
	a.Name = "talk"
	return func(in *judge.Input) { in.Audits = []ledger.Audit{a} }
}

func TestPredictionMustMatchExactly(t *testing.T) {
	in := input([2]time.Duration{s(5), s(11)})
	in.Experiment.Expect = []experiments.Expectation{{Probe: "text", Own: &experiments.OwnLimit{Max: 1}}}
	for _, fails := range [][]string{nil, {"text.gated"}, {"text.own", "text.gated"}} {
		in.Predict = experiments.Prediction{Verdict: "deviated", Fails: fails}
		if judge.Layout(in).Predicted.Match {
			t.Errorf("predicted %s, failed text.own: taken for a match", strings.Join(fails, ","))
		}
	}
}

func TestCompareTakesTheWorstOutage(t *testing.T) {
	in := input([2]time.Duration{s(5), s(11)}, [2]time.Duration{s(15), s(17)})
	in.Gates = []judge.Gate{{judge.Runbook, "promote", s(16)}}
	in.Experiment.Compare = []experiments.Comparison{{Probe: "text", HappenedIncident: experiments.IncidentDuration(604 * time.Minute), Source: "incident.md"}}
	got := judge.Layout(in).Compare[0]
	if got.HappenedS != 36240 || got.GatedIncidentS != 60 || got.OwnWallS == nil || *got.OwnWallS > 1.02 || got.Name != "text" {
		t.Errorf("%+v", got)
	}
}

// A request that was on its way when the stage began fails through the stage.
func TestOutageBeginsWithItsStage(t *testing.T) {
	in := input([2]time.Duration{s(2), s(8)})
	for i := range in.Samples {
		in.Samples[i].Start -= int64(30 * time.Millisecond)
	}
	if o := judge.Layout(in).Probes[0].Outages[0]; o.FromWallS != 2 || o.From != "T+2m" {
		t.Errorf("outage begins %f s, %s", o.FromWallS, o.From)
	}
}

// A refused run has nothing to judge, and no line may pretend it did.
func TestRefusedIsNotJudged(t *testing.T) {
	in := input()
	in.Outcome, in.Samples, in.After = report.RefusedRun, nil, nil
	in.Experiment.Expect = []experiments.Expectation{{Probe: "text", Own: &experiments.OwnLimit{Max: 1}}}
	if l := judge.Layout(in); l.Verdict != "" || len(l.Reasons) != 0 || len(l.Failed) != 0 || len(l.Expect) != 0 {
		t.Errorf("%+v", l)
	}
}
