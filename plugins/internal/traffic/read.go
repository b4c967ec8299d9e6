package traffic

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
)

// Reading is what the kernel holds of one injection, over all its devices.
type Reading struct {
	Devices                int // of the record
	Present, Half, InForce int // of them
	Matched, Acted         uint64
	Canaries               uint64 // of those acted upon, ours
	Peers                  int    // of which a packet was acted upon
	Sent                   int    // canaries, by this Observe
	Alive                  bool   // the relay, if there must be one
	Own                    uint64 // of those acted upon, which prove that the rule acts: a group's own packets
	Gone                   error  // why nothing can be there, or is about nobody
}

// Observe reads the table back, after having sent as many canaries as told to
// each peer: packets that must show up in its counters.
func (i *Injector) Observe(t fault.Target, c Change, canaries int) (Reading, error) {
	s, err := Reopen(t, c)
	if errors.Is(err, fault.ErrGone) {
		return Reading{Devices: len(c.Devices), Gone: err}, nil
	}
	if err != nil {
		return Reading{}, err
	}
	defer s.Close()
	return i.ObserveIn(s, c, canaries)
}

// ObserveIn is Observe for a namespace that is open.
func (i *Injector) ObserveIn(s *Space, c Change, canaries int) (Reading, error) {
	before, err := s.Read(c)
	if err != nil || before.Present == 0 {
		return before, err
	}
	sent := s.SendCanaries(c, canaries)
	after, err := s.Read(c)
	after.Sent = sent
	return after, err
}

// Read reads table and counters of all devices of c.
func (s *Space) Read(c Change) (Reading, error) {
	r := Reading{Devices: len(c.Devices), Gone: s.gone}
	for _, d := range c.Devices {
		link, err := linkOf(s.Link, d)
		if errors.Is(err, fault.ErrGone) {
			continue
		}
		if err != nil {
			return r, err
		}
		if err := r.add(s.Link, link, c, d); err != nil {
			return r, err
		}
	}
	r.Own = r.Acted
	if c.Rule.Group != nil {
		r.Own -= r.Canaries // which only count as the group's
	}
	return r, nil
}

func (r *Reading) add(h *netlink.Handle, link netlink.Link, c Change, d Device) error {
	t, err := findTable(h, link)
	if err != nil {
		return err
	}
	if t == nil {
		there, err := hasClsact(h, link)
		if there && !d.Clsact || c.anyWay(h, d) {
			r.Half++
		}
		return err
	}
	defer t.Close()
	slot, held, err := t.slotOf(c.Owner)
	if err != nil {
		return err
	}
	if !held {
		if c.anyWay(h, d) {
			r.Half++
		}
		return nil
	}
	r.Present++
	now, err := t.rule(slot)
	if err != nil {
		return err
	}
	asked := c.rule(0)
	asked.Until = now.Until
	ways, gone := c.findWays(h, d)
	asked.Way = ways
	alive, err := t.alive(slot)
	if err != nil {
		return err
	}
	if r.Alive = alive || !c.Action.Relay; gone == nil && now == asked && now.Until > uint64(fault.Now()) && r.Alive {
		r.InForce++
	}
	return r.count(t, slot)
}

func (r *Reading) count(t *table, slot uint32) error {
	n, err := t.count(slot)
	if err != nil {
		return err
	}
	r.Matched += n.Matched
	r.Acted += n.Packets
	r.Canaries += n.Canaries
	seen, err := t.peersSeen(slot)
	r.Peers = max(r.Peers, seen)
	return err
}

// State is how much of the injection is there.
func (r Reading) State() fault.State {
	switch {
	case r.Present == r.Devices && r.Devices > 0:
		return fault.Present
	case r.Present+r.Half > 0:
		return fault.Partial
	}
	return fault.Absent
}

// Dose says whether the rule stands as asked everywhere, and whether its meter
// saw it act.
func (r Reading) Dose() fault.Dose {
	switch {
	case r.InForce == 0 || r.InForce < r.Devices || r.Gone != nil:
		return fault.NotInForce
	case r.Own > 0:
		return fault.Exercised
	}
	return fault.InForce
}

// Share is how many of the packets that the rule is about were acted upon, in %.
func (r Reading) Share() float64 {
	if r.Matched == 0 {
		return 0
	}
	return 100 * float64(r.Acted) / float64(r.Matched)
}

