package memory

import (
	"strconv"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

var driver = fault.NewDriver(New())

func TestMain(m *testing.M) {
	grouptest.Main()
	fillerRole()
	thrashRole()
	faulttest.Main(m, driver)
}

// onV2 says which files the tests look at.
var onV2 = grouptest.OnV2("memory")

// per is what holds for the version of this machine.
func per(v1, v2 string) string {
	if onV2 {
		return v2
	}
	return v1
}

var knob = grouptest.Knob{Controller: "memory", File: per(limitFile, maxFile)}

// found is 700 MiB: the limit must be put back, not taken off.
const found = "734003200"

func TestConformanceOfLimit(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Limit: "256MiB", Scope: scope.Scope{Service: grouptest.Service}},
		Setup:  knob.Make(found),
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			text, err := knob.Read(h)
			if err != nil {
				return nil, err
			}
			n, err := strconv.ParseUint(text, 10, 64)
			return []fault.Measure{bytes("memory limit", n)}, err
		},
		Disturb: knob.Disturbance(found, "536870912"),
	})
}

func TestConformanceOfFill(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Fill: "64MiB", Reserve: "64MiB", Pressure: "100%"},
		Held:   true,
		Alone:  "memory that a process holds belongs to it",
	})
}

func TestConformanceOfHigh(t *testing.T) {
	t.Parallel()
	need.Check(t, need.Root, need.Unified) // v1 has no brake: TestHighSlowsDown says what it answers
	brake := grouptest.Knob{Controller: "memory", File: highFile}
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{High: "256MiB", Scope: scope.Scope{Service: grouptest.Service}},
		Setup:  brake.Make(found),
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			text, err := brake.Read(h)
			if err != nil {
				return nil, err
			}
			n, err := strconv.ParseUint(text, 10, 64)
			return []fault.Measure{bytes("memory brake", n)}, err
		},
		Disturb: brake.Disturbance(found, "536870912"),
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, knob.Make(found), map[string]Params{
		"service": {Limit: "256MiB", Scope: scope.Scope{Service: "../svc"}},
		"group":   {Limit: "256MiB", Scope: scope.Scope{Group: "/svc/nobody"}},
		"limit":   {Limit: "1GiB", Scope: scope.Scope{Service: grouptest.Service}},
		"fill":    {Fill: "90%", Scope: scope.Scope{Service: grouptest.Service}},
		"reserve": {Limit: "256MiB", Reserve: "1GiB", Scope: scope.Scope{Service: grouptest.Service}},
	})
}
