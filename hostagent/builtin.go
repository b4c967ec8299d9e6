package main

import (
	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/plugins/clock"
	"github.com/firedrill-io/firedrill/plugins/cpu"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/kill"
	"github.com/firedrill-io/firedrill/plugins/linkdown"
	"github.com/firedrill-io/firedrill/plugins/memory"
	"github.com/firedrill-io/firedrill/plugins/partition"
	"github.com/firedrill-io/firedrill/plugins/powerloss"
	"github.com/firedrill-io/firedrill/plugins/reset"
)

// builtin lists the plugins that are part of this binary.
func builtin() guardian.Drivers {
	drivers := guardian.Drivers{
		clock.Kind:     fault.NewDriver(clock.Plugin{}),
		cpu.Kind:       fault.NewDriver(cpu.Plugin{}),
		kill.Kind:      fault.NewDriver(kill.New()),
		linkdown.Kind:  fault.NewDriver(linkdown.Plugin{}),
		memory.Kind:    fault.NewDriver(memory.Plugin{}),
		"partition":    fault.NewDriver(partition.New()),
		powerloss.Kind: fault.NewDriver(&powerloss.Plugin{}),
		reset.Kind:     fault.NewDriver(reset.New()),
	}
	addTestKinds(drivers)
	return drivers
}