// Detail tells the reading to people; did is what happened to packets, "lost".
func (r Reading) Detail(did string) string {
	if r.Gone != nil {
		return r.Gone.Error()
	}
	return fmt.Sprintf("%d of %d devices in force, %d of %d packets %s, %d of them canaries (%d sent)", r.InForce, r.Devices, r.Acted, r.Matched, did, r.Canaries, r.Sent)
}

// SendCanaries sends n packets to each peer that c is about on their way out,
// and says how many.
func (s *Space) SendCanaries(c Change, n int) (sent int) {
	_ = s.NS.Do(func() error {
		for _, send := range c.canaries() {
			for range n {
				if send() == nil {
					sent++
				}
			}
		}
		return nil
	})
	return sent
}

// burstPayload is what a canary of a burst carries: what fits every MTU there is.
const burstPayload = 1200

// Latency sends one canary and returns how long it was on its way over a queue of
// ours, by the clock of the programs at both ends; 0 if none came back within so
// long, or if the rule is about incoming packets only.
func (s *Space) Latency(c Change, patience time.Duration) (time.Duration, error) {
	for range 2 {
		d, alone, err := s.latencyOfOne(c, patience)
		if err != nil || alone {
			return d, err
		}
	}
	return 0, nil
}

// latencyOfOne is Latency. The programs keep the time of the last canary only, so
// one of several on their way says nothing: alone is false then. That is so where
// the neighbours are still to be resolved, or beside somebody else who observes.
func (s *Space) latencyOfOne(c Change, patience time.Duration) (d time.Duration, alone bool, err error) {
	before, err := s.lastCanary(c)
	if err != nil {
		return 0, true, err
	}
	end := fault.Now().Add(patience)
	if sent, err := s.sendOne(c, before); err != nil || !sent {
		return 0, true, err
	}
	for {
		now, err := s.lastCanary(c)
		late := end.Sub(fault.Now()) < 0
		switch n := now.sent - before.sent; {
		case err != nil:
			return 0, true, err
		case n > 1 && late:
			return 0, false, nil // by now they have all come back
		case n == 1 && now.came > now.left:
			return time.Duration(now.came - now.left), true, nil
		case late:
			return 0, true, nil
		}
		time.Sleep(time.Millisecond)
	}
}

// sendOne tries the peers of c one after the other until a canary has left; sent is
// false if none could be sent.
func (s *Space) sendOne(c Change, before canaryTimes) (sent bool, err error) {
	err = s.NS.Do(func() error {
		for _, send := range c.canaries() {
			if send() != nil {
				continue // another peer may have a route
			}
			sent = true
			if now, err := s.lastCanary(c); err != nil || now.sent > before.sent {
				return err
			}
		}
		return nil
	})
	return sent, err
}

// canaryTimes is when the last canary left and came back, as CLOCK_BOOTTIME in ns,
// and how many have left.
type canaryTimes struct{ left, came, sent uint64 }

func (s *Space) lastCanary(c Change) (last canaryTimes, err error) {
	for _, d := range c.Devices {
		link, err := linkOf(s.Link, d)
		if errors.Is(err, fault.ErrGone) {
			continue
		}
		if err != nil {
			return last, err
		}
		n, err := countOf(s.Link, link, c)
		if err != nil {
			return last, err
		}
		last.left = max(last.left, n.CanaryAt)
		last.sent += n.Canaries
		for _, w := range d.Ways {
			b, err := c.back(s.Link, w)
			if err != nil {
				return last, err
			}
			last.came = max(last.came, b.CanaryAt)
		}
	}
	return last, nil
}

func countOf(h *netlink.Handle, link netlink.Link, c Change) (n bpf.CutCount, err error) {
	t, err := findTable(h, link)
	if err != nil || t == nil {
		return n, err
	}
	defer t.Close()
	slot, held, err := t.slotOf(c.Owner)
	if err != nil || !held {
		return n, err
	}
	return t.count(slot)
}

// Burst sends so many bytes of canaries at once to the first peer, to fill a
// queue; it does so only where the rule is about datagrams on their way out.
func (s *Space) Burst(c Change, bytes int) error {
	if c.Rule.Direction&bpf.Out == 0 || c.Rule.Protocol != 0 && c.Rule.Protocol != unix.IPPROTO_UDP {
		return nil
	}
	return s.NS.Do(func() error { return sendCanary(c.Rule.To[0], c.Rule, bytes/burstPayload+1, burstPayload) })
}
