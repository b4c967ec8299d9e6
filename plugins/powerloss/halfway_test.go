package powerloss

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// The plugin is killed after each phase of a cut. What is left reads as partly
// or fully applied, and a revert in another process gives running hosts.
func TestRevertFromEveryPhase(t *testing.T) {
	l := raise(t, 2)
	for _, phase := range []string{Began, Dark, Frozen, Shutdown, Dead, Released} {
		t.Run(phase, func(t *testing.T) {
			items := prepared(t, l, "p1", "p2")
			dieAfter(t, "cut", phase, items)
			for _, it := range items {
				o := observed(t, it)
				if whole := phase == Released; (o.State == fault.Present) != whole && phase != Dead {
					t.Errorf("%s: %s (%s)", it.ID, o.State, o.Detail)
				}
			}
			lit(t, items)
			lit(t, items)
			for _, it := range items {
				if err := running(t.Context(), l, it.Target.Host); err != nil {
					t.Errorf("after revert: %v", err)
				}
				if s := statusOf(t, l, it.Target.Host); !s.On {
					t.Errorf("after revert: %+v", s)
				}
				if again := prepared(t, l, it.Target.Host); !again[0].Change.Answered {
					t.Errorf("%s is not heard", it.ID)
				}
			}
		})
	}
}

func dieAfter(t *testing.T, worker, phase string, items []fault.Item[Change]) {
	t.Helper()
	cmd := exec.Command(proc.Self, workerArg, worker, phase)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(in).Encode(items); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the plugin was not killed after %s: %v", phase, err)
	}
}
