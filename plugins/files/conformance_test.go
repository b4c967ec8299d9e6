package files

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

var driver = fault.NewDriver(Plugin{})

func TestMain(m *testing.M) {
	opener()
	grouptest.Main()
	faulttest.Main(m, driver)
}

// Of the 65,525 inodes that a lab host has free on /data some 5,500 are taken: the
// suite lists every file again and again. Another owner's file stays.
func TestConformance(t *testing.T) {
	t.Parallel()
	theirs := func(h *faulttest.Host) string { return h.Path("/data/theirs") }
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Which: "inodes", Leave: 60_000, Path: "/data"},
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			var s unix.Statfs_t
			err := unix.Statfs(h.Path("/data"), &s)
			return []fault.Measure{count("inodes free", int(s.Ffree))}, err
		},
		Disturb: &faulttest.Disturbance{
			Change: func(h *faulttest.Host) error { return os.WriteFile(theirs(h), nil, 0o600) },
			Kept: func(h *faulttest.Host) error {
				_, err := os.Stat(theirs(h))
				return err
			},
			Undo: func(h *faulttest.Host) error { return os.Remove(theirs(h)) },
		},
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Refuses(t, driver, nil, map[string]Params{
		"path":    {Which: "inodes", Path: "/state"},
		"service": {Which: "descriptors", Selection: scope.Selection{Scope: scope.Scope{Service: "nobody"}}},
		"group":   {Which: "descriptors", Selection: scope.Selection{Scope: scope.Scope{Group: "/"}}},
	})
}
