package report

import "slices"

// Settle sets the run's verdict, outcome and host state to the worst of its
// layouts, in the order of the exit codes, and says whether every layout came
// out as predicted. What is worse already stays.
func (r *Run) Settle() {
	verdicts := []Verdict{"", Held, Deviated, Inconclusive}
	outcomes := []Outcome{"", Completed, RefusedRun, Halted, Interrupted, FailedRun}
	states := []HostState{"", Clean, Residue}
	predicted := len(r.Layouts) > 0
	for _, l := range r.Layouts {
		r.Verdict = worse(verdicts, r.Verdict, l.Verdict)
		r.Outcome = worse(outcomes, r.Outcome, l.Outcome)
		r.HostState = worse(states, r.HostState, l.HostState)
		predicted = predicted && l.Predicted.Match
	}
	r.Outcome = worse(outcomes, r.Outcome, Completed)
	r.HostState = worse(states, r.HostState, Clean)
	r.AsPredicted = &predicted
}

// worse is the value that stands later in the order.
func worse[T comparable](order []T, a, b T) T {
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}
