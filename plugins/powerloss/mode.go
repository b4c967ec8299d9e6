package powerloss

import (
	"context"
	"maps"
	"slices"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Mode names a way of taking the power.
type Mode string

// The modes.
const (
	ModeLab      Mode = "lab"             // a host of the lab, from beside it
	ModeWorkload Mode = "workload"        // services of a real host, which runs on
	ModeRedfish  Mode = "machine-redfish" // a machine, at its management controller
	ModeSysrq    Mode = "machine-sysrq"   // a machine, restarted by its own kernel
)

// of is the mode that is meant for a target, unless one is asked for: the lab's
// where a power controller is configured, else that for services of the host.
func (m Mode) of(t fault.Target) Mode {
	if m == "" && t.Power == "" {
		return ModeWorkload
	}
	return m.recorded()
}

// recorded is the mode that wrote a change record.
func (m Mode) recorded() Mode {
	if m == "" {
		return ModeLab
	}
	return m
}

// mode is one way of taking the power. Its methods are those of fault.Plugin and
// fault.Batcher for the injections of the mode.
type mode interface {
	// describe is what differs from the fault's Info.
	describe() fault.Mode
	// prepare fills in the mode's part of the record.
	prepare(ctx context.Context, t fault.Target, p Params, c *Change) error
	// apply returns one error (or nil) an item.
	apply(ctx context.Context, items []fault.Item[Change], until fault.BootTime) []error
	observe(ctx context.Context, t fault.Target, c Change) (fault.Observation, error)
	revert(ctx context.Context, t fault.Target, c Change) error
}

// modes has one entry a mode; the only place that lists them.
var modes = map[Mode]func(*Plugin) mode{
	ModeLab:      func(p *Plugin) mode { return labMode{passed: p.passed} },
	ModeWorkload: func(p *Plugin) mode { return workloadMode{network: &p.network, passed: p.passed} },
	ModeRedfish:  func(*Plugin) mode { return redfishMode{self: machineUUID, patience: offLimit} },
	ModeSysrq:    func(*Plugin) mode { return sysrqMode{trigger: sysrqTrigger, ns: firstPIDNS} },
}

func (p *Plugin) mode(name Mode) (mode, error) {
	m, ok := modes[name]
	if !ok {
		return nil, fault.Refuse("mode", "no mode %q; the modes are %v", name, slices.Sorted(maps.Keys(modes)))
	}
	return m(p), nil
}

func describeModes() map[string]fault.Mode {
	all := map[string]fault.Mode{}
	for name, m := range modes {
		all[string(name)] = m(&Plugin{}).describe()
	}
	return all
}
