package cpu

import (
	"strconv"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

var driver = fault.NewDriver(Plugin{})

func TestMain(m *testing.M) {
	grouptest.Main()
	faulttest.Main(m, driver)
}

// onV2 says which files the tests look at.
var onV2 = grouptest.OnV2("cpu")

var knob = grouptest.Knob{Controller: "cpu", File: per(quotaFile, maxFile)}

// per is what holds for the version of this machine.
func per(v1, v2 string) string {
	if onV2 {
		return v2
	}
	return v1
}

// The group is found with a quota, 170% of a CPU: it must be put back, not taken off.
var found = per("170000", "170000 100000")

func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Quota: "20%", Scope: scope.Scope{Service: grouptest.Service}},
		Setup:  knob.Make(found),
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			text, err := knob.Read(h)
			if err != nil {
				return nil, err
			}
			text, _, _ = strings.Cut(text, " ")
			us, err := strconv.ParseFloat(text, 64)
			return []fault.Measure{{Name: "cpu quota", Value: us / 1000, Unit: "% of a CPU"}}, err // of periods of 100 ms
		},
		Disturb: knob.Disturbance(found, per("90000", "90000 100000")),
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, knob.Make(found), map[string]Params{
		"service": {Quota: "20%", Scope: scope.Scope{Service: "nobody"}},
		"group":   {Quota: "20%", Scope: scope.Scope{Group: "/"}},
		"quota":   {Quota: "180%", Scope: scope.Scope{Service: grouptest.Service}},
	})
}
