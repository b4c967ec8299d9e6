package cpu

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// observe: present means that the CPUs read back as asked; in force, that the
// kernel goes by them; exercised, that threads of the group ran meanwhile, on
// these CPUs alone.
func (c *cpuset) observe(ctx context.Context, t fault.Target) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{cpus(len(c.Left))}}
	g := c.Cpus.Group
	if c.Cpus.Lacks(t) {
		o.Detail = fmt.Sprintf("%s has no %s: systemd hands no cpuset controller on", g.Path, cpusFile)
		return o, nil
	}
	text, err := c.Cpus.Now(t)
	if err != nil {
		return o, err
	}
	now, err := effective(g)
	if err != nil {
		return o, err
	}
	o.Achieved = []fault.Measure{cpus(len(now))}
	o.Detail = fmt.Sprintf("%s may run on CPU %s", g.Path, now)
	if text != c.Cpus.After {
		return o, nil
	}
	o.State = fault.Present
	if !slices.Equal(now, c.Left) {
		o.Detail += ", as the group above it has no others"
		return o, nil
	}
	o.Dose = fault.InForce
	ran, elsewhere, err := watchThreads(ctx, g, c.Left)
	if err != nil || ran == 0 {
		return o, err
	}
	share := wholePercent * float64(elsewhere) / float64(ran)
	o.Achieved = append(o.Achieved, fault.Measure{Name: "ran elsewhere", Value: share, Unit: "% of samples"})
	o.Detail += fmt.Sprintf(", and was seen elsewhere in %d of %d samples of threads that ran", elsewhere, ran)
	if elsewhere == 0 {
		o.Dose = fault.Exercised
	}
	return o, nil
}

func cpus(n int) fault.Measure {
	return fault.Measure{Name: "CPUs left", Value: float64(n), Unit: "CPUs"}
}

// How often threads are looked at, and how far apart.
const (
	samples     = 10
	sampleEvery = leastWindow / samples
)

// watchThreads counts, over a while, how often a thread of the group had run
// since it was last looked at, and how often elsewhere than on CPUs of left.
func watchThreads(ctx context.Context, g group.Group, left cpuList) (ran, elsewhere int, err error) {
	before := map[int]int64{}
	for n := range samples + 1 {
		tids, err := threads(g)
		if err != nil {
			return ran, elsewhere, err
		}
		for _, tid := range tids {
			on := process.Ran(tid)
			last, known := before[tid]
			before[tid] = on
			at, err := process.Processor(tid)
			if n == 0 || !known || on <= last || err != nil {
				continue
			}
			ran++
			if !slices.Contains(left, at) {
				elsewhere++
			}
		}
		select {
		case <-time.After(sampleEvery):
		case <-ctx.Done():
			return ran, elsewhere, fmt.Errorf("watch threads of %s: %w", g.Path, ctx.Err())
		}
	}
	return ran, elsewhere, nil
}
