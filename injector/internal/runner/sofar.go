package runner

import (
	"context"
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/judge"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// judgeEvery is how often a layout is judged while it runs. Each time looks at
// all samples again, which takes milliseconds.
const judgeEvery = 3 * time.Second

// judging tells the observer every few seconds what the verdict would be; the
// function it returns ends that.
func (r *layoutRun) judging(ctx context.Context) (stop func()) {
	if _, plain := r.o.Observer.(*lines); plain {
		return func() {} // it shows nothing of it
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleep(ctx, judgeEvery) {
			if time.Now().After(r.drive.t0) {
				r.o.Observer.Judged(r.soFar())
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// soFar is the layout judged as if it ended now, by what is known: ledgers are
// audited at the end only, so nothing is said of them, nor of steps and faults
// whose time has not come.
func (r *layoutRun) soFar() report.Layout {
	in := judge.Input{
		Plan: r.carried(), Experiment: r.exp, Inventory: r.inv, Predict: r.predict, T0: r.t0Boot,
		Samples: r.collector.Samples(), Late: r.collector.Late(), Gates: r.drive.gates(), Reverted: time.Since(r.drive.t0),
	}
	in.Doubts = r.drive.allDoubts()
	in.Faults = slices.DeleteFunc(r.drive.faults(), func(f report.Fault) bool { return !r.drive.looked(f.ID) })
	in.Steps = slices.DeleteFunc(r.drive.replayed(), func(s report.Step) bool { return !s.OK && s.Output == "" })
	out := judge.Layout(in)
	ours := func(name string) bool {
		return slices.ContainsFunc(out.Probes, func(p report.Probe) bool {
			return name == p.Name+".own" || name == p.Name+".gated" || name == p.Name+".availability"
		})
	}
	out.Expect = slices.DeleteFunc(out.Expect, func(j report.Judged) bool { return !ours(j.Name) })
	out.Failed = slices.DeleteFunc(out.Failed, func(name string) bool { return !ours(name) })
	out.Reasons = slices.Clone(in.Doubts)
	for _, f := range in.Faults {
		if f.State == string(fault.NotInForce) {
			out.Reasons = append(out.Reasons, f.Kind+" on "+f.Host+" was not in force")
		}
	}
	out.Verdict = report.Held
	switch {
	case len(out.Reasons) > 0:
		out.Verdict = report.Inconclusive
	case len(out.Failed) > 0:
		out.Verdict = report.Deviated
	}
	return out
}

// looked says whether a meter was read for the injection yet.
func (d *drive) looked(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.results[fault.InjectionID(id)]
	return r != nil && r.seen.Dose != ""
}
