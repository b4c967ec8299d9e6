// Package faulttest is the conformance suite that every fault plugin passes, as
// a Go test.
//
// A plugin's test needs a TestMain that calls Main and a test that calls Run.
// The histories are those of internal/conformance, which injector plugin test
// runs for executables in any language.
package faulttest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/firedrill-io/firedrill/internal/conformance"
	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Case is one set of parameters to be put through all histories.
type Case = conformance.Case

// Disturbance is another owner who changes the fault's knob while the fault is
// present. All of it acts inside the host.
type Disturbance = conformance.Disturbance

// Host is the lab host under test, as seen from the test.
type Host = conformance.Host

// rolePlugin is the first argument of a test binary that is the plugin; the
// second is the kind.
const rolePlugin = "faulttest-plugin"

// Main is the TestMain of a plugin's tests. Re-executed by the suite, the test
// binary is the plugin, the stand-in of the agent, or a role of the lab.
// Otherwise it runs the tests and checks that the machine is left as found.
func Main(m *testing.M, plugins ...fault.Driver) {
	lab.Main()
	conformance.Main()
	if len(os.Args) > 2 && os.Args[1] == rolePlugin {
		fault.Serve(named(plugins))
		os.Exit(0)
	}
	os.Exit(digesttest.Run(m))
}

// named is the plugin whose kind stands in the arguments.
func named(plugins []fault.Driver) fault.Driver {
	for _, p := range plugins {
		if info, err := p.Describe(context.Background()); err == nil && string(info.Kind) == os.Args[2] {
			return p
		}
	}
	fmt.Fprintf(os.Stderr, "serve plugin %s: it was not given to faulttest.Main\n", os.Args[2])
	os.Exit(1)
	return nil
}
