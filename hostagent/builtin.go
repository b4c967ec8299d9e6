package main

import (
	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/partition"
	"github.com/firedrill-io/firedrill/plugins/powerloss"
)

// builtin lists the plugins that are part of this binary.
func builtin() guardian.Drivers {
	drivers := guardian.Drivers{
		"partition":    fault.NewDriver(partition.New()),
		powerloss.Kind: fault.NewDriver(&powerloss.Plugin{}),
	}
	addTestKinds(drivers)
	return drivers
}
