package pause

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// A program that is named by its file stands still with what descends from it, and
// goes on later; another of the same name does not notice.
func TestOneProgram(t *testing.T) {
	mine, other := processtest.Start(t, "notes", processtest.Busy), processtest.Start(t, "notes", processtest.Busy)
	goes(t, mine.PID)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Selection: scope.Selection{Executable: mine.Path}})
	t.Cleanup(func() { _ = Plugin{}.Revert(t.Context(), here, c) })
	goes(t, mine.PID) // the twin: prepared, and not applied
	for range 2 {
		faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	}
	time.Sleep(10 * time.Millisecond)
	if ran := held(mine.PID); ran != 0 {
		t.Errorf("the program was on a CPU for %v while it was paused", ran)
	}
	goes(t, other.PID)
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	for range 2 {
		faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	}
	goes(t, mine.PID)
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s after revert", o.State, o.Dose)
	}
}

// What somebody stopped before is refused; what ended is gone, and its pid is nobody's.
func TestOneProgramOfOthers(t *testing.T) {
	p := processtest.Start(t, "notes", processtest.Idle)
	named := Params{Selection: scope.Selection{Executable: p.Path}}
	c := faulttest.Prepare(t, Plugin{}, here, named)
	faulttest.Must(t, unix.Kill(p.PID, unix.SIGSTOP))
	id := process.ID{PID: p.PID, Start: p.StartTime}
	for still := false; !still; still, _ = id.Stopped() {
		time.Sleep(time.Millisecond)
	}
	faulttest.PrepareRefused(t, Plugin{}, here, named, "executable")
	faulttest.Must(t, p.Kill())
	_, _ = p.Wait()
	if err := (Plugin{}).Apply(t.Context(), here, c, 0, 0); !errors.Is(err, fault.ErrGone) {
		t.Errorf("apply: error %v, want %v", err, fault.ErrGone)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
}
