package probe

import (
	"fmt"
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
)

// Steady says whether a probe was within its tolerance during the last
// tol.Over before now, and if not why, with the figures. Samples in late windows
// are left out; with too few others left it is not steady. samples may be in any
// order and may belong to one probe only; late is as Merge returns it.
func Steady(samples []Sample, late []Window, every time.Duration, tol experiments.Tolerance, now int64) (bool, string) {
	over := time.Duration(tol.Over)
	l := LookBack(samples, late, every, over, now)
	if !l.Known() {
		return false, fmt.Sprintf("%d of %.0f requests of the last %s answered (%d sent late by this machine)", l.Answered, l.Due, over, l.Late)
	}
	if a := l.Availability(); a < float64(tol.Availability) {
		return false, fmt.Sprintf("availability %.2f%% over the last %s, at least %.2f%% wanted", 100*a, over, 100*float64(tol.Availability))
	}
	if p99 := l.P99(); tol.P99 > 0 && p99 > time.Duration(tol.P99) {
		return false, fmt.Sprintf("p99 %s over the last %s, at most %s wanted", p99.Round(time.Millisecond), over, time.Duration(tol.P99))
	}
	return true, ""
}

// Quantile is the nearest-rank quantile q (0 to 1) of the latencies, which it
// sorts; 0 of none.
func Quantile(latencies []time.Duration, q float64) time.Duration {
	if len(latencies) == 0 {
		return 0
	}
	slices.Sort(latencies)
	rank := int(q*float64(len(latencies))+0.9999999) - 1
	return latencies[min(max(rank, 0), len(latencies)-1)]
}
