package judge

import (
	"fmt"
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// tooLate is the share of the judged time that may be late before nothing of
// the layout is judged.
const tooLate = 0.1

// layout is the work on one Input.
type layout struct {
	in       Input
	first    time.Duration // the first stage
	reverted time.Duration
	end      time.Duration // the last sample's end
	byProbe  map[string][]probe.Sample
	cuts     map[string][]outage
	out      report.Layout
}

// Layout judges one layout.
func Layout(in Input) report.Layout {
	in.Late = probe.Merge(in.Late)
	l := &layout{in: in, byProbe: map[string][]probe.Sample{}, cuts: map[string][]outage{}}
	l.span()
	l.describe()
	if in.Outcome == report.RefusedRun {
		l.out.Predicted = report.Predicted{Verdict: report.Verdict(in.Predict.Verdict), Failed: append([]string{}, in.Predict.Fails...), Reason: in.Predict.Reason}
		if in.Reason != "" {
			l.out.Reasons = []string{in.Reason}
		}
		return l.out // nothing was done, so there is nothing to judge
	}
	for _, h := range in.Experiment.Hypothesis {
		l.cuts[h.Probe] = l.outages(h.Probe, l.byProbe[h.Probe])
		l.out.Probes = append(l.out.Probes, l.probe(h.Probe))
	}
	for _, a := range in.Audits {
		ledger := reportLedger(a)
		ledger.Curve = l.ledgerCurve(a.Name)
		l.out.Ledgers = append(l.out.Ledgers, ledger)
	}
	l.loads()
	l.steady()
	for _, e := range in.Experiment.Expect {
		l.expect(e)
	}
	for _, c := range in.Experiment.Compare {
		l.out.Compare = append(l.out.Compare, l.compare(c))
	}
	l.verdict()
	return l.out
}

// span works out the judged stretch of time.
func (l *layout) span() {
	for _, s := range l.in.Samples {
		l.byProbe[s.Probe] = append(l.byProbe[s.Probe], s)
		l.end = max(l.end, l.wall(s.End()))
	}
	for i, s := range l.in.Plan.Stages {
		if i == 0 || s.Wall < l.first {
			l.first = s.Wall
		}
	}
	l.reverted = l.in.Reverted
	if l.reverted <= 0 {
		l.reverted = l.in.Plan.End
	}
}

// steady turns the hypothesis after the last revert into failed lines.
func (l *layout) steady() {
	for _, h := range l.in.Experiment.Hypothesis {
		after, known := l.in.After[h.Probe]
		if !known {
			continue
		}
		l.out.Steady = append(l.out.Steady, report.Steady{Probe: h.Probe, OK: after.OK, Reason: after.Reason})
		if !after.OK {
			l.fail(h.Probe + ".steady")
		}
	}
}

func (l *layout) fail(line string) {
	if !slices.Contains(l.out.Failed, line) {
		l.out.Failed = append(l.out.Failed, line)
	}
}

func (l *layout) doubt(format string, args ...any) {
	l.out.Reasons = append(l.out.Reasons, fmt.Sprintf(format, args...))
}

// verdict settles the layout: any doubt makes it inconclusive, else any failed
// line makes it deviated.
func (l *layout) verdict() {
	l.doubts()
	l.out.Verdict = report.Held
	switch {
	case len(l.out.Reasons) > 0:
		l.out.Verdict = report.Inconclusive
	case len(l.out.Failed) > 0:
		l.out.Verdict = report.Deviated
	}
	predicted := report.Verdict(l.in.Predict.Verdict)
	got, want := slices.Sorted(slices.Values(l.out.Failed)), slices.Sorted(slices.Values(l.in.Predict.Fails))
	l.out.Predicted = report.Predicted{
		Verdict: predicted,
		Failed:  append([]string{}, l.in.Predict.Fails...),
		Reason:  l.in.Predict.Reason,
		Match:   predicted == l.out.Verdict && slices.Equal(got, slices.Compact(want)),
	}
}

// doubts collects why the layout cannot be judged.
func (l *layout) doubts() {
	cut := l.in.Outcome != report.Completed && l.in.Outcome != ""
	switch {
	case cut && l.in.Reason != "":
		l.doubt("%s", l.in.Reason)
	case cut:
		l.doubt("the run was %s before its end", l.in.Outcome)
	}
	for _, d := range l.in.Doubts {
		l.doubt("%s", d)
	}
	if cut {
		return // steps and faults that never got their turn say nothing more
	}
	if len(l.in.Experiment.Hypothesis) > 0 && l.in.Outcome == report.Completed && l.end+l.longestEvery() < l.reverted {
		l.doubt("the clients fell silent %.1f s after T+0, before the last revert at %.1f s", l.end.Seconds(), l.reverted.Seconds())
	}
	if late, of := l.lateTime(), l.reverted-l.first; of > 0 && late.Seconds() > tooLate*of.Seconds() {
		l.doubt("the clients were late for %.1f s of %.1f s: this machine is too busy to measure", late.Seconds(), of.Seconds())
	}
	for _, s := range l.in.Steps {
		if !s.OK {
			l.doubt("runbook step %s could not be replayed: %s", s.Name, s.Output)
		}
	}
	for _, f := range l.in.Faults {
		if f.State == "not in force" {
			l.doubt("%s on %s was not in force: %s", f.Kind, f.Host, f.Achieved)
		}
	}
	for _, i := range l.in.Plan.Injections {
		if i.Require == "exercised" && l.faultState(string(i.ID)) == "in force" {
			l.doubt("%s on %s was in force, but nothing exercised it, which the file requires", i.Kind, i.Host)
		}
	}
	for _, e := range l.out.Expect {
		if e.Doubt != "" {
			l.doubt("%s: %s", e.Name, e.Doubt)
		}
	}
}

// longestEvery is how long the clients may say nothing without having fallen
// silent: in a run without faults the last sample is due just before its end.
func (l *layout) longestEvery() (d time.Duration) {
	for _, h := range l.in.Experiment.Hypothesis {
		d = max(d, time.Duration(h.Every))
	}
	return d
}

func (l *layout) faultState(id string) string {
	for _, f := range l.in.Faults {
		if f.ID == id {
			return f.State
		}
	}
	return ""
}

// lateTime is how long the clients were late in the judged stretch.
func (l *layout) lateTime() time.Duration {
	return probe.Overlap(l.in.Late, l.in.T0+int64(l.first), l.in.T0+int64(l.reverted))
}
