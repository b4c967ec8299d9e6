package partition

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
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

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{Params: Params{sel{To: []string{"10.77.2.1"}, Direction: "up"}}, Refused: "direction"})
}
