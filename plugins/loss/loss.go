// Package loss is the fault that loses a share of the packets between a host and
// its peers, as a bad line does: silently, each packet by chance of its own.
//
// It draws for each packet as the kernel hands it to the device. With
// segmentation offload (ethtool(8), tso and gso) that is up to 64 KB of a TCP
// stream at once, so that bulk transfers lose in bursts. In both directions each
// is drawn for: of requests that need a packet there and one back, 10% each way
// lose 19%.
package loss

import (
	"context"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// Kind is the name of this fault.
const Kind fault.Kind = "loss"

func init() { fault.Register(Kind, fault.NewDriver(&Plugin{})) }

// Params is what an experiment file may set.
type Params struct {
	// Percent of the packets, drawn for each packet by itself.
	Percent string `json:"percent" jsonschema:"pattern=^[0-9]+([.][0-9]+)?%$,title=a percentage of packets,example=10%,description=Share of packets that get lost\\, drawn for each by itself; 10% in both directions lose 19% of the pings"`
	traffic.Selection
}

// Plugin is the fault. The zero value is ready.
type Plugin struct{ traffic.Injector }

var _ fault.Plugin[Params, traffic.Change] = (*Plugin)(nil)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return traffic.Describe(Kind, "loses a share of packets by address, port, protocol and direction, silently like a bad line")
}

// Prepare implements fault.Plugin.
func (p *Plugin) Prepare(ctx context.Context, t fault.Target, params Params) (traffic.Change, error) {
	share, err := traffic.Share("percent", params.Percent)
	if err != nil {
		return traffic.Change{}, err
	}
	return p.Injector.Prepare(ctx, t, params.Selection, traffic.Action{Does: bpf.Lose, Share: share})
}

// Apply implements fault.Plugin.
func (p *Plugin) Apply(ctx context.Context, t fault.Target, c traffic.Change, _, until fault.BootTime) error {
	return p.Injector.Apply(ctx, t, c, until, nil)
}

// Observe implements fault.Plugin. The share is read from the counters of the program
// that loses the packets, canaries of our own among them.
func (p *Plugin) Observe(_ context.Context, t fault.Target, c traffic.Change) (fault.Observation, error) {
	return p.ObserveShare(t, c, "loss", "lost")
}
