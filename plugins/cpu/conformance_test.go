package cpu

import (
	"strconv"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
)

var driver = fault.NewDriver(Plugin{})

func TestMain(m *testing.M) {
	grouptest.Main()
	faulttest.Main(m, driver)
}

var knob = grouptest.Knob{Controller: "cpu", File: quotaFile}

// The group is found with a quota, 170% of a CPU: it must be put back, not taken off.
func TestConformance(t *testing.T) {
	const found = "170000"
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Quota: "20%", Service: grouptest.Service},
		Setup:  knob.Make(found),
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			text, err := knob.Read(h)
			if err != nil {
				return nil, err
			}
			us, err := strconv.ParseFloat(text, 64)
			return []fault.Measure{{Name: "cpu quota", Value: us / 1000, Unit: "% of a CPU"}}, err // of periods of 100 ms
		},
		Disturb: knob.Disturbance(found, "90000"),
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	for field, p := range map[string]Params{
		"service": {Quota: "20%", Service: "nobody"},
		"group":   {Quota: "20%", Group: "/"},
		"quota":   {Quota: "180%", Service: grouptest.Service},
	} {
		t.Run(field, func(t *testing.T) {
			faulttest.Run(t, driver, faulttest.Case{Params: p, Refused: field, Setup: knob.Make("170000")})
		})
	}
}
