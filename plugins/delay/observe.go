package delay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// byRelay is what the report says of the delay line in our process.
const byRelay = "by a delay line in the plugin's own process, for lack of netem"

// Observe implements fault.Plugin. In force means that the rule steers and each
// delay line reads back as asked; exercised, that a canary of our own came back
// over a line, or packets of others did. The latency is that of the canaries, by
// the clock of the programs at both ends.
func (p *Plugin) Observe(ctx context.Context, t fault.Target, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{ms("latency", c.Latency)}}
	s, err := traffic.Reopen(t, c.Change)
	if err != nil {
		return o, err
	}
	defer s.Close()
	r, err := s.Read(c.Change)
	o.State, o.Detail = r.State(), r.Detail("steered")
	if c.Action.Relay {
		o.Detail += ", " + byRelay
	}
	if err != nil || o.State != fault.Present {
		return o, err
	}
	asAsked, err := linesAsAsked(s, c)
	if err != nil || r.Dose() == fault.NotInForce || !asAsked {
		return o, err
	}
	o.Dose = fault.InForce
	s.Unlock() // others need not wait for our canaries
	seen, err := latencies(ctx, s, c)
	if err != nil {
		return o, err
	}
	passed, err := s.CameBack(c.Change)
	if err != nil {
		return o, err
	}
	if r, err = s.Read(c.Change); err != nil {
		return o, err
	}
	if passed > 0 && r.Dose() == fault.Exercised {
		o.Dose = fault.Exercised
	}
	if len(seen) > 0 {
		o.Achieved = append(o.Achieved, ms("latency", seen[len(seen)/2]))
	}
	o.Achieved = append(o.Achieved, fault.Measure{Name: "packets delayed", Value: float64(passed), Unit: "packets"})
	return o, nil
}

// What the canaries of one Observe may take: as many as fit, at most so many.
const (
	mostCanaries = 9
	span         = time.Second
)

// latencies sends canaries, one after the other, and returns how long each was on
// its way, the shortest first.
func latencies(ctx context.Context, s *traffic.Space, c Change) (seen []time.Duration, err error) {
	patience := c.Latency + c.Jitter + 200*time.Millisecond
	for n := min(mostCanaries, 1+int(span/(c.Latency+c.Jitter))); n > 0 && ctx.Err() == nil; n-- {
		d, err := s.Latency(c.Change, patience)
		if err != nil {
			return nil, err
		}
		if d == 0 {
			break // no way out for a canary: more would not help
		}
		seen = append(seen, d)
	}
	slices.Sort(seen)
	return seen, nil
}

// linesAsAsked reads the kernel's delay lines back.
func linesAsAsked(s *traffic.Space, c Change) (bool, error) {
	if c.Action.Relay {
		return true, nil // its sign of life is part of the reading
	}
	found := 0
	planned, err := s.Nears(c.Change, func(w traffic.Way, near netlink.Link) error {
		qdiscs, err := s.Link.QdiscList(near)
		if err != nil {
			return fmt.Errorf("list qdiscs of %s: %w", w.Near, err)
		}
		asked := c.line(near)
		for _, q := range qdiscs {
			if is, ok := q.(*netlink.Netem); ok && is.Handle == asked.Handle && is.Latency == asked.Latency && is.Jitter == asked.Jitter && is.ReorderProb == asked.ReorderProb {
				found++
			}
		}
		return nil
	})
	return found == planned, err
}

func ms(name string, d time.Duration) fault.Measure {
	return fault.Measure{Name: name, Value: float64(d) / float64(time.Millisecond), Unit: "ms"}
}
