package cpu

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// A service of systemd has no cpu.max and no cpuset.cpus by itself: it has one
// while the fault is there, and none after, as all services beside it.
func TestServiceOfSystemd(t *testing.T) {
	need.Check(t, need.Root, need.Systemd, need.CPUs)
	for _, c := range []struct {
		file, text string
		params     Params
	}{
		{maxFile, "50000 100000", Params{Quota: "50%", Scope: scope.Scope{Service: "fd-handed"}}},
		{cpusFile, "0", Params{Cpuset: "0", Scope: scope.Scope{Service: "fd-handed"}}},
	} {
		t.Run(c.file, func(t *testing.T) { handedDown(t, c.params, c.file, c.text) })
	}
}

func handedDown(t *testing.T, p Params, file, text string) {
	// In a slice of its own, to which nobody else hands anything.
	const service, services = "fd-handed.service", "/sys/fs/cgroup/fdhanded.slice"
	grouptest.Units(t, map[string]string{service: "[Service]\nSlice=fdhanded.slice\nExecStart=/bin/sleep 1000\n"})
	grouptest.StartUnits(t, service)
	dir := filepath.Join(services, service)
	handed := func() string { return grouptest.Text(t, services, "cgroup.subtree_control") }
	if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
		t.Fatalf("the service has %s by itself: there is nothing to hand down", file)
	}
	before := handed()
	c := faulttest.Prepare(t, New(), fault.Target{}, p)
	if o := faulttest.Observe(t, New(), fault.Target{}, c); o.State != fault.Absent {
		t.Errorf("before Apply: observed %s, %s", o.State, o.Detail)
	}
	for range 2 { // again is fine
		if err := New().Apply(t.Context(), fault.Target{}, c, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	if o := faulttest.Observe(t, New(), fault.Target{}, c); o.State != fault.Present || grouptest.Text(t, dir, file) != text {
		t.Errorf("observed %s, %s", o.State, o.Detail)
	}
	for range 2 {
		if err := New().Revert(t.Context(), fault.Target{}, c); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, file)); err == nil || handed() != before {
		t.Errorf("system.slice handed on %q and hands on %q", before, handed())
	}
	if left, _ := filepath.Glob("/run/systemd/transient/*firedrill*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// The quota of a service outlives a daemon-reload and is accurate after it.
func TestOnServiceOfSystemd(t *testing.T) {
	grouptest.OnUnit(t, driver, Params{Quota: "20%", Scope: scope.Scope{Service: "fd-sleeper"}}, maxFile, func(t *testing.T, dir string) {
		spinner := grouptest.Spin(t, dir)
		used := accurate(t, spinner.PID)
		t.Logf("asked 20%%, got %.2f%%, %+.2f points", used, used-20)
		if math.Abs(used-20) > within {
			t.Errorf("used %.2f%% of a CPU, asked was 20%%", used)
		}
		if err := spinner.Kill(); err != nil {
			t.Error(err)
		}
	})
}
