package memory

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/containerd/cgroups/v3/cgroup1"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// nearLimit is the share of a limit from which on a group may have run into it:
// big pages are refused before the limit is reached.
const nearLimit = 0.9

// Observe implements fault.Plugin. Present means that the limit reads back as
// asked; exercised, that the kernel counted that the group ran into it.
func (Plugin) Observe(_ context.Context, t fault.Target, c Change) (fault.Observation, error) {
	asked, err := strconv.ParseUint(c.Limit.After, 10, 64)
	if err != nil {
		return fault.Observation{}, fmt.Errorf("read change record: limit %q is no number", c.Limit.After)
	}
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{bytes("memory limit", asked)}}
	g := c.Limit.Group
	now, err := c.Limit.Now(t)
	if errors.Is(err, fault.ErrGone) {
		o.Detail = err.Error()
		return o, nil
	}
	if err != nil {
		return o, err
	}
	m, err := g.Stat(cgroup1.Memory)
	if err != nil {
		return o, err
	}
	use := m.Memory.Usage
	hits, killed := since(use.Failcnt, c.Hits), since(m.MemoryOomControl.GetOomKill(), c.Killed)
	if now == c.Limit.After {
		o.State, o.Dose = fault.Present, fault.InForce
		if hits > 0 && (!met(use.Max, c.Limit.Before) || met(use.Usage, c.Limit.After)) {
			o.Dose = fault.Exercised
		}
	}
	o.Achieved = []fault.Measure{
		bytes("memory limit", use.Limit), bytes("memory used", use.Usage), bytes("most memory used", use.Max),
		{Name: "limit hits", Value: float64(hits), Unit: "times"}, {Name: "killed for want of memory", Value: float64(killed), Unit: "processes"},
	}
	if share, ok := g.Pressure("memory"); ok {
		o.Achieved = append(o.Achieved, fault.Measure{Name: "memory pressure", Value: share, Unit: "% of the last 10 s"})
	}
	o.Detail = fmt.Sprintf("%s uses %s of %s, hit the limit %d times, lost %d processes for want of memory", g.Path, size(use.Usage), size(use.Limit), hits, killed)
	return o, nil
}

// met says whether a group that uses n bytes may have run into limit. One that
// never came near its old limit has all its hits from ours.
func met(n uint64, limit string) bool {
	l, err := strconv.ParseUint(limit, 10, 64)
	return err != nil || float64(n) >= nearLimit*float64(l)
}

// since is how far a counter went on, from what it was. One that is lower now
// was set back by somebody.
func since(now, before uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

func bytes(name string, n uint64) fault.Measure {
	return fault.Measure{Name: name, Value: float64(n), Unit: "bytes"}
}
