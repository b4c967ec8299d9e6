package io

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

var driver = fault.NewDriver(Plugin{})

func TestMain(m *testing.M) {
	traffic()
	grouptest.Main()
	faulttest.Main(m, driver)
}

// controller is what this machine calls it.
var controller = per("blkio", "io")

// onV2 says which files the tests look at.
var onV2 = grouptest.OnV2("io")

// per is what holds for the version of this machine.
func per(v1, v2 string) string {
	if onV2 {
		return v2
	}
	return v1
}

var knob = grouptest.Knob{Controller: controller, File: per(v1Bytes+"write_bps_device", v2File)}

// entry is a limit of what may be written, as its owner writes it.
func entry(device string, n int) string { return fmt.Sprint(device, " ", per("", "wbps="), n) }

// found is a limit that must be put back, not taken off.
const found = 5 << 20

// onData is an act of the limit of the device that carries /data.
func onData(act func(h *faulttest.Host, device string) error) func(*faulttest.Host) error {
	return func(h *faulttest.Host) error {
		var st unix.Stat_t
		if err := unix.Stat(h.Path("/data"), &st); err != nil {
			return err
		}
		return act(h, fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
	}
}

func set(n int) func(*faulttest.Host) error {
	return onData(func(h *faulttest.Host, device string) error { return knob.Set(entry(device, n))(h) })
}

func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Device: "/data", Write: "1MiB/s", Scope: scope.Scope{Service: grouptest.Service}},
		Setup:  onData(func(h *faulttest.Host, device string) error { return knob.Make(entry(device, found))(h) }),
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			n, err := written(h)
			return []fault.Measure{Limit{What: "write"}.measure("limit", n)}, err
		},
		Disturb: &faulttest.Disturbance{
			Change: set(333333),
			Kept: func(h *faulttest.Host) error {
				n, err := written(h)
				if err == nil && n != "333333" {
					err = fmt.Errorf("the limit is %q, the other owner set 333333", n)
				}
				return err
			},
			Undo:  set(found),
			Stuck: true,
		},
	})
}

// written is the limit of what may be written, of the only device that has one.
func written(h *faulttest.Host) (string, error) {
	text, err := knob.Read(h)
	device, _, _ := strings.Cut(text, " ")
	return limitIn(text, kinds[1], device), err
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, onData(func(h *faulttest.Host, device string) error {
		return knob.Make(entry(device, found))(h)
	}), map[string]Params{
		"service": {Device: "/data", Write: "1MiB/s", Scope: scope.Scope{Service: "nobody"}},
		"group":   {Device: "/data", Write: "1MiB/s", Scope: scope.Scope{Group: "/"}},
		"device":  {Device: "/tmp", Write: "1MiB/s", Scope: scope.Scope{Service: grouptest.Service}},
		"write":   {Device: "/data", Write: "6MiB/s", Scope: scope.Scope{Service: grouptest.Service}},
	})
}
