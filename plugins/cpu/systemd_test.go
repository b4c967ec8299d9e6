package cpu

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// A service of systemd has no cpu.max by itself: it has one while the fault is
// there, and none after, as all services beside it.
func TestServiceOfSystemd(t *testing.T) {
	need.Check(t, need.Root, need.Systemd)
	const services = "/sys/fs/cgroup/system.slice"
	dir := filepath.Join(services, "systemd-journald.service")
	handed := func() string { return grouptest.Text(t, services, "cgroup.subtree_control") }
	if _, err := os.Stat(filepath.Join(dir, maxFile)); err == nil {
		t.Log("some service has a CPU property here, so all have the file: nothing to hand down")
		return
	}
	before := handed()
	c := prepare(t, Params{Quota: "50%", Scope: scope.Scope{Service: "systemd-journald"}})
	if o := observe(t, c); o.State != fault.Absent {
		t.Errorf("before Apply: observed %s, %s", o.State, o.Detail)
	}
	for range 2 { // again is fine
		if err := (Plugin{}).Apply(t.Context(), fault.Target{}, c, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	if o := observe(t, c); o.State != fault.Present || grouptest.Text(t, dir, maxFile) != "50000 100000" {
		t.Errorf("observed %s, %s", o.State, o.Detail)
	}
	for range 2 {
		if err := (Plugin{}).Revert(t.Context(), fault.Target{}, c); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, maxFile)); err == nil || handed() != before {
		t.Errorf("system.slice handed on %q and hands on %q", before, handed())
	}
	if left, _ := filepath.Glob("/run/systemd/transient/*firedrill*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
