package dns

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

var driver = fault.NewDriver(&Plugin{})

func TestMain(m *testing.M) {
	processtest.Main()
	faulttest.Main(m, driver)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{Params: Params{Mode: "nxdomain", Names: []string{"db.example.com", "*.internal"}}, Disturb: traffictest.Neighbour()})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, nil, map[string]Params{
		"mode":         {Mode: "refused"},
		"names[1]":     {Mode: "drop", Names: []string{"a.example", "*"}},
		"resolvers[0]": {Mode: "drop", Resolvers: []string{"resolver.example"}},
		"devices[0]":   {Mode: "drop", Devices: []string{"eth7"}},
	})
}
