package pause

import (
	"os"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

var driver = fault.NewDriver(Plugin{})

func TestMain(m *testing.M) {
	grouptest.Main()
	processtest.Main()
	faulttest.Main(m, driver)
}

var (
	knob   = grouptest.Knob{Controller: grouptest.V2, File: "cgroup.freeze"}
	events = grouptest.Knob{Controller: grouptest.V2, File: "cgroup.events"}
)

// Another owner who lets the group go on has the last word: it goes on after
// Revert as well.
func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Selection: scope.Selection{Scope: scope.Scope{Service: grouptest.Service}}},
		Setup:  knob.Make("0"),
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			text, err := events.Read(h)
			return []fault.Measure{frozen(strings.Contains(text, "frozen 1"))}, err
		},
		Disturb: &faulttest.Disturbance{
			Change: knob.Set("0"),
			Kept:   knob.Disturbance("0", "0").Kept,
			Undo:   knob.Set("0"),
		},
	})
}

// The same of a program that is named by its file.
func TestConformanceOfOneProgram(t *testing.T) {
	t.Parallel()
	const file = "/data/notes"
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Selection: scope.Selection{Executable: file}},
		Setup: func(h *faulttest.Host) error {
			if err := processtest.Copy(h.Path(file)); err != nil {
				return err
			}
			_, err := h.Lab.Start(h.Name, lab.HostCommand{Path: file, Args: []string{string(processtest.Idle)}, Stdio: lab.Stdio{Err: os.Stderr}})
			return err
		},
		Alone: "anybody may let a process go on, and then it does",
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, knob.Make("0"), map[string]Params{
		"service": {Selection: scope.Selection{Scope: scope.Scope{Service: "nobody"}}},
		"group":   {Selection: scope.Selection{Scope: scope.Scope{Group: "/"}}},
	})
}

// A group that somebody else holds is not ours to let go on.
func TestConformanceOfAHeldGroup(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{Params: Params{Selection: scope.Selection{Scope: scope.Scope{Service: grouptest.Service}}}, Refused: "service", Setup: knob.Make("1")})
}
