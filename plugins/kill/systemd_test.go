package kill

import (
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// A service that systemd starts again each time is killed each time, wherever it
// has its group.
func TestOnServiceOfSystemd(t *testing.T) {
	const name = "fd-phoenix"
	grouptest.Units(t, map[string]string{name + ".service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\nSlice=fdtest-deep.slice\nExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=50ms\n"})
	grouptest.StartUnits(t, name+".service")
	k := New()
	c, err := k.Prepare(t.Context(), fault.Target{}, Params{Selection: scope.Selection{Scope: scope.Scope{Service: name}}, Every: "300ms"})
	faulttest.Must(t, err)
	first := grouptest.ReadUnit(t, name+".service")
	if len(c.Found) != 1 || c.Found[0].PID != first.MainPID {
		t.Errorf("found %v, the main process is %d", c.Found, first.MainPID)
	}
	faulttest.Must(t, k.Apply(t.Context(), fault.Target{}, c, 0, in(time.Minute)))
	var o fault.Observation
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if o, err = New().Observe(t.Context(), fault.Target{}, c); err == nil && len(o.Achieved) > 0 && o.Achieved[0].Value >= 3 {
			break
		}
	}
	faulttest.Must(t, New().Revert(t.Context(), fault.Target{}, c))
	if o.Dose != fault.Exercised || o.Achieved[0].Value < 3 {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	if !leftAlone(t, name+".service", first.Invocation) {
		t.Error("rounds went on after revert")
	}
	t.Log(o.Detail)
}

// leftAlone waits until the service runs, in another invocation than the first, for
// three rounds: one may be on its way when the fault is reverted, and take long.
func leftAlone(t *testing.T, unit, first string) bool {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		then := grouptest.ReadUnit(t, unit)
		time.Sleep(900 * time.Millisecond)
		now := grouptest.ReadUnit(t, unit)
		if now.Running() && now.Invocation != first && now.Invocation == then.Invocation {
			return true
		}
	}
	return false
}
