package powerloss

import (
	"errors"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// A second Apply is a renewal: a host that is off stays off. One that was
// switched on since is another host.
func TestApplyAgain(t *testing.T) {
	l := raise(t, 1)
	items := prepared(t, l, "p1")
	dark(t, items)
	dark(t, items)
	if o := observed(t, items[0]); o.State != fault.Present {
		t.Errorf("after a renewal: %s", o.State)
	}
	lit(t, items)
	booted := statusOf(t, l, "p1")
	err := (&Plugin{}).Apply(t.Context(), items[0].Target, items[0].Change, 0, 0)
	if !errors.Is(err, fault.ErrGone) {
		t.Errorf("apply to a host that was booted since: %v, want %v", err, fault.ErrGone)
	}
	lit(t, items)
	if now := statusOf(t, l, "p1"); !now.On || now.BootID != booted.BootID {
		t.Errorf("the host was touched: %+v, was %+v", now, booted)
	}
}

// Prepare changes nothing, and a revert of what was never applied neither.
func TestPrepareAlone(t *testing.T) {
	l := raise(t, 1)
	before := statusOf(t, l, "p1")
	items := prepared(t, l, "p1")
	if o := observed(t, items[0]); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("before the cut: %s, %s (%s)", o.State, o.Dose, o.Detail)
	}
	lit(t, items)
	after := statusOf(t, l, "p1")
	if !after.On || after.BootID != before.BootID {
		t.Errorf("after a revert without a cut: %+v, was %+v", after, before)
	}
	if !items[0].Change.Answered {
		t.Error("the host did not answer the canary")
	}
}
