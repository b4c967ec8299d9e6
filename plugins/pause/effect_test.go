package pause

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

var here = fault.Target{}

// held is the check of both tests of a version: what a program that wants a
// whole CPU gets in a quarter of a second. The meter is the scheduler's count.
func held(pid int) time.Duration {
	before := group.Ran([]int{pid})
	time.Sleep(250 * time.Millisecond)
	return time.Duration(group.Ran([]int{pid}) - before)
}

// freezers are the two that the kernel has, for people.
var freezers = map[string]string{grouptest.V2: "cgroup v2", "freezer": "the v1 freezer"}

// A spinning program, in the group or below it, stands still and goes on later,
// with either version.
func TestPauseHolds(t *testing.T) {
	for _, version := range []string{grouptest.V2, "freezer"} {
		if !grouptest.Mounted(version) {
			continue // the table of doses has no such row for this machine
		}
		t.Run(version, func(t *testing.T) {
			dir, path := grouptest.New(t, version)
			faulttest.Must(t, cgroup.Create(dir+"/below"))
			spinner := grouptest.Spin(t, dir+"/below")
			goes(t, spinner.PID)
			list := faulttest.Listing(t, nil, path)
			c := faulttest.Prepare(t, Plugin{}, here, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
			if c.Freezer.V1 != (version == "freezer") {
				t.Fatalf("found %+v", c.Freezer)
			}
			t.Cleanup(func() { _ = Plugin{}.Revert(t.Context(), here, c) })
			began := time.Now()
			faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
			took := time.Since(began)
			ran := held(spinner.PID)
			o := faulttest.Observe(t, Plugin{}, here, c)
			if o.State != fault.Present || o.Dose != fault.Exercised {
				t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
			}
			faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
			goes(t, spinner.PID)
			if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
				t.Errorf("observed %s, %s after revert", o.State, o.Dose)
			}
			faulttest.Measured(t, faulttest.Measurement{
				Fault: Kind, What: "a program that spins: on a CPU in 250 ms, by " + freezers[version], Achieved: ran.Seconds() * 1000, Unit: "ms",
				Found: list, Left: faulttest.Listing(t, nil, path),
			})
			t.Logf("stopped in %v; %s", took, o.Detail)
		})
	}
}

// The twin: without the fault the same check sees the program run.
func TestWithoutPauseTheProgramRuns(t *testing.T) {
	dir, path := grouptest.New(t, grouptest.V2)
	spinner := grouptest.Spin(t, dir)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	goes(t, spinner.PID)
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

// What was frozen below the group before stays so.
func TestFrozenBelowStays(t *testing.T) {
	dir, path := grouptest.New(t, grouptest.V2)
	faulttest.Must(t, cgroup.Create(dir+"/below"))
	faulttest.Must(t, cgroup.Freeze(dir+"/below", true))
	c := faulttest.Prepare(t, Plugin{}, here, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	if got := grouptest.Text(t, dir+"/below", "cgroup.freeze"); got != "1" {
		t.Errorf("cgroup.freeze of the group below is %s, it was 1", got)
	}
	faulttest.Must(t, cgroup.Freeze(dir+"/below", false))
}

// A process that ends between Prepare and Apply, or a pause that finds nobody, is
// no error, and nobody is said to be held.
func TestNobodyToPause(t *testing.T) {
	dir, path := grouptest.New(t, grouptest.V2)
	load := grouptest.Spin(t, dir)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	faulttest.Must(t, load.Kill())
	_, _ = load.Wait()
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Present || o.Dose != fault.InForce {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
}

// A service that was restarted in a new group meanwhile, which then was frozen by
// somebody else, is not touched.
func TestRestartedMeanwhile(t *testing.T) {
	dir, path := grouptest.New(t, grouptest.V2)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	faulttest.Must(t, os.Remove(dir))
	faulttest.Must(t, cgroup.Create(dir))
	faulttest.Must(t, cgroup.Freeze(dir, true))
	if err := (Plugin{}).Revert(t.Context(), here, c); !errors.Is(err, fault.ErrGone) {
		t.Errorf("revert: error %v, want %v", err, fault.ErrGone)
	}
	if got := grouptest.Text(t, dir, "cgroup.freeze"); got != "1" {
		t.Errorf("the new group's cgroup.freeze is %s now", got)
	}
}

// What carries Firedrill is refused, also where it came after Prepare.
func TestSpared(t *testing.T) {
	dir, path := grouptest.New(t, grouptest.V2)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	grouptest.Self(t, dir)
	faulttest.Refused(t, Plugin{}.Apply(t.Context(), here, c, 0, 0), "")
	faulttest.PrepareRefused(t, Plugin{}, here, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}}, "group")
	if got := grouptest.Text(t, dir, "cgroup.freeze"); got != "0" {
		t.Errorf("cgroup.freeze is %s", got)
	}
}

// A group that stands still because one above it does is refused.
func TestHeldFromAboveIsRefused(t *testing.T) {
	dir, path := grouptest.New(t, grouptest.V2)
	faulttest.Must(t, cgroup.Create(dir+"/below"))
	faulttest.Must(t, cgroup.Freeze(dir, true))
	faulttest.Must(t, cgroup.WaitFrozen(dir+"/below", time.Second))
	faulttest.PrepareRefused(t, Plugin{}, here, Params{Selection: scope.Selection{Scope: scope.Scope{Group: filepath.Join(path, "below")}}}, "group")
}

func goes(t *testing.T, pid int) {
	t.Helper()
	for range 20 { // a busy machine may hold it back for a while
		if held(pid) > 0 {
			return
		}
	}
	t.Errorf("pid %d does not run", pid)
}
