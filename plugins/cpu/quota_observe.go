package cpu

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/containerd/cgroups/v3/cgroup1"
	"github.com/containerd/cgroups/v3/cgroup2"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// leastWindow is how long the CPU time of a group is measured, at least.
const leastWindow = 400 * time.Millisecond

// observe: present means that the quota reads back as asked; exercised, that the
// kernel counted periods in which it held the group up.
func (q quota) observe(ctx context.Context, t fault.Target) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{percentOf("cpu quota", q.Percent)}}
	g := q.Quota.Group
	if q.Quota.Lacks(t) {
		o.Detail = fmt.Sprintf("%s has no %s: systemd hands no CPU controller on", g.Path, q.Quota.File)
		return o, nil
	}
	now, err := q.Quota.Now(t)
	if err != nil {
		return o, err
	}
	b, err := read(g)
	if err != nil {
		return o, err
	}
	if b.quota != noQuota {
		o.Achieved = append(o.Achieved, percentOf("cpu quota", b.percent()))
	}
	if now != q.Quota.After {
		o.Detail = fmt.Sprintf("%s of %s is %s, asked was %s", q.Quota.File, g.Path, now, q.Quota.After)
		return o, nil
	}
	o.State = fault.Present
	w, err := watch(ctx, g, time.Duration(b.period)*time.Microsecond)
	if err != nil {
		return o, err
	}
	// Somebody may have changed the period: then the quota is another share.
	if math.Abs(b.percent()-q.Percent) <= 0.01*q.Percent {
		o.Dose = fault.InForce
		if w.held > 0 || q.wasUnlimited() && w.throttled > q.Throttled {
			o.Dose = fault.Exercised
		}
	}
	o.Achieved = append(o.Achieved, fault.Measure{Name: "periods throttled", Value: float64(w.throttled), Unit: "periods"})
	o.Detail = fmt.Sprintf("%s may use %g%% of a CPU and was held up in %d periods of %v", g.Path, b.percent(), w.held, w.over.Round(time.Millisecond))
	if w.metered {
		o.Achieved = append(o.Achieved, percentOf("cpu used", w.used))
		o.Detail += fmt.Sprintf(", in which it used %.1f%%", w.used)
	}
	o.Achieved = append(o.Achieved, g.Waited("cpu")...)
	return o, nil
}

// window is what the kernel's counters say of a group over a while.
type window struct {
	over      time.Duration
	held      uint64  // periods in which it was throttled
	throttled uint64  // the same since the group was made
	used      float64 // % of one CPU
	metered   bool    // used is known
}

// wasUnlimited says whether the group had no quota before: then all its
// throttled periods since then are ours.
func (q quota) wasUnlimited() bool {
	return q.Quota.Before == unlimited || strings.HasPrefix(q.Quota.Before, unlimitedV2+" ")
}

// watch reads the counters twice, whole periods apart: then it does not matter
// where in a period the group is let go on.
func watch(ctx context.Context, g group.Group, period time.Duration) (w window, err error) {
	first, err := throttledPeriods(g)
	if err != nil {
		return w, err
	}
	ran := usage(g)
	began := time.Now()
	select {
	case <-time.After(period * max(1, (leastWindow+period-1)/period)):
	case <-ctx.Done():
		return w, fmt.Errorf("measure CPU time of %s: %w", g.Path, ctx.Err())
	}
	now := usage(g)
	w.over = time.Since(began)
	if w.throttled, err = throttledPeriods(g); err != nil {
		return w, err
	}
	w.held = w.throttled - first
	if w.metered = ran > 0 && now >= ran; w.metered {
		w.used = 100 * float64(now-ran) / float64(w.over)
	}
	return w, nil
}

// throttledPeriods is in how many periods the group was held up since it was made.
func throttledPeriods(g group.Group) (uint64, error) {
	if g.V2() {
		m, err := g.StatV2(cgroup2.StatCPU)
		return m.GetCPU().GetNrThrottled(), err
	}
	m, err := g.Stat(cgroup1.Cpu)
	if err != nil {
		return 0, err
	}
	return m.CPU.Throttling.ThrottledPeriods, nil
}

// usage is the CPU time of the group in ns; 0 if it is not counted: in v1 that
// is another controller's doing, which may group processes differently.
func usage(g group.Group) uint64 {
	if g.V2() {
		m, err := g.StatV2(cgroup2.StatCPU)
		if err != nil {
			return 0
		}
		return 1000 * m.GetCPU().GetUsageUsec()
	}
	counted, ok := g.In(cgroup1.Cpuacct)
	if !ok {
		return 0
	}
	m, err := counted.Stat(cgroup1.Cpuacct)
	if err != nil {
		return 0
	}
	return m.CPU.Usage.Total
}

func percentOf(name string, share float64) fault.Measure {
	return fault.Measure{Name: name, Value: share, Unit: "% of a CPU"}
}
