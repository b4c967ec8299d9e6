package diskfill

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

var driver = fault.NewDriver(Plugin{})

func TestMain(m *testing.M) { faulttest.Main(m, driver) }

// Another owner's files on the same disk stay, whatever room they take.
func TestConformance(t *testing.T) {
	t.Parallel()
	theirs := func(h *faulttest.Host) string { return h.Path("/data/theirs") }
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Path: "/data", Leave: "10%"},
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			var s unix.Statfs_t
			err := unix.Statfs(h.Path("/data"), &s)
			return []fault.Measure{bytes("space free", available(s))}, err
		},
		Disturb: &faulttest.Disturbance{
			Change: func(h *faulttest.Host) error { return os.WriteFile(theirs(h), make([]byte, 1<<20), 0o600) },
			Kept: func(h *faulttest.Host) error {
				b, err := os.ReadFile(theirs(h))
				if err == nil && len(b) != 1<<20 {
					err = fmt.Errorf("%s has %d bytes", filepath.Base(theirs(h)), len(b))
				}
				return err
			},
			Undo: func(h *faulttest.Host) error { return os.Remove(theirs(h)) },
		},
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		field string
		p     Params
	}{
		"the agent's records": {"path", Params{Path: "/state", Leave: "10%"}},
		"in memory":           {"path", Params{Path: "/tmp", Leave: "10%"}},
		"less free already":   {"leave", Params{Path: "/data", Leave: "99.9%"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, driver, faulttest.Case{Params: c.p, Refused: c.field})
		})
	}
}
