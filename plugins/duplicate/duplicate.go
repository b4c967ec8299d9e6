// Package duplicate is the fault that lets a share of the packets between a host
// and its peers come twice, as a network does whose routes are just changing.
//
// The copy goes out (or comes in) directly before its original. TCP throws copies
// away; who notices are protocols of their own on UDP. It draws for each packet as
// the kernel hands it to the device; a copy is not drawn for again.
package duplicate

import (
	"context"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// Kind is the name of this fault.
const Kind fault.Kind = "duplicate"

func init() { fault.Register(Kind, fault.NewDriver(&Plugin{})) }

// Params is what an experiment file may set.
type Params struct {
	// Percent of the packets, drawn for each packet by itself.
	Percent string `json:"percent" jsonschema:"pattern=^[0-9]+([.][0-9]+)?%$,title=a percentage of packets,example=10%,description=Share of packets that come twice\\, drawn for each by itself"`
	traffic.Selection
}

// Plugin is the fault. The zero value is ready.
type Plugin struct{ traffic.Injector }

var _ fault.Plugin[Params, traffic.Change] = (*Plugin)(nil)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return traffic.Describe(Kind, "lets a share of packets come twice by address, port, protocol and direction")
}

// Prepare implements fault.Plugin.
func (p *Plugin) Prepare(ctx context.Context, t fault.Target, params Params) (traffic.Change, error) {
	share, err := traffic.Share("percent", params.Percent)
	if err != nil {
		return traffic.Change{}, err
	}
	return p.Injector.Prepare(ctx, t, params.Selection, traffic.Action{Does: bpf.Duplicate, Share: share})
}

// Apply implements fault.Plugin.
func (p *Plugin) Apply(ctx context.Context, t fault.Target, c traffic.Change, _, until fault.BootTime) error {
	return p.Injector.Apply(ctx, t, c, until, nil)
}

// Observe implements fault.Plugin. The share is read from the counters of the program
// that copies the packets, canaries of our own among them.
func (p *Plugin) Observe(_ context.Context, t fault.Target, c traffic.Change) (fault.Observation, error) {
	return p.ObserveShare(t, c, "duplication", "duplicated")
}
