// Package corrupt is the fault that changes payload on its way, so that the
// application gets other bytes than were sent and nothing below it can tell: two
// neighbouring bytes of a TCP segment's or UDP datagram's payload are changed and
// the checksum is made right again. That is what a broken memory in a router does,
// or one in the rest of the network card; checksums of 16 bits are known to miss
// it. TLS, SSH and formats with sums of their own notice; who has none, stores it.
//
// Bits that flip on the wire itself are another fault: there the checksum is wrong
// and the receiver's kernel throws the packet away, which looks like loss, and the
// fault loss does that.
//
// Only packets with at least two bytes of payload are meant, and counted. What is
// changed for good is what the application does with the bytes: nothing undoes
// that. The packets that TCP sends again are drawn for again, and those that were
// received are not sent again.
package corrupt

import (
	"context"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// Kind is the name of this fault.
const Kind fault.Kind = "corrupt"

func init() { fault.Register(Kind, fault.NewDriver(&Plugin{})) }

// Params is what an experiment file may set.
type Params struct {
	// Percent of the packets, drawn for each packet by itself.
	Percent string `json:"percent" jsonschema:"pattern=^[0-9]+([.][0-9]+)?%$,title=a percentage of packets,example=10%,description=Share of packets with payload that arrive with other bytes\\, drawn for each by itself"`
	traffic.Selection
}

// Plugin is the fault. The zero value is ready.
type Plugin struct{ traffic.Injector }

var _ fault.Plugin[Params, traffic.Change] = (*Plugin)(nil)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return traffic.Describe(Kind, "changes payload bytes of a share of packets by address, port, protocol and direction, with right checksums: only the application can tell")
}

// Prepare implements fault.Plugin.
func (p *Plugin) Prepare(ctx context.Context, t fault.Target, params Params) (traffic.Change, error) {
	share, err := traffic.Share("percent", params.Percent)
	if err != nil {
		return traffic.Change{}, err
	}
	return p.Injector.Prepare(ctx, t, params.Selection, traffic.Action{Does: bpf.Corrupt, Share: share})
}

// Apply implements fault.Plugin.
func (p *Plugin) Apply(ctx context.Context, t fault.Target, c traffic.Change, _, until fault.BootTime) error {
	return p.Injector.Apply(ctx, t, c, until, nil)
}

// Observe implements fault.Plugin. The share is of packets with payload, read from the
// counters of the program that changes them, canaries of our own among them.
func (p *Plugin) Observe(_ context.Context, t fault.Target, c traffic.Change) (fault.Observation, error) {
	return p.ObserveShare(t, c, "corruption", "corrupted")
}
