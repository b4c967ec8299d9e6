package runner

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// The worst layout decides, in the order of the exit codes.
func TestCombine(t *testing.T) {
	held := report.Layout{Outcome: report.Completed, HostState: report.Clean, Verdict: report.Held, Predicted: report.Predicted{Match: true}}
	deviated, unclear, refused, left := held, held, held, held
	deviated.Verdict, deviated.Predicted.Match = report.Deviated, false
	unclear.Verdict = report.Inconclusive
	refused.Verdict, refused.Outcome, refused.Reasons = "", report.RefusedRun, []string{"why"}
	left.HostState = report.Residue
	for _, tc := range []struct {
		name    string
		layouts []report.Layout
		want    report.Run
		matched bool
	}{
		{"held", []report.Layout{held, held}, report.Run{Verdict: report.Held, Outcome: report.Completed, HostState: report.Clean}, true},
		{"deviated", []report.Layout{held, deviated}, report.Run{Verdict: report.Deviated, Outcome: report.Completed, HostState: report.Clean}, false},
		{"inconclusive", []report.Layout{unclear, deviated}, report.Run{Verdict: report.Inconclusive, Outcome: report.Completed, HostState: report.Clean}, false},
		{"refused", []report.Layout{held, refused}, report.Run{Verdict: report.Held, Outcome: report.RefusedRun, HostState: report.Clean, Reason: "why"}, true},
		{"residue", []report.Layout{left, held}, report.Run{Verdict: report.Held, Outcome: report.Completed, HostState: report.Residue}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := report.Run{Outcome: report.Completed, HostState: report.Clean, Layouts: tc.layouts}
			combine(&got)
			if got.Verdict != tc.want.Verdict || got.Outcome != tc.want.Outcome || got.HostState != tc.want.HostState || got.Reason != tc.want.Reason {
				t.Errorf("got %s %s %s %q", got.Verdict, got.Outcome, got.HostState, got.Reason)
			}
			if *got.AsPredicted != tc.matched {
				t.Errorf("as predicted: %v", *got.AsPredicted)
			}
		})
	}
}

// A finding is what follows the mark, with the host once, each once.
func TestFindings(t *testing.T) {
	dir := t.TempDir()
	for path, text := range map[string]string{
		"logs/p1/controller.log": "level=INFO msg=up\nfinding: p1: no witness\nfinding: p1: no witness\n",
		"logs/p2/controller.log": "finding: mirror was silent\n",
	} {
		full := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := findings(dir); !slices.Equal(got, []string{"p1: no witness", "p2: mirror was silent"}) {
		t.Errorf("got %q", got)
	}
}

// What an agent says of an early end counts before the plan's end.
func TestFaultInReport(t *testing.T) {
	i := cut("p1", 2*time.Second, 60*time.Second)
	d, _ := newDrive(&plan.Plan{Injections: []plan.Injection{i}})
	d.reset()
	d.set(i.ID, func(r *injectionResult) {
		r.fired = true
		r.applied = &fault.Applied{At: 1e9, Woke: 1e9 + 1e5, Timer: "fifo", Phase: []fault.Phase{{Name: "began", At: 1e9 + 2e5}, {Name: "dark", At: 1e9 + 7e5}}}
		r.observe(fault.Observation{Dose: fault.Exercised, Achieved: []fault.Measure{{Name: "hosts with processes", Unit: "hosts"}}})
		r.observe(fault.Observation{Dose: fault.NotInForce})
		r.end("reverted", d.t0.Add(9*time.Second))
		r.end("gone", d.t0.Add(70*time.Second))
	})
	got := d.faults()[0]
	want := report.Fault{ID: string(i.ID), Kind: "powerloss", Host: "p1", Stage: i.Stage, Asked: "powerloss",
		Achieved: "dark after 0.5 ms; hosts with processes: 0", State: "exercised", Ended: "reverted",
		FromWallS: 2, ToWallS: 9, WakeErrorMS: 0.1, Timer: "fifo"}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if g := d.gates(); len(g) != 1 || g[0].Wall != 9*time.Second || g[0].Name != "p1" {
		t.Errorf("gates %+v", g)
	}
}

// People read the incident's clock in seconds first and in minutes later.
func TestClock(t *testing.T) {
	for at, want := range map[time.Duration]string{
		3*time.Minute + 1500*time.Millisecond: "T+3m1s", 93*time.Minute + 59*time.Second: "T+93m", 0: "T+0m",
	} {
		if got := clock(experiments.Instant(at)); got != want {
			t.Errorf("clock(%s) = %s, want %s", at, got, want)
		}
	}
}
