package main

import (
	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/plugins/bandwidth"
	"github.com/firedrill-io/firedrill/plugins/corrupt"
	"github.com/firedrill-io/firedrill/plugins/cpu"
	"github.com/firedrill-io/firedrill/plugins/delay"
	"github.com/firedrill-io/firedrill/plugins/duplicate"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/loss"
	"github.com/firedrill-io/firedrill/plugins/memory"
	"github.com/firedrill-io/firedrill/plugins/partition"
	"github.com/firedrill-io/firedrill/plugins/powerloss"
)

// builtin lists the plugins that are part of this binary.
func builtin() guardian.Drivers {
	drivers := guardian.Drivers{
		bandwidth.Kind: fault.NewDriver(&bandwidth.Plugin{}),
		cpu.Kind:       fault.NewDriver(cpu.Plugin{}),
		corrupt.Kind:   fault.NewDriver(&corrupt.Plugin{}),
		delay.Kind:     fault.NewDriver(&delay.Plugin{}),
		duplicate.Kind: fault.NewDriver(&duplicate.Plugin{}),
		loss.Kind:      fault.NewDriver(&loss.Plugin{}),
		memory.Kind:    fault.NewDriver(memory.Plugin{}),
		"partition":    fault.NewDriver(partition.New()),
		powerloss.Kind: fault.NewDriver(&powerloss.Plugin{}),
	}
	addTestKinds(drivers)
	return drivers
}
