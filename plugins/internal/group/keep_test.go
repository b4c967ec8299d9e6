package group_test

import (
	"errors"
	"os"
	"testing"

	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
)

// What systemd keeps for a fault is read with a reload and forgotten with the
// fault, whether anybody reloaded meanwhile or not; other configuration of the
// unit stays.
func TestKeepOnSystemd(t *testing.T) {
	const unit = "fd-kept.service"
	grouptest.Units(t, map[string]string{unit: "[Service]\nExecStart=/bin/sleep 1000\nTasksMax=100\n"})
	grouptest.StartUnits(t, unit)
	theirs := systemd.DropIn{Unit: unit, Name: "50-TasksMax.conf", Text: "[Service]\nTasksMax=99\n"}
	faulttest.Must(t, theirs.Write())
	t.Cleanup(func() { _ = os.Remove(theirs.Path()); _ = os.Remove(systemd.MaskPath(unit + ".d")) })
	grouptest.Reload(t)
	g, ok, err := group.OfUnit(grouptest.ReadUnit(t, unit).Group)
	if faulttest.Must(t, err); !ok {
		t.Fatal("the unit has no group")
	}
	if k := (group.Group{Mount: g.Mount, Path: "/svc/demo"}).Keep("pids.max", "TasksMax=7"); k != nil {
		t.Errorf("a group that is no unit's is kept: %+v", k)
	}
	k := g.Keep("pids.max", "TasksMax=7")
	for _, c := range []struct {
		reload bool
		want   int // DropIns meanwhile
	}{{false, 1}, {true, 2}} {
		for range 2 {
			faulttest.Must(t, k.Apply())
		}
		if c.reload {
			grouptest.Reload(t)
		}
		if u := grouptest.ReadUnit(t, unit); len(u.DropIns) != c.want {
			t.Errorf("reload %v: systemd has read %v", c.reload, u.DropIns)
		}
		calls := 0
		for range 2 {
			faulttest.Must(t, k.Revert(func() error { calls++; return nil }))
		}
		if u := grouptest.ReadUnit(t, unit); len(u.DropIns) != 1 || u.Stale {
			t.Errorf("reload %v: afterwards systemd has %v, and waits for a reload: %v", c.reload, u.DropIns, u.Stale)
		}
		if (calls == 3) != c.reload {
			t.Errorf("reload %v: the setting was undone %d times in two reverts", c.reload, calls)
		}
	}
	if err := k.Revert(func() error { return fault.ErrGone }); !errors.Is(err, fault.ErrGone) {
		t.Errorf("error %v, want %v", err, fault.ErrGone)
	}
}
