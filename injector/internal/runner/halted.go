package runner

import (
	"slices"

	"github.com/firedrill-io/firedrill/injector/internal/halt"
	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// answerHalt tells those who asked this run to halt how it ended.
func answerHalt(s *halt.Server, run *report.Run, last *layoutRun, dir string) {
	if s == nil {
		return
	}
	r := halt.Reply{Run: run.ID, Experiment: run.Experiment, Outcome: string(run.Outcome), Reason: run.Reason, Report: dir}
	for _, l := range run.Layouts {
		r.Residue = append(r.Residue, l.ResidueDiff...)
	}
	if last != nil && last.drive != nil {
		last.drive.mu.Lock()
		r.Reverted = slices.Clone(last.drive.halted)
		last.drive.mu.Unlock()
		slices.Sort(r.Reverted)
		r.Reverted = slices.Compact(r.Reverted)
	}
	s.End(r)
}
