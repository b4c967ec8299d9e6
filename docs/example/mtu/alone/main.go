// Command alone is the example fault as an executable of its own.
package main

import (
	"github.com/firedrill-io/firedrill/docs/example/mtu"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

func main() { fault.Main(fault.NewDriver(mtu.Plugin{})) }
