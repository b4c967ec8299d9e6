package pluginhost_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/pluginhost"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// A group that was killed once kills whatever is cloned into it (Linux 6.18);
// the next plugins must be able to live there.
func TestPluginLivesInAGroupThatWasKilledBefore(t *testing.T) {
	need.Check(t, need.Root)
	v2, err := cgroup.V2()
	if err != nil {
		t.Fatal(err)
	}
	group := filepath.Join(v2.Mount, "firedrill-pluginhost-"+strconv.Itoa(syscall.Getpid()))
	if err := cgroup.Create(group); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cgroup.Remove(group, 5*time.Second); err != nil {
			t.Error(err)
		}
	})
	if err := cgroup.Kill(group); err != nil {
		t.Fatal(err)
	}
	p, err := pluginhost.Launch(t.Context(), pluginhost.Config{Kind: "note", Path: proc.Self, Dir: shortDir(t), Cgroup: group})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	pids, err := cgroup.Procs(group)
	if err != nil || !slices.Contains(pids, p.PID()) {
		t.Errorf("group holds %v, not %d (error %v)", pids, p.PID(), err)
	}
	if err := p.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
	gone, err := pluginhost.Launch(t.Context(), pluginhost.Config{Kind: "note", Path: proc.Self, Dir: shortDir(t), Cgroup: group + "-none"})
	if err == nil {
		gone.Kill()
		t.Error("launched into a group that is not there")
	}
}
