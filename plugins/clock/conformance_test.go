package clock

import (
	"os"
	"testing"

	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

var driver = fault.NewDriver(Plugin{})

func TestMain(m *testing.M) {
	processtest.Main()
	faulttest.Main(m, driver)
}

const program = "/data/notes"

// setup starts a program in the host.
func setup(h *faulttest.Host) error {
	if err := processtest.Copy(h.Path(program)); err != nil {
		return err
	}
	_, err := h.Lab.Start(h.Name, lab.HostCommand{Path: program, Args: []string{string(processtest.Idle)}, Stdio: lab.Stdio{Err: os.Stderr}})
	return err
}

func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Selection: scope.Selection{Executable: program}, Shift: "-1h"},
		Setup:  setup,
		Alone:  "TestAnothersCodeStays has another owner: here it would be a second plugin",
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, setup, map[string]Params{
		"shift":      {Selection: scope.Selection{Executable: program}, Shift: "yesterday"},
		"executable": {Selection: scope.Selection{Executable: "nobody"}, Shift: "1h"},
		"group":      {Selection: scope.Selection{Scope: scope.Scope{Group: "/"}}, Shift: "1h"},
	})
}
