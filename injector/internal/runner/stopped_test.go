package runner

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// A run that was interrupted while a layout that had come to its end was taken
// down has not run the others: it is no success.
func TestInterruptedBetweenLayouts(t *testing.T) {
	for _, tc := range []struct {
		cause  error
		was    report.Outcome
		want   report.Outcome
		reason string
	}{
		{context.Canceled, report.Completed, report.Interrupted, "interrupted before layout stretched"},
		{HaltedBy("a key"), report.Completed, report.Halted, "halted by a key"},
		{context.Canceled, report.FailedRun, report.FailedRun, ""},
	} {
		held := report.Layout{Outcome: tc.was, Verdict: report.Held, Predicted: report.Predicted{Match: true}}
		run := report.Run{Outcome: report.Completed, HostState: report.Clean, Layouts: []report.Layout{held}}
		combine(&run)
		cutShort(&run, tc.cause, "stretched")
		if run.Outcome != tc.want || run.Reason != tc.reason || *run.AsPredicted {
			t.Errorf("%v after %s: %s %q, as predicted %v", tc.cause, tc.was, run.Outcome, run.Reason, *run.AsPredicted)
		}
	}
}

// A second round that is prepared before the first one has begun is not dropped
// in silence when one of its hosts refuses: the others are fired.
func TestRefusalInASecondRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := cut("p1", 2*time.Second, 20*time.Second)
		two, three := part("p2", 4*time.Second, 20*time.Second), part("p3", 4*time.Second, 20*time.Second)
		d, f := newDrive(&plan.Plan{Injections: []plan.Injection{one, two, three}, End: 30 * time.Second})
		f.refuse[control.VerbPrepare] = "p2"
		if err := d.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[fault.InjectionID]int{one.ID: 1, two.ID: 0, three.ID: 1} {
			if got := len(f.when(control.VerbFire, id)); got != want {
				t.Errorf("%s was fired %d times, want %d", id, got, want)
			}
		}
	})
}

// The evidence of an end may come after the answer that told of it, and is
// waited for, but not for ever.
func TestLastEvidenceIsAwaited(t *testing.T) {
	for comes, want := range map[time.Duration]time.Duration{300 * time.Millisecond: 300 * time.Millisecond, time.Hour: time.Second} {
		synctest.Test(t, func(t *testing.T) {
			i := cut("p1", time.Second, time.Minute)
			d, _ := newDrive(&plan.Plan{Injections: []plan.Injection{i}})
			d.reset()
			d.set(i.ID, func(r *injectionResult) { r.fired, r.phase = true, "reverted" })
			timer := time.AfterFunc(comes, func() { d.set(i.ID, func(r *injectionResult) { r.end("reverted", time.Now()) }) })
			defer timer.Stop()
			began := time.Now()
			d.awaitEnds(t.Context(), time.Second)
			if took := time.Since(began); took < want || took > want+50*time.Millisecond {
				t.Errorf("waited %s, want %s", took, want)
			}
		})
	}
}

// A step that never ends is ended, and the run goes on without it.
func TestStepThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := newDrive(&plan.Plan{End: 5 * time.Second, Runbook: []plan.Step{{Name: "promote", Wall: time.Second}}})
		d.step = func(ctx context.Context, _ plan.Step) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}
		if err := d.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := d.replayed()[0]; got.OK || !strings.Contains(got.Output, "not over after 1m0s") {
			t.Errorf("got %+v", got)
		}
	})
}
