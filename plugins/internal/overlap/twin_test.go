package overlap

import (
	"context"
	"os"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// forgetful leaves a file in the host: the twin of the faults under test.
var forgetful = fault.NewDriver[nothing, nothing](leaves{})

const leftFile = "/tmp/left"

type (
	leaves  struct{}
	nothing struct{}
)

func (leaves) Describe() fault.Info {
	return fault.Info{Kind: "leaves", Summary: "Leaves a file.", PluginVersion: "1.0.0", Touches: []string{"a file"}, Destroys: fault.DestroysNothing}
}

func (leaves) Prepare(context.Context, fault.Target, nothing) (nothing, error) { return nothing{}, nil }

func (leaves) Apply(context.Context, fault.Target, nothing, fault.BootTime, fault.BootTime) error {
	return os.WriteFile(leftFile, nil, 0o600)
}

func (leaves) Observe(context.Context, fault.Target, nothing) (fault.Observation, error) {
	return fault.Observation{State: fault.Present, Dose: fault.InForce}, nil
}

func (leaves) Revert(context.Context, fault.Target, nothing) error { return nil }
