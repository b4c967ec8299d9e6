// Package powerloss takes the power from a host of the lab.
//
// A power cut is not kill -9: a killed process leaves its unsynced writes in the
// page cache, and its sockets say good-bye. Here the host's cable goes dark
// first, then everything on it is frozen, then its file systems are shut down
// without a flush, then all is killed and released. What was not synced is lost,
// what was synced is there again after power-on.
//
// The plugin acts from beside the host, on the machine that carries it, and
// knows the host only from the power controller's answer in Prepare. Every step
// of the cut is its own; switching on again is the controller's.
//
// Not modelled: the volatile cache of a drive. What reached the block layer
// counts as on disk, and no sector is torn.
package powerloss

import (
	"context"
	"fmt"

	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Kind is the name of this fault.
const Kind fault.Kind = "powerloss"

func init() { fault.Register(Kind, fault.NewDriver(&Plugin{})) }

// Params is what an experiment file may set: nothing. What a host consists of
// is said by its power controller, never by an experiment.
type Params struct{}

// Change is the change record: the host as it was when it had power. Its
// identities (pid 1 with start time, cgroup inode, cable index, boot id) tell
// this power-on of the host from any other.
type Change struct {
	Version int          `json:"version"`
	Host    power.Status `json:"host"`
	// Answered says that the host answered the canary in Prepare, so that
	// silence after the cut means something.
	Answered bool `json:"answered"`
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// Plugin is the fault. The zero value is ready.
type Plugin struct {
	// passed, if set by a test of this package, is called after each phase.
	passed func(phase string)
}

var (
	_ fault.Plugin[Params, Change] = (*Plugin)(nil)
	_ fault.Batcher[Change]        = (*Plugin)(nil)
)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Cuts the power of hosts: silent network, unsynced data lost, all processes gone.",
		PluginVersion: "1.0.0",
		Touches:       []string{"the host's cable", "its control groups", "its processes", "its writable file systems"},
		ConflictKeys:  []string{"power"},
		Needs: fault.Needs{
			Capabilities: []string{"CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_PTRACE", "CAP_KILL"},
			Features:     []string{"cgroup-kill", "cgroup-freeze", "fs-shutdown"},
		},
		Protection: []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:   fault.DestroysUnsyncedData,
		OutOfBand:  true,
	}
}

// Prepare implements fault.Plugin: it asks the power controller what the host
// consists of and checks every word of the answer against the kernel.
func (*Plugin) Prepare(ctx context.Context, t fault.Target, _ Params) (Change, error) {
	if t.Power == "" {
		return Change{}, fault.Refuse("", "no power controller is configured for host %q; give the agent one with --power", t.Host)
	}
	status, err := power.NewClient(t.Power).Status(ctx, t.Host)
	if err != nil {
		return Change{}, fmt.Errorf("ask for the status of host %s: %w", t.Host, err)
	}
	if err := check(t, status); err != nil {
		return Change{}, err
	}
	answered, err := answers(status)
	if err != nil {
		return Change{}, fmt.Errorf("send canary to host %s: %w", t.Host, err)
	}
	return Change{Version: changeVersion, Host: status, Answered: answered}, nil
}

// Apply implements fault.Plugin.
func (p *Plugin) Apply(ctx context.Context, t fault.Target, c Change, at, until fault.BootTime) error {
	return p.ApplyBatch(ctx, []fault.Item[Change]{{Target: t, Change: c}}, at, until)[0]
}
