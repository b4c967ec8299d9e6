package pids

import (
	"strconv"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

var driver = fault.NewDriver(Plugin{})

func TestMain(m *testing.M) {
	forker()
	grouptest.Main()
	faulttest.Main(m, driver)
}

var knob = grouptest.Knob{Controller: "pids", File: limitFile}

// found must be put back, not taken off.
const found = "345"

func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Limit: 12, Scope: scope.Scope{Service: grouptest.Service}},
		Setup:  knob.Make(found),
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			text, err := knob.Read(h)
			if err != nil {
				return nil, err
			}
			n, err := strconv.ParseFloat(text, 64)
			return []fault.Measure{processes("process limit", n)}, err
		},
		Disturb: knob.Disturbance(found, "99"),
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		field string
		p     Params
	}{
		"no service":     {"service", Params{Limit: 12, Scope: scope.Scope{Service: "nobody"}}},
		"whole host":     {"group", Params{Limit: 12, Scope: scope.Scope{Group: "/"}}},
		"no change":      {"limit", Params{Limit: 345, Scope: scope.Scope{Service: grouptest.Service}}},
		"below one":      {"limit", Params{Scope: scope.Scope{Service: grouptest.Service}}},
		"service, group": {"group", Params{Limit: 12, Scope: scope.Scope{Service: grouptest.Service, Group: "/svc/demo"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, driver, faulttest.Case{Params: c.p, Refused: c.field, Setup: knob.Make(found)})
		})
	}
}
