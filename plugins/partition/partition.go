// Package partition is the fault that cuts a host off from peers, silently, as
// a cut wire does: nothing is refused, no connection is told, packets do not
// arrive. It does so with a BPF program on the clsact qdisc of the host's
// devices (tc-bpf(8)); where the kernel has no BPF it falls back to blackhole
// routes, which can do less, and says so.
package partition

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// Params is what an experiment file may set: who is cut off.
type Params struct {
	traffic.Selection
}

// Way is how the cut is made.
type Way string

// The ways.
const (
	WayBPF    Way = "bpf"
	WayRoutes Way = "routes"
)

// Change is the change record: what is cut and what was there before.
type Change struct {
	traffic.Change
	Way   Way `json:"way"`
	Table int `json:"table,omitempty"` // of WayRoutes
}

// Partition is the plugin. The zero value is ready.
type Partition struct {
	traffic.Injector
	noBPF bool // a switch of tests
}

var (
	_ fault.Plugin[Params, Change] = (*Partition)(nil)
	_                              = fault.Plugin[Params, Change](New())
)

// New returns the plugin.
func New() *Partition { return &Partition{noBPF: bpfOff} }

func init() { fault.Register("partition", fault.NewDriver(New())) }

// Describe returns what the fault is and needs.
func (*Partition) Describe() fault.Info {
	return fault.Info{
		Kind:            "partition",
		Summary:         "cuts a host off from peers by address, port, protocol and direction, silently like a cut wire",
		ContractVersion: fault.ContractVersion,
		PluginVersion:   "1",
		Touches:         []string{"qdisc", "filter", "bpf", "route", "rule"},
		Needs:           fault.Needs{Capabilities: []string{"CAP_NET_ADMIN", "CAP_BPF", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"}, Features: []string{"bpf-tc"}},
		Protection:      []fault.Protection{fault.ProtectKernelLease, fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:        fault.DestroysNothing,
	}
}

// Prepare checks the parameters and reads the devices. It loads programs and
// fills tries that no device refers to yet: they end with this process.
func (p *Partition) Prepare(_ context.Context, t fault.Target, params Params) (Change, error) {
	s, begun, err := traffic.Begin(t, params.Selection, traffic.Action{})
	if err != nil {
		return Change{}, err
	}
	defer s.Close()
	c := Change{Change: begun, Way: WayBPF}
	if p.noBPF {
		err = unix.ENOSYS
	} else {
		c.Change, err = p.PrepareIn(s, c.Change, params.Devices)
	}
	if reason := traffic.Missing(err); err != nil && reason != "" {
		return prepareRoutes(s, c, params, reason)
	}
	if err != nil {
		return Change{}, err
	}
	return c, nil
}

// Apply cuts, or renews until of a cut that is in place.
func (p *Partition) Apply(ctx context.Context, t fault.Target, c Change, _, until fault.BootTime) error {
	s, err := traffic.Reopen(t, c.Change)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("wait for the network namespace: %w", err)
	}
	if c.Way == WayRoutes {
		return p.applyRoutes(s.Link, c)
	}
	return p.ApplyIn(ctx, s, c.Change, until, nil)
}

// Revert heals and takes away what is ours.
func (p *Partition) Revert(_ context.Context, t fault.Target, c Change) error {
	s, err := traffic.Reopen(t, c.Change)
	if err != nil {
		return err
	}
	defer s.Close()
	if c.Way == WayRoutes {
		return revertRoutes(s.Link, c)
	}
	return p.RevertIn(s, c.Change)
}
