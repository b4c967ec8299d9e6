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
// and says how many. What is about incoming packets only has no canary: nothing
// of this host's own comes in.
func (s *Space) SendCanaries(c Change, n int) (sent int) {
	if c.Rule.Direction&bpf.Out == 0 {
		return 0
	}
	_ = s.NS.Do(func() error {
		for _, pre := range c.Rule.To[:min(len(c.Rule.To), MaxCanaries)] {
			for range n {
				if pre.Bits() == 0 && c.Rule.Protocol != unix.IPPROTO_TCP {
					sent += callAll(pre, c)
				} else if SendCanary(pre, c.Rule) == nil {
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
	began := uint64(fault.Now())
	if s.SendCanaries(c, 1) == 0 {
		return 0, nil
	}
	for {
		left, came, err := s.lastCanary(c)
		if err != nil {
			return 0, err
		}
		if left > began && came > left {
			return time.Duration(came - left), nil
		}
		if fault.Now().Sub(fault.BootTime(began)) > patience {
			return 0, nil
		}
		time.Sleep(time.Millisecond)
	}
}

// lastCanary is when the last canary left, and when it came back.
func (s *Space) lastCanary(c Change) (left, came uint64, err error) {
	for _, d := range c.Devices {
		link, err := linkOf(s.Link, d)
		if errors.Is(err, fault.ErrGone) {
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		n, err := countOf(s.Link, link, c)
		if err != nil {
			return 0, 0, err
		}
		left = max(left, n.CanaryAt)
		for _, w := range d.Ways {
			b, err := c.back(s.Link, w)
			if err != nil {
				return 0, 0, err
			}
			came = max(came, b.CanaryAt)
		}
	}
	return left, came, nil
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
