// Package conformance puts a fault plugin through every history that an agent
// can cause, and says what was wrong in each.
//
// It runs the plugin as a real process, started by the stand-in of an agent at
// the place where the agent would be: inside a lab host, or beside it for
// faults that are driven out-of-band. It compares the host before and after: it
// must be left as it was found. plugins/faulttest is the same for Go tests.
package conformance

import (
	"fmt"
	"os"
	"time"

	"github.com/firedrill-io/firedrill/internal/pluginhost"
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
	// OnMachine puts the plugin through the histories on this machine itself, where
	// a lab host lacks what the fault acts on (systemd). It is for machines that are
	// thrown away afterwards.
	OnMachine bool
	// Setup makes the host ready; what it does counts as found.
	Setup func(*Host) error
	// Meter reads the dose from the kernel without the plugin. While the fault is
	// present, the plugin must report as achieved what the meter reads.
	Meter func(*Host) ([]fault.Measure, error)
	// Tolerance is how far, as a share, achieved may be from the meter. Zero: equal.
	Tolerance float64
	// Dose is what Params ask for, in the meter's words: while the fault is
	// present, and nobody disturbs it, the meter must read that within Tolerance.
	Dose []fault.Measure
	// Patience is how long the fault may take to show or to be gone, and the host
	// to be as it was. Zero: 3 s, and 2 s (10 s for a host that was switched on).
	Patience time.Duration
	// Disturb is what another owner does to the same knob. If there is no such
	// owner, Alone says why.
	Disturb *Disturbance
	Alone   string
	// Held says that the fault is what the process does that applied it, and that
	// nothing of it is left in the kernel when that was killed: then the suite
	// wants it to be over, where of others it wants that it goes on.
	Held bool
	// Strange says that nothing is known of the plugin but what it says itself.
	// The meter is the listing of the host then: while the plugin says that the
	// fault is present, something must be different, and what is achieved must be
	// what is asked within Tolerance.
	Strange bool
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

// Main takes a role of the suite if this process was started for one, and
// returns otherwise. Programs that run the suite call it, and lab.Main, first.
func Main() {
	pluginhost.Main()
	if len(os.Args) < 2 {
		return
	}
	switch os.Args[1] {
	case roleStandIn:
		exit(runStandIn(os.Args[2]))
	case roleLister:
		exit(runLister(os.Stdin, os.Stdout))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
