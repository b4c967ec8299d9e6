package partition

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Observe reads table and counters back from the kernel, after having sent a
// canary to each peer: a packet that must show up in the drop counter.
func (p *Partition) Observe(_ context.Context, t fault.Target, c Change) (fault.Observation, error) {
	ns, h, err := reopen(t, c)
	if errors.Is(err, fault.ErrGone) {
		return fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Detail: err.Error()}, nil
	}
	if err != nil {
		return fault.Observation{}, err
	}
	defer closeBoth(ns, h)
	if c.Way == WayRoutes {
		return observeRoutes(ns, h, c)
	}
	before, err := read(h, c)
	if err != nil || before.present == 0 {
		return before.observation(c), err
	}
	sent := canaries(ns, c)
	after, err := read(h, c)
	after.sent = sent
	return after.observation(c), err
}

// reading is what the kernel holds of one injection, over all its devices.
type reading struct {
	present, half, inForce int // devices
	packets, canaries      uint64
	seen                   int // peers of which a packet was cut
	sent                   int // canaries
}

func read(h *netlink.Handle, c Change) (r reading, err error) {
	for _, d := range c.Devices {
		link, err := linkOf(h, d)
		if errors.Is(err, fault.ErrGone) {
			continue
		}
		if err != nil {
			return r, err
		}
		if err := r.add(h, link, c, d); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *reading) add(h *netlink.Handle, link netlink.Link, c Change, d Device) error {
	t, err := findTable(h, link)
	if err != nil {
		return err
	}
	if t == nil {
		there, err := hasClsact(h, link)
		if there && !d.Clsact {
			r.half++
		}
		return err
	}
	defer t.Close()
	slot, held, err := t.slotOf(c.Owner)
	if err != nil || !held {
		return err
	}
	r.present++
	rule, err := t.rule(slot)
	if err != nil {
		return err
	}
	asked := c.rule(0)
	asked.Until = rule.Until
	if rule == asked && rule.Until > uint64(fault.Now()) {
		r.inForce++
	}
	n, err := t.count(slot)
	if err != nil {
		return err
	}
	r.packets += n.Packets
	r.canaries += n.Canaries
	seen, err := t.peersSeen(slot)
	r.seen = max(r.seen, seen)
	return err
}

func (r reading) observation(c Change) fault.Observation {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce}
	o.Asked = []fault.Measure{{Name: "peers cut off", Value: float64(len(c.Rule.To)), Unit: "prefixes"}}
	switch {
	case r.present == len(c.Devices):
		o.State = fault.Present
	case r.present+r.half > 0:
		o.State = fault.Partial
	}
	if r.inForce > 0 && r.inForce == len(c.Devices) {
		o.Dose = fault.InForce
		if r.packets > 0 {
			o.Dose = fault.Exercised
		}
	}
	o.Achieved = []fault.Measure{
		{Name: "peers seen cut off", Value: float64(r.seen), Unit: "prefixes"},
		{Name: "packets cut", Value: float64(r.packets), Unit: "packets"},
		{Name: "canaries cut", Value: float64(r.canaries), Unit: "packets"},
	}
	o.Detail = fmt.Sprintf("%d of %d devices in force, %d packets cut, %d of them canaries (%d sent)", r.inForce, len(c.Devices), r.packets, r.canaries, r.sent)
	return o
}

// canaries sends one packet to each peer that must be cut on its way out, and
// says how many. A cut of incoming packets only has no canary: nothing of this
// host's own comes in.
func canaries(ns *netns.NS, c Change) (sent int) {
	_ = ns.Do(func() error {
		for _, pre := range c.Rule.To[:min(len(c.Rule.To), maxCanaries)] {
			if sendCanary(pre, c.Rule) == nil {
				sent++
			}
		}
		return nil
	})
	return sent
}
