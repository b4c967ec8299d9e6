package diskstall

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
)

var driver = fault.NewDriver(Plugin{})

func TestMain(m *testing.M) { faulttest.Main(m, driver) }

func data(h *faulttest.Host) filesystem.FileSystem {
	return filesystem.FileSystem{Path: h.Path("/data")}
}

// frozen asks the kernel in another way than the plugin: a second freeze is EBUSY.
func frozen(h *faulttest.Host) (bool, error) {
	err := data(h).Freeze()
	if errors.Is(err, unix.EBUSY) {
		return true, nil
	}
	return false, errors.Join(err, data(h).Thaw())
}

// Somebody who thaws has the last word.
func TestConformance(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{
		Params: Params{Path: "/data"},
		Meter: func(h *faulttest.Host) ([]fault.Measure, error) {
			is, err := frozen(h)
			return []fault.Measure{stalled(is)}, err
		},
		Disturb: &faulttest.Disturbance{
			Change: func(h *faulttest.Host) error { return data(h).Thaw() },
			Kept: func(h *faulttest.Host) error {
				is, err := frozen(h)
				if is {
					err = errors.New("/data is frozen again")
				}
				return err
			},
			Undo: func(*faulttest.Host) error { return nil },
		},
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"the agent's records": "/state", "in memory": "/tmp", "the host's own": "/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, driver, faulttest.Case{Params: Params{Path: path}, Refused: "path"})
		})
	}
}
