package kill

import (
	"os"
	"testing"

	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

var driver = fault.NewDriver(New())

func TestMain(m *testing.M) {
	processtest.Main()
	applyRole()
	faulttest.Main(m, driver)
}

const program = "/data/notes"

// keeper starts a program in the host, and another one that starts it again
// whenever it ends, as an init system would.
func keeper(h *faulttest.Host) error {
	if err := processtest.Copy(h.Path(program)); err != nil {
		return err
	}
	if err := processtest.Copy(h.Path("/data/keeper")); err != nil {
		return err
	}
	_, err := h.Lab.Start(h.Name, lab.HostCommand{Path: "/data/keeper", Args: []string{string(processtest.Keep), program}, Stdio: lab.Stdio{Err: os.Stderr}})
	return err
}

func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Selection: scope.Selection{Executable: program}},
		Setup:  keeper,
		Alone:  "a process that has ended belongs to nobody",
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, keeper, map[string]Params{
		"executable": {Selection: scope.Selection{Executable: "nobody"}},
		"group":      {Selection: scope.Selection{Scope: scope.Scope{Group: "/"}}},
		"signal":     {Selection: scope.Selection{Executable: program}, Signal: "HUP"},
		"every":      {Selection: scope.Selection{Executable: program}, Every: "1us"},
	})
}
