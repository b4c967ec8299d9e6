package memory

import (
	"fmt"
	"strconv"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// nearLimit is the share of a limit from which on a group may have run into it:
// big pages are refused before the limit is reached.
const nearLimit = 0.9

// observe: present means that the limit reads back as asked; exercised, that the
// kernel counted that the group ran into it.
func (c limit) observe(t fault.Target) (fault.Observation, error) {
	asked, err := strconv.ParseUint(c.Limit.After, 10, 64)
	if err != nil {
		return fault.Observation{}, fmt.Errorf("read change record: limit %q is no number", c.Limit.After)
	}
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{bytes("memory limit", asked)}}
	g := c.Limit.Group
	now, err := c.Limit.Now(t)
	if err != nil {
		return o, err
	}
	use, err := read(g)
	if err != nil {
		return o, err
	}
	hits, killed := since(use.hits, c.Hits), since(use.killed, c.Killed)
	if now == c.Limit.After {
		o.State, o.Dose = fault.Present, fault.InForce
		if hits+killed > 0 && (!met(use.most, c.Limit.Before) || met(use.used, c.Limit.After)) {
			o.Dose = fault.Exercised
		}
	}
	if c.Brake != nil && use.highText == c.Brake.After {
		o.State = fault.Partial // Apply did not come to its end
	}
	o.Achieved = []fault.Measure{
		bytes("memory limit", use.limit), bytes("memory used", use.used), bytes("most memory used", use.most),
		{Name: "limit hits", Value: float64(hits), Unit: "times"}, {Name: "killed for want of memory", Value: float64(killed), Unit: "processes"},
	}
	o.Achieved = append(o.Achieved, g.Waited("memory")...)
	o.Detail = fmt.Sprintf("%s uses %s of %s, hit the limit %d times, lost %d processes for want of memory", g.Path, size(use.used), size(use.limit), hits, killed)
	if c.OOMGroup == "1" {
		o.Detail += "; memory.oom.group is 1: when one is killed, all are"
	}
	return o, nil
}

// met says whether a group that uses n bytes may have run into limit. One that
// never came near its old limit has all its hits from ours.
func met(n uint64, limit string) bool {
	l, err := amount(limit)
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
