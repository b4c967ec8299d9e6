// Package bandwidth is the fault that leaves the packets between a host and its
// peers only so much bandwidth, as a line does that is thin or shared.
//
// The kernel's token bucket (tc-tbf(8)) holds the packets up. It does not stand on
// the user's device but on one of ours, over which the program of the network
// faults steers the packets that were selected; the user's own queueing
// disciplines stay as they are and see the packets afterwards. When Firedrill dies
// the lease runs out, packets take their own way again, and an idle pair of
// devices is all that is left to sweep up.
//
// The rate is of IP packets of full size; small ones get less, as each carries an
// Ethernet header. Each device and each direction has it for itself, and all
// connections that are selected share it. What waits does so for 50 ms at most, or
// for 15 packets at low rates: then packets are dropped, as at the head of a thin
// line. Packets that come in are held up after they have arrived.
package bandwidth

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// Kind is the name of this fault.
const Kind fault.Kind = "bandwidth"

func init() { fault.Register(Kind, fault.NewDriver(&Plugin{})) }

// Params is what an experiment file may set.
type Params struct {
	// Rate is what is left.
	Rate string `json:"rate" jsonschema:"pattern=^[0-9]+([.][0-9]+)?(kbit|mbit|gbit)$,title=a rate,example=10mbit,description=What is left to all selected packets of one direction of one device together: 300kbit\\, 10mbit or 1gbit"`
	traffic.Selection
}

// Change is the change record.
type Change struct {
	traffic.Change
	Rate uint64 `json:"rate"` // bit/s of IP packets
}

// Plugin is the fault. The zero value is ready.
type Plugin struct{ traffic.Injector }

var _ fault.Plugin[Params, Change] = (*Plugin)(nil)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	info := traffic.Describe(Kind, "leaves only so much bandwidth by address, port, protocol and direction, as a thin line does", "link")
	info.Needs.Features = append(info.Needs.Features, "sch-tbf")
	return info
}

// Prepare implements fault.Plugin.
func (p *Plugin) Prepare(ctx context.Context, t fault.Target, params Params) (Change, error) {
	rate, err := parseRate(params.Rate)
	if err != nil {
		return Change{}, err
	}
	if err := traffic.Probe(Change{Rate: rate}.bucket(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{MTU: 1500}})); err != nil {
		return Change{}, err
	}
	c, err := p.Injector.Prepare(ctx, t, params.Selection, traffic.Action{Does: bpf.Steer})
	return Change{Change: c, Rate: rate}, err
}

// Apply implements fault.Plugin.
func (p *Plugin) Apply(ctx context.Context, t fault.Target, c Change, _, until fault.BootTime) error {
	return p.Injector.Apply(ctx, t, c.Change, until, c.lay)
}

// Revert implements fault.Plugin.
func (p *Plugin) Revert(ctx context.Context, t fault.Target, c Change) error {
	return p.Injector.Revert(ctx, t, c.Change)
}

// lay puts the bucket onto the near end of a pair.
func (c Change) lay(h *netlink.Handle, near netlink.Link) error {
	if err := h.QdiscReplace(c.bucket(near)); err != nil {
		return fmt.Errorf("add token bucket to %s: %w", near.Attrs().Name, err)
	}
	return nil
}

const ethernetHeader = 14

// frames is the rate of frames, in bytes/s, at which IP packets of full size have
// the rate that was asked.
func (c Change) frames(mtu int) uint64 {
	return uint64(float64(c.Rate) / 8 * float64(mtu+ethernetHeader) / float64(mtu))
}

// bucket is the qdisc as it is asked of the kernel. The bucket holds 10 ms of the
// rate, so that a timer that comes late on a busy host costs nothing.
func (c Change) bucket(near netlink.Link) *netlink.Tbf {
	mtu := near.Attrs().MTU
	rate, frame := c.frames(mtu), uint64(mtu+ethernetHeader)
	burst := max(rate/100, 5*frame)
	return &netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: near.Attrs().Index, Handle: netlink.MakeHandle(bucketHandle, 0), Parent: netlink.HANDLE_ROOT},
		Rate:       rate,
		Buffer:     netlink.Xmittime(rate, uint32(burst)),
		Limit:      uint32(burst + max(rate/20, 15*frame)),
	}
}

// bucketHandle is ours, among the queueing disciplines.
const bucketHandle = 0x4644
