// Package powerloss takes the power from a host of the lab, from services of a real
// host, or from a whole machine.
//
// A power cut is not kill -9: a killed process leaves its unsynced writes in the
// page cache, and its sockets say good-bye. Here the network goes dark first, then
// everything is frozen, then the file systems are shut down without a flush, then
// all is killed and released. What was not synced is lost, what was synced is there
// again after power-on.
//
// The modes are ways of doing it, one type each: see mode.go. In mode lab the plugin
// acts from beside the host and kills at the cut; in mode workload it acts from
// inside, holds the services frozen, and kills when the power comes back, so that
// the host and its agent run on.
//
// Two modes switch whole machines, where the policy of the host that acts allows
// it. ModeRedfish goes through the management controller beside the machine and
// holds it off until the end. ModeSysrq has its own kernel restart it, the agent
// that carries the injection included: it is dark for as long as it boots.
//
// Not modelled: the volatile cache of a drive. What reached the block layer
// counts as on disk, and no sector is torn.
package powerloss

import (
	"context"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// Kind is the name of this fault.
const Kind fault.Kind = "powerloss"

func init() { fault.Register(Kind, fault.NewDriver(&Plugin{})) }

// Params is what an experiment file may set. What a host of the lab consists of is
// said by its power controller, never by an experiment.
type Params struct {
	// Mode is how the power is taken.
	Mode Mode `json:"mode,omitempty" jsonschema:"enum=lab,enum=workload,enum=machine-redfish,enum=machine-sysrq,description=How the power is taken: lab cuts a host of the lab from beside it (the default); workload ends services of a real host\\, which runs on; machine-redfish switches a machine off at its management controller and on at the end; machine-sysrq has its kernel restart it without a sync. The machine modes need allow_machine_power in the policy of the host that acts"`
	WorkloadParams
	// Brownout is what comes before.
	Brownout *BrownoutParams `json:"brownout,omitempty" jsonschema:"description=Dips before the cut that come back: network and processes stop and go on"`
}

// Change is the change record: the part of the mode that wrote it is set.
type Change struct {
	Version int  `json:"version"`
	Mode    Mode `json:"mode,omitempty"` // empty in records of the time when there was but one: ModeLab
	labChange
	workloadChange
	redfishChange
	Brownout brownout `json:"brownout,omitzero"`
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// Plugin is the fault. The zero value is ready.
type Plugin struct {
	// passed, if set by a test of this package, is called after each phase.
	passed func(phase string)
	// network darkens hosts that run on.
	network traffic.Injector
}

var (
	_ fault.Plugin[Params, Change] = (*Plugin)(nil)
	_ fault.Batcher[Change]        = (*Plugin)(nil)
)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Cuts the power of hosts, or of services of a real host: silent network, unsynced data lost, all processes gone.",
		PluginVersion: "1.1.0",
		Touches:       []string{"the host's cable", "its control groups", "its processes", "its writable file systems", "mode workload: network, freezer, mounts, processes and units of the services"},
		ConflictKeys:  []string{"power"},
		Needs: fault.Needs{
			Capabilities: []string{"CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_PTRACE", "CAP_KILL", "CAP_BPF", "CAP_DAC_OVERRIDE"},
			Features:     []string{"cgroup-kill", "cgroup-freeze", "fs-shutdown", "bpf-tc", "inet-diag-destroy"},
		},
		Protection: []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:   fault.DestroysUnsyncedData,
		OutOfBand:  true,
		Modes:      describeModes(),
	}
}

// Prepare implements fault.Plugin.
func (p *Plugin) Prepare(ctx context.Context, t fault.Target, params Params) (Change, error) {
	name := params.Mode.of(t)
	m, err := p.mode(name)
	if err != nil {
		return Change{}, err
	}
	c := Change{Version: changeVersion, Mode: name}
	if c.Brownout, err = params.Brownout.parse(); err != nil {
		return c, err
	}
	err = m.prepare(ctx, t, params, &c)
	return c, err
}

// Apply implements fault.Plugin.
func (p *Plugin) Apply(ctx context.Context, t fault.Target, c Change, at, until fault.BootTime) error {
	return p.ApplyBatch(ctx, []fault.Item[Change]{{Target: t, Change: c}}, at, until)[0]
}

// together is what injections must share to go together.
type together struct {
	mode     Mode
	brownout brownout
}

// ApplyBatch implements fault.Batcher.
func (p *Plugin) ApplyBatch(ctx context.Context, items []fault.Item[Change], _, until fault.BootTime) []error {
	errs := make([]error, len(items))
	of := map[together][]int{}
	for i, it := range items {
		same := together{it.Change.Mode.recorded(), it.Change.Brownout}
		of[same] = append(of[same], i)
	}
	for same, indices := range of {
		m, err := p.mode(same.mode)
		if err != nil {
			for _, i := range indices {
				errs[i] = err
			}
			continue
		}
		batch := make([]fault.Item[Change], len(indices))
		for n, i := range indices {
			batch[n] = items[i]
		}
		for n, err := range m.apply(ctx, batch, until) {
			errs[indices[n]] = err
		}
	}
	return errs
}

// Observe implements fault.Plugin.
func (p *Plugin) Observe(ctx context.Context, t fault.Target, c Change) (fault.Observation, error) {
	m, err := p.mode(c.Mode.recorded())
	if err != nil {
		return fault.Observation{}, err
	}
	return m.observe(ctx, t, c)
}

// Revert implements fault.Plugin.
func (p *Plugin) Revert(ctx context.Context, t fault.Target, c Change) error {
	m, err := p.mode(c.Mode.recorded())
	if err != nil {
		return err
	}
	return m.revert(ctx, t, c)
}
