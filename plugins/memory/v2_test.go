package memory

import (
	"errors"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// foundHigh is a brake that was there: 900 MiB.
const foundHigh = "943718400"

func group2(t *testing.T) (dir, path string) {
	t.Helper()
	need.Check(t, need.Root)
	return grouptest.New(t, "memory", tuned, [2]string{highFile, foundHigh})
}

func asFound(t *testing.T, dir string) {
	t.Helper()
	for file, want := range map[string]string{maxFile: found, highFile: foundHigh} {
		if got := grouptest.Text(t, dir, file); got != want {
			t.Errorf("%s was found as %s and left as %s", file, want, got)
		}
	}
}

// Where it is allowed, a limit below what is used kills; the twin, where it is
// not, is TestLimitBelowUsageIsRefused. v1 has no such limit to give.
func TestOOMAllowed(t *testing.T) {
	if !onV2 {
		_, path := grouptest.New(t, "memory", tuned)
		faulttest.PrepareRefused(t, New(), here, Params{Limit: "64MiB", Scope: scope.Scope{Group: path}, OOM: oomAllowed}, "oom")
		return
	}
	dir, path := group2(t)
	load := grouptest.Hold(t, 128*mib, dir)
	if said := load.Says(); said != "held\n" {
		t.Fatalf("the program said %q", said)
	}
	c := faulttest.Prepare(t, New(), here, Params{Limit: "64MiB", Scope: scope.Scope{Group: path}, OOM: oomAllowed})
	if c.OOMGroup != "0" {
		t.Errorf("memory.oom.group was recorded as %q", c.OOMGroup)
	}
	faulttest.Must(t, New().Apply(t.Context(), here, c, 0, 0))
	if code, err := load.Wait(); code != 137 || err != nil {
		t.Errorf("the program that used too much: code %d, %v", code, err)
	}
	o := faulttest.Observe(t, New(), here, c)
	if o.Dose != fault.Exercised || o.Achieved[4].Value < 1 {
		t.Errorf("observed %s, %+v", o.Dose, o.Achieved)
	}
	if used := number(t, dir, "memory.current"); used > 64*mib {
		t.Errorf("the group uses %d bytes, its limit is 64 MiB", used)
	}
	faulttest.Must(t, New().Revert(t.Context(), here, c))
	asFound(t, dir)
}

// The brake that makes room is gone when the limit is there, and after a crash
// between the two the record alone puts both back.
func TestBrakeIsPutBack(t *testing.T) {
	need.Check(t, need.Root, need.Unified) // v1 needs none
	dir, path := group2(t)
	c := faulttest.Prepare(t, New(), here, Params{Limit: "64MiB", Scope: scope.Scope{Group: path}})
	faulttest.Must(t, c.Brake.Apply(here))
	if o := faulttest.Observe(t, New(), here, c); o.State != fault.Partial {
		t.Errorf("with the brake alone: observed %s", o.State)
	}
	faulttest.Must(t, New().Revert(t.Context(), here, c))
	asFound(t, dir)
	faulttest.Must(t, New().Apply(t.Context(), here, c, 0, 0))
	faulttest.Must(t, New().Apply(t.Context(), here, c, 0, 0))
	if got := grouptest.Text(t, dir, highFile); got != foundHigh {
		t.Errorf("%s is %s beside the limit, found was %s", highFile, got, foundHigh)
	}
	faulttest.Must(t, New().Revert(t.Context(), here, c))
	asFound(t, dir)
}

// Above the brake a group is slowed down to next to a standstill, and nobody is
// killed; what was found is there again afterwards. v1 has no brake.
func TestHighSlowsDown(t *testing.T) {
	if !onV2 {
		_, path := grouptest.New(t, "memory", tuned)
		if _, err := New().Prepare(t.Context(), here, Params{High: "64MiB", Scope: scope.Scope{Group: path}}); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("error %v, want %v", err, fault.ErrUnsupported)
		}
		return
	}
	dir, path := group2(t)
	c := faulttest.Prepare(t, New(), here, Params{High: "64MiB", Scope: scope.Scope{Group: path}})
	faulttest.Must(t, New().Apply(t.Context(), here, c, 0, 0))
	load, held := holds(t, dir)
	if held {
		t.Error("a program has 128 MiB, above a brake of 64")
	}
	o := faulttest.Observe(t, New(), here, c)
	if o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	faulttest.Must(t, New().Revert(t.Context(), here, c))
	asFound(t, dir)
	if over, err := (process.ID{PID: load.PID, Start: load.StartTime}).Ended(); err != nil || over {
		t.Errorf("the program was killed: %v, %v", over, err)
	}
	t.Logf("asked 64 MiB; %s", o.Detail)
}

// The twin: without the fault the same program gets what it asks for.
func TestWithoutHighTheProgramGoesOn(t *testing.T) {
	need.Check(t, need.Root, need.Unified)
	dir, path := group2(t)
	c := faulttest.Prepare(t, New(), here, Params{High: "64MiB", Scope: scope.Scope{Group: path}})
	if _, held := holds(t, dir); !held {
		t.Error("the program does not get 128 MiB without any fault")
	}
	if o := faulttest.Observe(t, New(), here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

// holds is the check of both tests: whether a program gets 128 MiB in twenty
// seconds. Above the brake it gets more, but so slowly that it takes minutes.
func holds(t *testing.T, dir string) (load grouptest.Load, held bool) {
	t.Helper()
	load = grouptest.Hold(t, 128*mib, dir)
	said := make(chan string, 1)
	go func() { said <- load.Says() }()
	select {
	case s := <-said:
		return load, s == "held\n"
	case <-time.After(20 * time.Second):
		return load, false
	}
}
