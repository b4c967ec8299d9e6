package main

import (
	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/plugins/cpu"
	"github.com/firedrill-io/firedrill/plugins/diskfill"
	"github.com/firedrill-io/firedrill/plugins/diskstall"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/files"
	"github.com/firedrill-io/firedrill/plugins/io"
	"github.com/firedrill-io/firedrill/plugins/memory"
	"github.com/firedrill-io/firedrill/plugins/partition"
	"github.com/firedrill-io/firedrill/plugins/pause"
	"github.com/firedrill-io/firedrill/plugins/pids"
	"github.com/firedrill-io/firedrill/plugins/powerloss"
)

// builtin lists the plugins that are part of this binary.
func builtin() guardian.Drivers {
	drivers := guardian.Drivers{
		cpu.Kind:       fault.NewDriver(cpu.Plugin{}),
		diskfill.Kind:  fault.NewDriver(diskfill.Plugin{}),
		diskstall.Kind: fault.NewDriver(diskstall.Plugin{}),
		files.Kind:     fault.NewDriver(files.Plugin{}),
		io.Kind:        fault.NewDriver(io.Plugin{}),
		memory.Kind:    fault.NewDriver(memory.Plugin{}),
		"partition":    fault.NewDriver(partition.New()),
		pause.Kind:     fault.NewDriver(pause.Plugin{}),
		pids.Kind:      fault.NewDriver(pids.Plugin{}),
		powerloss.Kind: fault.NewDriver(&powerloss.Plugin{}),
	}
	addTestKinds(drivers)
	return drivers
}
