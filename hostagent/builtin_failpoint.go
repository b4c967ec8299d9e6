//go:build failpoint

package main

import (
	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/hostagent/internal/mock"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// addTestKinds adds the fault that the crash tests inject.
func addTestKinds(d guardian.Drivers) { d[mock.Kind] = fault.NewDriver(mock.Plugin{}) }
