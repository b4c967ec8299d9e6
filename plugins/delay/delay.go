// Package delay is the fault that lets packets between a host and its peers arrive
// later, all alike or each by chance of its own, as a long or a busy line does.
//
// The kernel's delay line (tc-netem(8)) holds the packets back. It does not stand
// on the user's device but on one of ours, over which the program of the network
// faults steers the packets that were selected; the user's own queueing
// disciplines stay as they are and see the packets afterwards.
//
// A kernel without netem gets a delay line in the plugin's process (relay.go), and
// Observe says so. It is as exact, and carries less: about half a gigabit a second
// for each connection at 50 ms. Marks of packets are kept from
// kernel 5.19 on, VLAN tags are not. When its process dies packets go their own
// way within 0.3 s, and no lease brings the delay back.
//
// Each direction is delayed for itself: with direction both, a round trip takes
// twice the latency longer. Jitter lets packets overtake each other. What waits
// when the fault ends is lost, once.
package delay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// Kind is the name of this fault.
const Kind fault.Kind = "delay"

func init() { fault.Register(Kind, fault.NewDriver(&Plugin{})) }

// Params is what an experiment file may set.
type Params struct {
	// Latency is how much later each packet arrives.
	Latency string `json:"latency" jsonschema:"pattern=^[0-9]+([.][0-9]+)?(us|ms|s)$,title=a duration,example=50ms,description=How much later packets arrive\\, in each direction: from 100us to 60s"`
	// Jitter is how far chance may move it, up and down.
	Jitter string `json:"jitter,omitempty" jsonschema:"pattern=^[0-9]+([.][0-9]+)?(us|ms|s)$,title=a duration,example=10ms,description=How far chance moves the latency of each packet up or down\\, evenly; no more than the latency"`
	// Reorder is the share of packets that do not wait.
	Reorder string `json:"reorder,omitempty" jsonschema:"pattern=^[0-9]+([.][0-9]+)?%$,title=a percentage of packets,example=1%,description=Share of packets that do not wait and so overtake the others"`
	traffic.Selection
}

// Change is the change record.
type Change struct {
	traffic.Change
	Latency time.Duration `json:"latency"`
	Jitter  time.Duration `json:"jitter,omitempty"`
	Reorder float64       `json:"reorder,omitempty"` // share
}

// Plugin is the fault. The zero value is ready.
type Plugin struct {
	traffic.Injector
	relays  relays
	noNetem bool // a switch of tests
}

var _ fault.Plugin[Params, Change] = (*Plugin)(nil)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return traffic.Describe(Kind, "lets packets arrive later by address, port, protocol and direction, with jitter and reordering", "link")
}

// Prepare implements fault.Plugin.
func (p *Plugin) Prepare(ctx context.Context, t fault.Target, params Params) (Change, error) {
	c, err := params.parse()
	if err != nil {
		return c, err
	}
	err = traffic.Probe(c.line(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{MTU: 1500}}))
	relay := p.noNetem || errors.Is(err, fault.ErrUnsupported)
	if err != nil && !relay {
		return c, err
	}
	c.Change, err = p.Injector.Prepare(ctx, t, params.Selection, traffic.Action{Does: bpf.Steer, Relay: relay})
	return c, err
}

// What a latency may be.
const (
	leastLatency = 100 * time.Microsecond
	mostLatency  = time.Minute
)

func (p Params) parse() (c Change, err error) {
	if c.Latency, err = time.ParseDuration(p.Latency); err != nil || c.Latency < leastLatency || c.Latency > mostLatency {
		return c, fault.Refuse("latency", "%q is not a duration between %v and %v; write it like 50ms", p.Latency, leastLatency, mostLatency)
	}
	if p.Jitter != "" {
		if c.Jitter, err = time.ParseDuration(p.Jitter); err != nil || c.Jitter < 0 || c.Jitter > c.Latency {
			return c, fault.Refuse("jitter", "%q is not a duration up to the latency, %v; write it like 10ms", p.Jitter, c.Latency)
		}
	}
	if p.Reorder != "" {
		c.Reorder, err = traffic.Share("reorder", p.Reorder)
	}
	return c, err
}

// Apply implements fault.Plugin.
func (p *Plugin) Apply(ctx context.Context, t fault.Target, c Change, _, until fault.BootTime) error {
	if !c.Action.Relay {
		return p.Injector.Apply(ctx, t, c.Change, until, c.lay)
	}
	if err := p.Injector.Apply(ctx, t, c.Change, until, func(*netlink.Handle, netlink.Link) error { return nil }); err != nil {
		return err
	}
	return p.relays.run(t, c, until)
}

// Revert implements fault.Plugin. A relay ends when its device is gone.
func (p *Plugin) Revert(ctx context.Context, t fault.Target, c Change) error {
	return p.Injector.Revert(ctx, t, c.Change)
}

// lay puts the delay line onto the near end of a pair.
func (c Change) lay(h *netlink.Handle, near netlink.Link) error {
	if err := h.QdiscReplace(c.line(near)); err != nil {
		return fmt.Errorf("add delay line to %s: %w", near.Attrs().Name, err)
	}
	return nil
}

// lineHandle is ours, among the queueing disciplines.
const lineHandle = 0x4644

// line is the qdisc as it is asked of the kernel, with room for 10 Gbit/s.
func (c Change) line(near netlink.Link) *netlink.Netem {
	const packetsPerSecond = 10e9 / 8 / 1500
	limit := math.Min(1e6, 1000+packetsPerSecond*(c.Latency+c.Jitter).Seconds())
	return netlink.NewNetem(
		netlink.QdiscAttrs{LinkIndex: near.Attrs().Index, Handle: netlink.MakeHandle(lineHandle, 0), Parent: netlink.HANDLE_ROOT},
		netlink.NetemQdiscAttrs{Latency: uint32(c.Latency.Microseconds()), Jitter: uint32(c.Jitter.Microseconds()), ReorderProb: float32(100 * c.Reorder), Limit: uint32(limit)},
	)
}
