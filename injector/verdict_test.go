package main

import (
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// The exit code of a run, first that applies: residue, a fault of our own,
// interrupted, halted, refused, inconclusive, deviated, held. With
// --as-predicted a verdict that was predicted is success, and nothing else is.
func TestRunCode(t *testing.T) {
	layout := func(v, predicted report.Verdict, match bool) report.Layout {
		return report.Layout{Verdict: v, Predicted: report.Predicted{Verdict: predicted, Match: match}}
	}
	held := layout(report.Held, report.Held, true)
	deviated := layout(report.Deviated, report.Deviated, true)
	unforeseen := layout(report.Deviated, report.Held, false)
	otherLines := layout(report.Deviated, report.Deviated, false)
	unclear := layout(report.Inconclusive, report.Held, false)
	foreseen := layout(report.Inconclusive, report.Inconclusive, true)
	const completed, clean = report.Completed, report.Clean
	for _, tc := range []struct {
		name      string
		outcome   report.Outcome
		host      report.HostState
		verdict   report.Verdict
		layouts   []report.Layout
		plain     int
		predicted int
	}{
		{"held", completed, clean, report.Held, []report.Layout{held}, 0, 0},
		{"deviated as predicted", completed, clean, report.Deviated, []report.Layout{deviated, held}, 1, 0},
		{"deviated, held was predicted", completed, clean, report.Deviated, []report.Layout{unforeseen, held}, 1, 1},
		{"deviated by other lines", completed, clean, report.Deviated, []report.Layout{otherLines, held}, 1, 1},
		{"held, deviated was predicted", completed, clean, report.Held, []report.Layout{layout(report.Held, report.Deviated, false)}, 0, 1},
		{"inconclusive", completed, clean, report.Inconclusive, []report.Layout{held, unclear}, 2, 2},
		{"inconclusive beats deviated", completed, clean, report.Inconclusive, []report.Layout{unforeseen, unclear}, 2, 2},
		{"inconclusive as predicted", completed, clean, report.Inconclusive, []report.Layout{foreseen}, 2, 0},
		{"nothing predicted", completed, clean, report.Held, []report.Layout{layout(report.Held, "", false)}, 0, 1},
		{"refused", report.RefusedRun, clean, "", nil, 5, 5},
		{"refused in the second layout", report.RefusedRun, clean, report.Held, []report.Layout{held, layout("", report.Held, false)}, 5, 5},
		{"halted", report.Halted, clean, report.Inconclusive, []report.Layout{unclear}, 3, 3},
		{"interrupted", report.Interrupted, clean, report.Inconclusive, []report.Layout{unclear}, 130, 130},
		{"failed", report.FailedRun, clean, "", nil, 70, 70},
		{"residue beats all", report.FailedRun, report.Residue, report.Held, []report.Layout{held}, 4, 4},
		{"residue though held as predicted", completed, report.Residue, report.Held, []report.Layout{held}, 4, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &report.Run{Outcome: tc.outcome, HostState: tc.host, Verdict: tc.verdict, Layouts: tc.layouts}
			if got := runCode(r, false); got != tc.plain {
				t.Errorf("exit code %d, want %d", got, tc.plain)
			}
			if got := runCode(r, true); got != tc.predicted {
				t.Errorf("exit code with --as-predicted %d, want %d", got, tc.predicted)
			}
		})
	}
}
