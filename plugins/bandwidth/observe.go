package bandwidth

import (
	"context"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// window is how long the bucket's counters are watched.
const window = 400 * time.Millisecond

// Observe implements fault.Plugin. In force means that the rule steers and each
// bucket reads back as asked; exercised, that a bucket held packets up. Without
// traffic to hold up it sends a burst of its own, where the rule is about UDP out.
func (p *Plugin) Observe(ctx context.Context, t fault.Target, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{mbit(float64(c.Rate))}}
	s, err := traffic.Reopen(t, c.Change)
	if err != nil {
		return o, err
	}
	defer s.Close()
	r, err := s.Read(c.Change)
	o.State, o.Detail = r.State(), r.Detail("steered")
	if err != nil || o.State != fault.Present {
		return o, err
	}
	s.Unlock() // others need not wait for our window
	before, after, err := watch(ctx, s, c)
	if err != nil {
		return o, err
	}
	if r, err = s.Read(c.Change); err != nil {
		return o, err
	}
	if r.Dose() != fault.NotInForce && after.asAsked {
		o.Dose = fault.InForce
		if after.held > 0 && r.Own > 0 {
			o.Dose = fault.Exercised
		}
	}
	// The rate says something only while the bucket had something to hold up.
	if after.held > before.held {
		o.Achieved = append(o.Achieved, mbit(after.rate(before)))
	}
	o.Achieved = append(o.Achieved,
		fault.Measure{Name: "times held up", Value: float64(after.held), Unit: "times"},
		fault.Measure{Name: "packets dropped", Value: float64(after.dropped), Unit: "packets"},
	)
	o.Detail += fmt.Sprintf(", held up %d times, %d dropped", after.held, after.dropped)
	return o, nil
}

// buckets is what the kernel says of all buckets of one injection.
type buckets struct {
	at      time.Time
	asAsked bool
	bytes   map[string]float64 // of IP packets of full size, by device
	held    uint64             // how often a packet had to wait
	dropped uint64
}

// watch reads the buckets twice, with a burst before if nothing was held up yet.
func watch(ctx context.Context, s *traffic.Space, c Change) (before, after buckets, err error) {
	if before, err = read(s, c); err != nil {
		return before, after, err
	}
	if before.held == 0 && before.asAsked {
		_ = s.Burst(c.Change, c.enough()) // no route to the peer: then nothing is held up
	}
	select {
	case <-time.After(window):
	case <-ctx.Done():
		return before, after, fmt.Errorf("watch token buckets: %w", ctx.Err())
	}
	after, err = read(s, c)
	return before, after, err
}

// enough is a burst that a full bucket does not let through at once, in bytes;
// where that would be much to send, too little.
func (c Change) enough() int { return int(min(2*max(c.Rate/8/100, 10_000), 256<<10)) }

func read(s *traffic.Space, c Change) (buckets, error) {
	b := buckets{at: time.Now(), bytes: map[string]float64{}}
	found := 0
	planned, err := s.Nears(c.Change, func(w traffic.Way, near netlink.Link) error {
		qdiscs, err := s.Link.QdiscList(near)
		if err != nil {
			return fmt.Errorf("list qdiscs of %s: %w", w.Near, err)
		}
		for _, q := range qdiscs {
			if tbf, ok := q.(*netlink.Tbf); ok && b.add(tbf, c.bucket(near), near.Attrs().MTU) {
				found++
			}
		}
		return nil
	})
	b.asAsked = found == planned
	return b, err
}

// add counts a bucket and says whether it is as asked.
func (b *buckets) add(is, asked *netlink.Tbf, mtu int) bool {
	if is.Statistics != nil && is.Statistics.Basic != nil && is.Statistics.Queue != nil {
		b.bytes[fmt.Sprint(is.LinkIndex)] = float64(is.Statistics.Basic.Bytes) * float64(mtu) / float64(mtu+ethernetHeader)
		b.held += uint64(is.Statistics.Queue.Overlimits)
		b.dropped += uint64(is.Statistics.Queue.Drops)
	}
	return is.Rate == asked.Rate && is.Limit == asked.Limit && is.Handle == asked.Handle
}

// rate is that of the bucket that let most through since before, in bit/s.
func (b buckets) rate(before buckets) (most float64) {
	for device, bytes := range b.bytes {
		most = max(most, 8*(bytes-before.bytes[device])/b.at.Sub(before.at).Seconds())
	}
	return most
}

func mbit(rate float64) fault.Measure {
	return fault.Measure{Name: "bandwidth", Value: rate / 1e6, Unit: "Mbit/s"}
}
