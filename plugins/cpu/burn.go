package cpu

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/keep"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// burn is the record of CPU time that is burnt.
type burn struct {
	Owner   string  `json:"owner"`   // names the injection's mark
	Percent float64 `json:"percent"` // of each CPU
	CPUs    cpuList `json:"cpus"`
}

func prepareBurn(text string) (*burn, error) {
	percent, err := parsePercent("burn", text, "of each CPU; write it like 80%, 100% at most")
	if err != nil {
		return nil, err
	}
	if percent > wholePercent {
		return nil, fault.Refuse("burn", "is %s of each CPU, and no CPU has more than 100%%; give that or less", text)
	}
	all, err := affinity(0)
	if err != nil {
		return nil, fmt.Errorf("list CPUs: %w", err)
	}
	return &burn{Owner: keep.NewOwner(), Percent: percent, CPUs: all}, nil
}

// burning is a burn with what this process keeps of all.
type burning struct {
	burn
	holder *keep.Holder[[]int] // the threads, one for each CPU
}

func (b burning) apply(t fault.Target, until fault.BootTime, log *slog.Logger) error {
	if err := process.SameBoot(t); err != nil {
		return err
	}
	return b.holder.Apply(b.Owner, until, func() (keep.Hold[[]int], error) { return light(b.CPUs, b.Percent/wholePercent) }, log)
}

// revert ends the threads. The CPU time is gone and there is nothing to be put
// back.
func (b burning) revert(fault.Target) error { return b.holder.Revert(b.Owner) }

// points is how many points of each CPU the burning may be off what was asked.
const points = 2

// burnWindow is how long the threads are watched.
const burnWindow = 500 * time.Millisecond

// observe: present means that there is a thread for each CPU; exercised, that the
// scheduler counted for them what was asked. In force is less: others have the
// CPUs.
func (b burning) observe(ctx context.Context, _ fault.Target) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{burnt(b.Percent)}}
	held, err := b.holder.Observe(b.Owner)
	if err != nil || !held.Present {
		return o, err
	}
	o.State = fault.Partial
	if held.Ended {
		o.Detail = fmt.Sprintf("%s, which burnt, has ended", held.By)
		return o, nil
	}
	used, busy, err := b.watch(ctx, held)
	if err != nil {
		return o, err
	}
	o.Achieved = []fault.Measure{burnt(used), {Name: "CPUs busy", Value: busy, Unit: "% of all CPU time"}}
	o.Detail = fmt.Sprintf("%d threads burn %.1f%% of each of %d CPUs, which are busy to %.1f%%", len(held.What), used, len(b.CPUs), busy)
	switch {
	case used < b.Percent/10: // the threads are over, or get nothing
		return o, nil
	case math.Abs(used-b.Percent) <= points:
		o.Dose = fault.Exercised
	default:
		o.Dose = fault.InForce
	}
	o.State = fault.Present
	return o, nil
}

func burnt(percent float64) fault.Measure {
	return fault.Measure{Name: "CPU burnt", Value: percent, Unit: "% of each CPU"}
}

// watch measures what the threads use of each CPU by the scheduler's count, and
// how busy the CPUs are with all that runs on them.
func (b burning) watch(ctx context.Context, held keep.Held[[]int]) (used, busy float64, err error) {
	ran, before, began := ranOf(held), readTimes(b.CPUs), time.Now()
	select {
	case <-time.After(burnWindow):
	case <-ctx.Done():
		return 0, 0, fmt.Errorf("measure CPU time: %w", ctx.Err())
	}
	ran, passed := ranOf(held)-ran, time.Since(began)
	return wholePercent * float64(ran) / float64(passed) / float64(len(b.CPUs)), readTimes(b.CPUs).busySince(before), nil
}

// ranOf is how long the threads were on a CPU, in ns.
func ranOf(held keep.Held[[]int]) (ns int64) {
	all, _ := process.Threads(held.By.PID) // ended: none
	for _, tid := range held.What {
		if slices.Contains(all, tid) {
			ns += process.Ran(tid)
		}
	}
	return ns
}
