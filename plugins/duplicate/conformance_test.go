package duplicate

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

var driver = fault.NewDriver(&Plugin{})

func TestMain(m *testing.M) {
	processtest.Main()
	faulttest.Main(m, driver)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{Params: Params{"10%", traffic.Selection{To: []string{"10.77.2.1"}}}, Disturb: traffictest.Neighbour()})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	to := []string{"10.77.2.1"}
	faulttest.Refuses(t, driver, nil, map[string]Params{
		"percent":   {"101%", traffic.Selection{To: to}},
		"direction": {"10%", traffic.Selection{To: to, Direction: "up"}},
		"to":        {"10%", traffic.Selection{}},
	})
}
