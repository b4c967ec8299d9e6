package main

import (
	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// builtin returns the plugins that are part of this binary.
func builtin() guardian.Drivers {
	drivers := guardian.Drivers(fault.Registered())
	addTestKinds(drivers)
	return drivers
}
