package cpu

import (
	"strconv"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/containertest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

var driver = fault.NewDriver(New())

func TestMain(m *testing.M) {
	grouptest.Main()
	roles()
	processtest.Main()
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
	conform(t, knob, scope.Scope{Service: grouptest.Service}, knob.Make(found))
}

// The same of a container that runs in the host.
func TestConformanceOnContainer(t *testing.T) {
	t.Parallel()
	need.Check(t, need.Runc)
	id := containertest.ID("c0ffee000001")
	in, k := containertest.InHost(t, id), knob
	k.Path = containertest.Group(id)
	conform(t, k, containertest.Named(id[:12]), func(h *faulttest.Host) error {
		if err := in(h); err != nil {
			return err
		}
		return k.Set(found)(h)
	})
}

func conform(t *testing.T, k grouptest.Knob, named scope.Scope, setup func(*faulttest.Host) error) {
	t.Helper()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Quota: "20%", Scope: named},
		Setup:  setup,
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			text, err := k.Read(h)
			if err != nil {
				return nil, err
			}
			text, _, _ = strings.Cut(text, " ")
			us, err := strconv.ParseFloat(text, 64)
			return []fault.Measure{{Name: "cpu quota", Value: us / 1000, Unit: "% of a CPU"}}, err // of periods of 100 ms
		},
		Disturb: k.Disturbance(found, per("90000", "90000 100000")),
	})
}

func TestConformanceOfCpuset(t *testing.T) {
	t.Parallel()
	need.Check(t, need.CPUs)
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Cpuset: "0", Scope: scope.Scope{Service: grouptest.Service}},
		Setup:  cpusetKnob.Make(allCPUs),
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			text, err := cpusetKnob.Read(h)
			return []fault.Measure{cpus(map[string]int{"0": 1, "1": 1, allCPUs: 2}[text])}, err
		},
		Disturb: cpusetKnob.Disturbance(allCPUs, "1"),
	})
}

func TestConformanceOfBurn(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Burn: "10%"},
		Held:   true,
		Alone:  "CPU time that was used belongs to nobody",
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, knob.Make(found), map[string]Params{
		"service": {Quota: "20%", Scope: scope.Scope{Service: "nobody"}},
		"group":   {Quota: "20%", Scope: scope.Scope{Group: "/"}},
		"quota":   {Quota: "180%", Scope: scope.Scope{Service: grouptest.Service}},
		"cpuset":  {Quota: "20%", Cpuset: "0", Scope: scope.Scope{Service: grouptest.Service}},
		"burn":    {Burn: "20%", Scope: scope.Scope{Service: grouptest.Service}},
	})
}
