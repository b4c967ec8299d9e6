package group_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

func TestMain(m *testing.M) {
	grouptest.Main()
	faulttest.Main(m)
}

// A group that holds, itself or below it, what must not be touched is refused,
// and the refusal names it.
func TestSpared(t *testing.T) {
	dir, path := grouptest.New(t, "cpu")
	faulttest.Must(t, cgroup.Create(dir+"/below"))
	mustBeRefused := func(name string) {
		t.Helper()
		var refused *fault.RefusedError
		if _, err := group.Find("cpu", scope.Scope{Group: path}); !errors.As(err, &refused) || refused.Field != "group" || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want a refusal of the group that names %s", err, name)
		}
	}
	load := grouptest.Named(t, "notes", dir+"/below") // the twin: a program like any other
	if _, err := group.Find("cpu", scope.Scope{Group: path}); err != nil {
		t.Errorf("a group of services alone: %v", err)
	}
	faulttest.Must(t, load.Kill())
	ssh := grouptest.Named(t, "sshd", dir+"/below")
	mustBeRefused("sshd")
	faulttest.Must(t, ssh.Kill())
	_, _ = ssh.Wait()
	self := grouptest.Self(t, dir+"/below")
	mustBeRefused("Firedrill itself")
	faulttest.Must(t, self.Kill())
	_, _ = self.Wait()
	faulttest.Must(t, cgroup.Enter(dir))
	mustBeRefused("carries this plugin")
	faulttest.Must(t, cgroup.Enter(strings.TrimSuffix(dir, path)))
	path = "/"
	mustBeRefused("whole host")
}

// What came into the group after Prepare is spared as well.
func TestSparedAtApply(t *testing.T) {
	dir, _, s := setting(t)
	grouptest.Self(t, dir)
	var refused *fault.RefusedError
	if err := s.Apply(fault.Target{}); !errors.As(err, &refused) {
		t.Errorf("error %v, want a refusal", err)
	}
	if got := grouptest.Text(t, dir, s.File); got != s.Before {
		t.Errorf("%s is %s, it was %s", s.File, got, s.Before)
	}
}

// A group that is gone is not made again, and one that was made anew is not touched.
func TestGone(t *testing.T) {
	dir, _, s := setting(t)
	faulttest.Must(t, s.Apply(fault.Target{}))
	if err := s.Revert(fault.Target{BootID: "another boot"}); !errors.Is(err, fault.ErrGone) {
		t.Errorf("revert after a boot: error %v, want %v", err, fault.ErrGone)
	}
	faulttest.Must(t, os.Remove(dir))
	for _, act := range []func(fault.Target) error{s.Apply, s.Revert} {
		if err := act(fault.Target{}); !errors.Is(err, fault.ErrGone) {
			t.Errorf("error %v, want %v", err, fault.ErrGone)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the group was made again")
	}
	faulttest.Must(t, cgroup.Create(dir))
	faulttest.Must(t, cgroup.Write(dir, s.File, s.After))
	if err := s.Revert(fault.Target{}); !errors.Is(err, fault.ErrGone) {
		t.Errorf("revert of another group: error %v, want %v", err, fault.ErrGone)
	}
	if got := grouptest.Text(t, dir, s.File); got != s.After {
		t.Errorf("the other group's %s is %s now", s.File, got)
	}
}

// A third value is somebody else's.
func TestOthersValueStays(t *testing.T) {
	dir, _, s := setting(t)
	faulttest.Must(t, cgroup.Write(dir, s.File, "333"))
	if err := s.Apply(fault.Target{}); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("apply: error %v, want %v", err, fault.ErrChanged)
	}
	if err := s.Revert(fault.Target{}); !errors.Is(err, fault.ErrStuck) {
		t.Errorf("revert: error %v, want %v", err, fault.ErrStuck)
	}
	if got := grouptest.Text(t, dir, s.File); got != "333" {
		t.Errorf("the other owner's value is %s now", got)
	}
}

// A value that the kernel rounds could not be told from somebody else's.
func TestRoundedValueIsPutBack(t *testing.T) {
	file := "memory.limit_in_bytes"
	if grouptest.OnV2("memory") {
		file = "memory.max"
	}
	dir, path := grouptest.New(t, "memory", [2]string{file, "734003200"})
	g, err := group.Find("memory", scope.Scope{Group: path})
	faulttest.Must(t, err)
	s := group.Setting{Group: g, File: file, Before: "734003200", After: "73400321"}
	if err := s.Apply(fault.Target{}); err == nil {
		t.Error("applied")
	}
	if got := grouptest.Text(t, dir, s.File); got != s.Before {
		t.Errorf("%s is %s, it was %s", s.File, got, s.Before)
	}
}

// Pressure is that of the same processes, or none.
func TestPressure(t *testing.T) {
	dir, path := grouptest.New(t, "memory")
	if grouptest.OnV2("memory") {
		return // one group has both: nothing to be told apart
	}
	v2 := grouptest.Also(t, grouptest.V2, path)
	g, err := group.Find("memory", scope.Scope{Group: path})
	faulttest.Must(t, err)
	if _, ok := g.Pressure("memory"); ok {
		t.Error("a group without processes has a pressure")
	}
	grouptest.Hold(t, 1, dir, v2)
	if share, ok := g.Pressure("memory"); !ok || share < 0 || share > 100 {
		t.Errorf("pressure %v, known: %v", share, ok)
	}
	grouptest.Hold(t, 1, v2)
	if _, ok := g.Pressure("memory"); ok {
		t.Error("the pressure is also that of a process which is not in the group")
	}
}

// setting is one of a group of its own.
func setting(t *testing.T) (dir, path string, s group.Setting) {
	t.Helper()
	file := "cpu.shares"
	if grouptest.OnV2("cpu") {
		file = "cpu.weight"
	}
	dir, path = grouptest.New(t, "cpu", [2]string{file, "777"})
	g, err := group.Find("cpu", scope.Scope{Group: path})
	faulttest.Must(t, err)
	return dir, path, group.Setting{Group: g, File: file, Before: "777", After: "111"}
}
