package powerloss

import (
	"context"
	"fmt"

	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// labMode is the mode for hosts of the lab. It acts from beside the host, on the
// machine that carries it, and knows the host only from the power controller's
// answer in prepare. Every step of the cut is its own; switching on again is the
// controller's.
type labMode struct {
	passed func(phase string) // see Plugin
}

// labChange is the host as it was when it had power. Its identities (pid 1 with
// start time, cgroup inode, cable index, boot id) tell this power-on of the host
// from any other.
type labChange struct {
	Host power.Status `json:"host,omitzero"`
	// Answered says that the host answered the canary in prepare, so that
	// silence after the cut means something.
	Answered bool `json:"answered,omitempty"`
}

func (labMode) describe() fault.Mode { return fault.Mode{OutOfBand: true} }

// prepare asks the power controller what the host consists of and checks every
// word of the answer against the kernel.
func (labMode) prepare(ctx context.Context, t fault.Target, p Params, c *Change) error {
	if err := p.WorkloadParams.none(ModeLab); err != nil {
		return err
	}
	if t.Power == "" {
		return fault.Refuse("", "no power controller is configured for host %q; give the agent one with --power", t.Host)
	}
	status, err := power.NewClient(t.Power).Status(ctx, t.Host)
	if err != nil {
		return fmt.Errorf("ask for the status of host %s: %w", t.Host, err)
	}
	if err := check(t, status); err != nil {
		return err
	}
	answered, err := answers(status)
	if err != nil {
		return fmt.Errorf("send canary to host %s: %w", t.Host, err)
	}
	c.Host, c.Answered = status, answered
	return nil
}
