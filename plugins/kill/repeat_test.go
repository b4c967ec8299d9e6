package kill

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// A repetition kills what is started anew, and ends with its end, though nobody
// reverts.
func TestRepeatsUntilItsEnd(t *testing.T) {
	dir, path := processtest.Group(t)
	processtest.Start(t, "notes", processtest.Idle, dir)
	k := New()
	c, err := k.Prepare(t.Context(), fault.Target{}, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}, Every: "150ms"})
	faulttest.Must(t, err)
	faulttest.Must(t, k.Apply(t.Context(), fault.Target{}, c, 0, in(300*time.Millisecond)))
	faulttest.Must(t, k.Apply(t.Context(), fault.Target{}, c, 0, in(900*time.Millisecond))) // renewed
	end := time.Now().Add(900 * time.Millisecond)
	anew := processtest.Start(t, "notes", processtest.Idle)
	faulttest.Must(t, cgroup.Write(dir, "cgroup.procs", strconv.Itoa(anew.PID))) // in the group earlier, a round might hit it before it is up
	if code, _ := anew.Wait(); code == 0 {
		t.Error("what was started anew ended by itself")
	}
	// The process ends before the round that killed it is counted.
	o := settled(t, k, c)
	for counted := time.Now().Add(500 * time.Millisecond); o.Achieved[0].Value < 2 && time.Now().Before(counted); {
		time.Sleep(5 * time.Millisecond)
		o = settled(t, k, c)
	}
	if o.State != fault.Present || o.Dose != fault.Exercised || o.Achieved[0].Value != 2 {
		t.Errorf("observed %+v", o)
	}
	time.Sleep(time.Until(end) + 50*time.Millisecond)
	late := processtest.Start(t, "notes", processtest.Idle, dir)
	time.Sleep(400 * time.Millisecond)
	if !proc.Alive(late.PID, late.StartTime) {
		t.Error("the repetition outlived its end")
	}
	if o, err := k.Observe(t.Context(), fault.Target{}, c); err != nil || o.Dose != fault.NotInForce {
		t.Errorf("after its end: %+v, %v", o, err)
	}
	faulttest.Must(t, k.Revert(t.Context(), fault.Target{}, c))
}

// Revert in another process ends a repetition, and so does the death of the
// process that repeats.
func TestRepetitionEndsWithRevertAndWithItsProcess(t *testing.T) {
	for name, end := range map[string]func(*proc.Process, Change){
		"revert elsewhere": func(_ *proc.Process, c Change) { faulttest.Must(t, New().Revert(t.Context(), fault.Target{}, c)) },
		"death":            func(p *proc.Process, _ Change) { faulttest.Must(t, p.Kill()) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := processtest.Group(t)
			processtest.Start(t, "notes", processtest.Idle, dir)
			c, err := New().Prepare(t.Context(), fault.Target{}, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}, Every: "100ms"})
			faulttest.Must(t, err)
			defer func() { faulttest.Must(t, New().Revert(t.Context(), fault.Target{}, c)) }()
			repeater := elsewhere(t, c)
			if o := settled(t, New(), c); o.State != fault.Present {
				t.Errorf("observed %+v", o)
			}
			end(repeater, c)
			time.Sleep(50 * time.Millisecond)
			late := processtest.Start(t, "notes", processtest.Idle, dir)
			time.Sleep(300 * time.Millisecond)
			if !proc.Alive(late.PID, late.StartTime) {
				t.Error("it still kills")
			}
			if o, err := New().Observe(t.Context(), fault.Target{}, c); err != nil || o.Dose != fault.NotInForce {
				t.Errorf("observed %+v, %v", o, err)
			}
		})
	}
}

// roleApply is a process that applies the record in its argument, and stays.
const roleApply = "kill-apply"

func applyRole() {
	if len(os.Args) < 3 || os.Args[1] != roleApply {
		return
	}
	var c Change
	err := json.Unmarshal([]byte(os.Args[2]), &c)
	if err == nil {
		err = New().Apply(context.Background(), fault.Target{}, c, 0, in(time.Minute))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	time.Sleep(time.Hour)
}

func elsewhere(t *testing.T, c Change) *proc.Process {
	t.Helper()
	text, err := json.Marshal(c)
	faulttest.Must(t, err)
	p, err := proc.Start(proc.Spec{Path: proc.Self, Args: []string{roleApply, string(text)}, Stderr: os.Stderr})
	faulttest.Must(t, err)
	t.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
	})
	return p
}
