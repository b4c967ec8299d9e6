package pause

import (
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// A service of systemd stays paused across a daemon-reload.
func TestOnServiceOfSystemd(t *testing.T) {
	grouptest.OnUnit(t, driver, Params{Selection: scope.Selection{Scope: scope.Scope{Service: "fd-sleeper"}}}, "cgroup.freeze", func(t *testing.T, dir string) {
		spinner := grouptest.Spin(t, dir)
		faulttest.Must(t, cgroup.WaitFrozen(dir, 5*time.Second)) // it stops as it comes in
		if ran := held(spinner.PID); ran != 0 {
			t.Errorf("the program was on a CPU for %v while it was paused", ran)
		}
	})
}
