// Package faulttest is the conformance suite that every fault plugin passes.
//
// It runs the plugin as a real process, started by the stand-in of an agent at
// the place where the agent would be: inside a lab host, or beside it for
// faults that are driven out-of-band. Then it puts the plugin through every
// history an agent can cause, crashes included, and compares the host before
// and after: it must be left as it was found. A plugin's test needs a TestMain
// that calls Main and a test that calls Run.
package faulttest

import (
	"fmt"
	"os"
	"testing"

	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Case is one set of parameters to be put through all histories.
type Case struct {
	// Params are the parameters, as an experiment file gives them.
	Params any
	// Refused, if set, is the path of the parameter that Prepare must refuse;
	// "target" if it is the target. Nothing else is tried then.
	Refused string
	// Target, if set, completes the target of a fault that is driven out-of-band.
	Target func(*Host, fault.Target) fault.Target
	// Setup makes the host ready; what it does counts as found.
	Setup func(*Host) error
	// Meter reads the dose from the kernel without the plugin. While the fault is
	// present, the plugin must report as achieved what the meter reads.
	Meter func(*Host) ([]fault.Measure, error)
	// Tolerance is how far, as a share, achieved may be from the meter. Zero: equal.
	Tolerance float64
	// Disturb is what another owner does to the same knob. If there is no such
	// owner, Alone says why.
	Disturb *Disturbance
	Alone   string
}

// Disturbance is another owner who changes the fault's knob while the fault is
// present. All three act inside the host.
type Disturbance struct {
	Change func(*Host) error
	// Kept returns an error if the owner's change is no longer there after Revert.
	Kept func(*Host) error
	// Undo takes the owner's change back, to what was found before the fault.
	Undo func(*Host) error
	// Stuck says that the knob has one value only, so that Revert must return
	// fault.ErrStuck. Otherwise both changes exist side by side.
	Stuck bool
}

// Main is the TestMain of a plugin's tests. Re-executed by the suite, the test
// binary is the plugin, the stand-in of the agent, or a role of the lab.
// Otherwise it runs the tests and checks that the machine is left as found.
func Main(m *testing.M, plugins ...fault.Driver) {
	lab.Main()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case rolePlugin:
			fault.Serve(named(plugins))
			os.Exit(0)
		case roleStandIn:
			exit(runStandIn(os.Args[2]))
		case roleDigest:
			exit(writeDigest(os.Stdout))
		}
	}
	os.Exit(digesttest.Run(m))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// named is the plugin whose kind stands in the arguments.
func named(plugins []fault.Driver) fault.Driver {
	for _, p := range plugins {
		if string(kindOf(p)) == os.Args[2] {
			return p
		}
	}
	exit(fmt.Errorf("serve plugin %s: it was not given to faulttest.Main", os.Args[2]))
	return nil
}
