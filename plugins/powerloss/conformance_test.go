package powerloss

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
)

var driver = fault.NewDriver[Params, Change](&Plugin{})

func TestConformance(t *testing.T) {
	t.Parallel()
	var theirs string // boot id of the host that somebody else switched on
	faulttest.Run(t, driver, faulttest.Case{
		Disturb: &faulttest.Disturbance{
			Change: func(h *faulttest.Host) error {
				s, err := h.Lab.Power().On(context.Background(), h.Name)
				theirs = s.BootID
				return err
			},
			Kept: func(h *faulttest.Host) error {
				s, err := h.Lab.Power().Status(context.Background(), h.Name)
				if err == nil && (!s.On || s.BootID != theirs) {
					err = fmt.Errorf("host is on: %v, with boot id %s; theirs was %s", s.On, s.BootID, theirs)
				}
				return err
			},
			Undo: func(*faulttest.Host) error { return nil },
		},
	})
}

// demo is the group of a service in a lab host.
var demo = grouptest.Knob{Controller: grouptest.V2, File: "cgroup.freeze"}

// service makes the group and keeps one program in it, as an init system would.
func service(h *faulttest.Host) error {
	v2, err := cgroup.V2()
	if err != nil {
		return err
	}
	if err := demo.Make("0")(h); err != nil {
		return err
	}
	enter := fmt.Sprintf("echo $$ > %s/svc/%s/cgroup.procs && exec sleep 1000", v2.Mount, grouptest.Service)
	members := grouptest.Knob{Controller: grouptest.V2, File: "cgroup.procs"}
	keep := func() error {
		text, err := members.Read(h)
		if err != nil || text != "" {
			return err
		}
		_, err = h.Lab.Start(h.Name, lab.HostCommand{Path: "sh", Args: []string{"-c", enter}, Stdio: lab.Stdio{Err: os.Stderr}})
		return err
	}
	if err := keep(); err != nil {
		return err
	}
	go func() {
		for keep() == nil { // until the host is gone
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return nil
}

// Somebody who thaws the group has the last word.
func TestConformanceOfWorkload(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Mode: ModeWorkload, WorkloadParams: WorkloadParams{Services: []string{grouptest.Service}, FileSystems: []string{"/data"}}},
		Setup:  service,
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			frozen, err := grouptest.Knob{Controller: grouptest.V2, File: "cgroup.events"}.Read(h)
			return []fault.Measure{
				{Name: "groups that stand still", Value: float64(strings.Count(frozen, "frozen 1")), Unit: "groups"},
				{Name: "file systems with a disk", Value: float64(count(!filesystem.IsShut("self", 0, h.Path("/data"), true))), Unit: "file systems"},
			}, err
		},
		Disturb: &faulttest.Disturbance{
			Change: demo.Set("0"),
			Kept: func(h *faulttest.Host) error {
				text, err := demo.Read(h)
				if err == nil && text != "0" {
					err = fmt.Errorf("frozen again: %s", text)
				}
				return err
			},
			Undo: func(*faulttest.Host) error { return nil },
		},
	})
}

func TestConformanceOfWorkloadRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, service, map[string]Params{
		"file_systems[0]": {Mode: ModeWorkload, WorkloadParams: WorkloadParams{Services: []string{grouptest.Service}, FileSystems: []string{"/state"}}},
		"groups[0]":       {Mode: ModeWorkload, WorkloadParams: WorkloadParams{Groups: []string{"/"}}},
	})
}
