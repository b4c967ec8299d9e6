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

var knob = grouptest.Knob{Controller: "blkio", File: v1Bytes + "write_bps_device"}

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
	return onData(func(h *faulttest.Host, device string) error { return knob.Set(fmt.Sprint(device, " ", n))(h) })
}

func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Device: "/data", Write: "1MiB/s", Scope: scope.Scope{Service: grouptest.Service}},
		Setup: onData(func(h *faulttest.Host, device string) error {
			return knob.Make(fmt.Sprint(device, " ", found))(h)
		}),
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			text, err := knob.Read(h)
			if err != nil {
				return nil, err
			}
			_, n, _ := strings.Cut(text, " ")
			return []fault.Measure{Limit{What: "write"}.measure("limit", strings.TrimSpace(n))}, nil
		},
		Disturb: &faulttest.Disturbance{
			Change: set(333333),
			Kept: func(h *faulttest.Host) error {
				text, err := knob.Read(h)
				if err == nil && !strings.HasSuffix(text, " 333333") {
					err = fmt.Errorf("the limit is %q, the other owner set 333333", text)
				}
				return err
			},
			Undo:  set(found),
			Stuck: true,
		},
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, onData(func(h *faulttest.Host, device string) error {
		return knob.Make(fmt.Sprint(device, " ", found))(h)
	}), map[string]Params{
		"service": {Device: "/data", Write: "1MiB/s", Scope: scope.Scope{Service: "nobody"}},
		"group":   {Device: "/data", Write: "1MiB/s", Scope: scope.Scope{Group: "/"}},
		"device":  {Device: "/tmp", Write: "1MiB/s", Scope: scope.Scope{Service: grouptest.Service}},
		"write":   {Device: "/data", Write: "6MiB/s", Scope: scope.Scope{Service: grouptest.Service}},
	})
}
