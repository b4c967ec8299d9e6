package memory

import (
	"fmt"
	"log/slog"
	"strconv"

	"github.com/containerd/cgroups/v3/cgroup2"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// high is the record of a lowered brake, memory.high in cgroup-v2 of the kernel.
type high struct {
	High group.Setting `json:"high"`
	Hits uint64        `json:"hits"` // how often the group had been slowed down before
}

func prepareHigh(p Params) (*high, error) {
	after, err := parseAmount("high", p.High)
	if err != nil {
		return nil, err
	}
	g, err := group.Find("memory", p.Scope)
	if err != nil {
		return nil, err
	}
	if !g.V2() {
		return nil, fmt.Errorf("%w: cgroup v1 has no %s; give limit, which kills a group that asks for more", fault.ErrUnsupported, highFile)
	}
	before, err := read(g)
	if err != nil {
		return nil, err
	}
	if now := min(before.limit, before.high); after >= now {
		return nil, fault.Refuse("high", "leaves %s as it is: it may use %s at most already; give less", g.Path, size(now))
	}
	hits, err := slowed(g)
	return &high{High: group.Setting{Group: g, File: highFile, Before: before.highText, After: strconv.FormatUint(after, 10)}, Hits: hits}, err
}

// slowed is how often processes of the group were slowed down since it was made.
func slowed(g group.Group) (uint64, error) {
	m, err := g.StatV2(cgroup2.StatMemoryEvents)
	return m.GetMemoryEvents().GetHigh(), err
}

func (c *high) apply(t fault.Target, _ fault.BootTime, _ *slog.Logger) error { return c.High.Apply(t) }

func (c *high) revert(t fault.Target) error { return c.High.Revert(t) }

// observe: present means that the brake reads back as asked; exercised, that the
// kernel counted that it slowed the group down.
func (c *high) observe(t fault.Target) (fault.Observation, error) {
	asked, err := amount(c.High.After)
	if err != nil {
		return fault.Observation{}, fmt.Errorf("read change record: %w", err)
	}
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{bytes("memory brake", asked)}}
	g := c.High.Group
	now, err := c.High.Now(t)
	if err != nil {
		return o, err
	}
	use, err := read(g)
	if err != nil {
		return o, err
	}
	all, err := slowed(g)
	if err != nil {
		return o, err
	}
	hits := since(all, c.Hits)
	if now == c.High.After {
		o.State, o.Dose = fault.Present, fault.InForce
		if hits > 0 && (!met(use.most, c.High.Before) || met(use.used, c.High.After)) {
			o.Dose = fault.Exercised
		}
	}
	o.Achieved = []fault.Measure{bytes("memory brake", use.high), bytes("memory used", use.used), {Name: "slowed down", Value: float64(hits), Unit: "times"}}
	o.Achieved = append(o.Achieved, g.Waited("memory")...)
	o.Detail = fmt.Sprintf("%s uses %s, above %s it is slowed down, which happened %d times", g.Path, size(use.used), size(use.high), hits)
	return o, nil
}
