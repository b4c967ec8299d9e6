package partition

import (
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/containertest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

var driver = fault.NewDriver(New())

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]Params{
		"one peer":            {sel{To: []string{"10.77.2.1"}}},
		"a port of everybody": {sel{To: []string{"0.0.0.0/0", "::/0"}, Direction: "out", Protocol: "tcp", Ports: []string{"5432"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, driver, faulttest.Case{Params: p, Disturb: traffictest.Neighbour()})
		})
	}
}

// The same in the network of a container that runs in the host.
func TestConformanceOnContainer(t *testing.T) {
	t.Parallel()
	need.Check(t, need.Runc)
	id := containertest.ID("c0ffee000002")
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{sel{To: []string{containertest.Peer}, Scope: containertest.Named(id[:12])}},
		Setup:  containertest.InHost(t, id),
		Alone:  "nobody but the container's runtime has devices there; TestForeignFilterIsLeft is of the same code",
	})
}

// The same on the packets of one service.
func TestConformanceOnService(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params:  Params{sel{To: []string{"10.77.2.1"}, Scope: scope.Scope{Service: grouptest.Service}}},
		Setup:   grouptest.Knob{Controller: grouptest.V2, File: "cgroup.freeze"}.Make("0"),
		Disturb: traffictest.Neighbour(),
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{Params: Params{sel{To: []string{"10.77.2.1"}, Direction: "up"}}, Refused: "direction"})
}
