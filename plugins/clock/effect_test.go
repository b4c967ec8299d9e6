package clock

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// within is how far a program's answer may be off: it takes a while on a busy machine.
const within = 500 * time.Millisecond

// off is how far the clock that a program sees is from this process's. The meter
// is the program itself.
func off(t *testing.T, p *processtest.Program, ask string) time.Duration {
	t.Helper()
	ns, err := strconv.ParseInt(p.Ask(t, ask), 10, 64)
	faulttest.Must(t, err)
	return time.Until(time.Unix(0, ns)).Round(time.Millisecond)
}

func near(got, want time.Duration) bool { return (got - want).Abs() <= within }

func TestShiftsAndPutsBack(t *testing.T) {
	for _, shift := range []string{"-1h", "90s", "1500ms", "-2500ms", "8000h"} {
		t.Run(shift, func(t *testing.T) {
			p := processtest.Start(t, "notes", processtest.Clock)
			other := processtest.Start(t, "other", processtest.Clock)
			want, _ := time.ParseDuration(shift)
			before := code(t, p)
			c := inject(t, Plugin{}, Params{Selection: scope.Selection{Executable: p.Path}, Shift: shift})
			got := off(t, p, "now")
			t.Logf("asked %v, got %v", want, got)
			if got := off(t, other, "now"); !near(got, 0) {
				t.Errorf("another program's clock is off by %v", got)
			}
			if o := faulttest.Observe(t, Plugin{}, fault.Target{}, c); o.State != fault.Present || o.Dose != fault.InForce || o.Achieved[0].Value != want.Seconds() || o.Achieved[1].Value != 1 {
				t.Errorf("observed %+v", o)
			}
			faulttest.Must(t, Plugin{}.Apply(t.Context(), fault.Target{}, c, 0, 0)) // a renewal
			faulttest.Must(t, Plugin{}.Revert(t.Context(), fault.Target{}, throughJSON(t, c)))
			if got := off(t, p, "now"); !near(got, 0) {
				t.Errorf("after revert the clock is off by %v", got)
			}
			faulttest.Measured(t, faulttest.Measurement{
				Fault: Kind, What: "the clock of a program, " + shift, Asked: want.Seconds(), Achieved: got.Seconds(), Unit: "s",
				Within: within.Seconds(), Found: []string{string(before)}, Left: []string{string(code(t, p))}, // byte by byte
			})
			faulttest.Must(t, Plugin{}.Revert(t.Context(), fault.Target{}, c))
			if o := faulttest.Observe(t, Plugin{}, fault.Target{}, c); o.State != fault.Absent {
				t.Errorf("observed %+v", o)
			}
		})
	}
}

// The twin: with everything in place but the effect, the clock is right and
// Observe does not claim otherwise.
func TestWithoutEffectTheClockIsRight(t *testing.T) {
	p := processtest.Start(t, "notes", processtest.Clock)
	c := inject(t, Plugin{noEffect: true}, Params{Selection: scope.Selection{Executable: p.Path}, Shift: "-1h"})
	if got := off(t, p, "now"); near(got, -time.Hour) {
		t.Error("shifted without effect")
	}
	if o := faulttest.Observe(t, Plugin{}, fault.Target{}, c); o.Dose != fault.NotInForce || o.Achieved[0].Value != 0 {
		t.Errorf("observed %+v", o)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), fault.Target{}, c))
}

// All functions of the C library's programs are shifted: date(1) asks by
// clock_gettime, others by gettimeofday or time. The code is run in this process.
func TestAllFunctionsAndAllOffsets(t *testing.T) {
	a, err := thisArchitecture()
	faulttest.Must(t, err)
	for _, shift := range []time.Duration{-time.Hour, 1, -1, 999_999_999, -farthest, farthest} {
		for function, code := range a.functions {
			seconds, rest := floor(shift)
			now := call(t, function, code(seconds, rest))
			got, off := time.Unix(now[0], now[1]), within
			switch {
			case strings.HasSuffix(function, "gettimeofday"):
				got = time.Unix(now[0], now[1]*1000)
			case strings.HasSuffix(function, "time") && !strings.HasSuffix(function, "gettime"):
				off += 2 * time.Second // it tells whole seconds
			}
			if now[1] < 0 || now[1] >= 1e9 || (time.Until(got)-shift).Abs() > off {
				t.Errorf("%v: %s says %v, %d", shift, function, got, now)
			}
		}
		if got := a.decode(a.functions[a.clock](floor(shift))); got != shift {
			t.Errorf("decoded %v of %v", got, shift)
		}
	}
}

// A child that is forked and executed anew has the host's clock until the next
// renewal, and Observe says so; one that runs already is shifted with its parent.
func TestChildren(t *testing.T) {
	dir, path := processtest.Group(t)
	p := processtest.Start(t, "notes", processtest.Parent, dir)
	c := inject(t, Plugin{}, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}, Shift: "-1h"})
	if got := off(t, p, "now"); !near(got, -time.Hour) {
		t.Errorf("the parent's clock is off by %v", got)
	}
	if got := off(t, p, "child"); !near(got, 0) {
		t.Errorf("the clock of a program executed anew is off by %v: say so in the package comment", got)
	}
	late := processtest.Start(t, "late", processtest.Clock, dir)
	if o := faulttest.Observe(t, Plugin{}, fault.Target{}, c); o.State != fault.Partial || o.Dose != fault.NotInForce {
		t.Errorf("with a program that is not shifted: observed %+v", o)
	}
	faulttest.Must(t, Plugin{}.Apply(t.Context(), fault.Target{}, c, 0, 0))
	if got := off(t, late, "now"); !near(got, -time.Hour) {
		t.Errorf("after a renewal the new program's clock is off by %v", got)
	}
	if o := faulttest.Observe(t, Plugin{}, fault.Target{}, c); o.State != fault.Present || o.Achieved[1].Value != 2 {
		t.Errorf("observed %+v", o)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), fault.Target{}, c))
	for _, p := range []*processtest.Program{p, late} {
		if got := off(t, p, "now"); !near(got, 0) {
			t.Errorf("after revert a clock is off by %v", got)
		}
	}
}

// A forked child has its parent's code, is not in the record, and is put back.
func TestForkedChildIsPutBack(t *testing.T) {
	p := processtest.Start(t, "notes", processtest.Clock)
	child := processtest.Start(t, "child", processtest.Clock)
	c := inject(t, Plugin{}, Params{Selection: scope.Selection{Executable: p.Path}, Shift: "1h"})
	id, err := process.Read(child.PID)
	faulttest.Must(t, err)
	faulttest.Must(t, Plugin{}.replace(id, c.Image, true)) // what fork(2) does
	if got := off(t, child, "now"); !near(got, time.Hour) {
		t.Errorf("the child's clock is off by %v", got)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), fault.Target{}, c))
	for _, p := range []*processtest.Program{p, child} {
		if got := off(t, p, "now"); !near(got, 0) {
			t.Errorf("after revert a clock is off by %v", got)
		}
	}
}

// A process that ended is no reason to fail: what is left is put back, and if
// nothing is, the target is gone.
func TestEndedProcess(t *testing.T) {
	dir, path := processtest.Group(t)
	first, second := processtest.Start(t, "notes", processtest.Clock, dir), processtest.Start(t, "notes", processtest.Clock, dir)
	c := inject(t, Plugin{}, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}, Shift: "1h"})
	faulttest.Must(t, first.Kill())
	_, _ = first.Wait()
	faulttest.Must(t, Plugin{}.Revert(t.Context(), fault.Target{}, c))
	if got := off(t, second, "now"); !near(got, 0) {
		t.Errorf("after revert the clock is off by %v", got)
	}
	faulttest.Must(t, second.Kill())
	_, _ = second.Wait()
	if err := (Plugin{}).Revert(t.Context(), fault.Target{}, c); !errors.Is(err, fault.ErrGone) {
		t.Errorf("error %v, want %v", err, fault.ErrGone)
	}
}

// Code of somebody else in the place of ours stays.
func TestAnothersCodeStays(t *testing.T) {
	p := processtest.Start(t, "notes", processtest.Clock)
	first := inject(t, Plugin{}, Params{Selection: scope.Selection{Executable: p.Path}, Shift: "1h"})
	if _, err := (Plugin{}).Prepare(t.Context(), fault.Target{}, Params{Selection: scope.Selection{Executable: p.Path}, Shift: "2h"}); err == nil {
		t.Error("a second shift was not refused")
	}
	other := first
	other.Tag[0]++
	faulttest.Must(t, other.build())
	if err := (Plugin{}).Revert(t.Context(), fault.Target{}, other); !errors.Is(err, fault.ErrStuck) {
		t.Errorf("error %v, want %v", err, fault.ErrStuck)
	}
	if err := (Plugin{}).Apply(t.Context(), fault.Target{}, other, 0, 0); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("error %v, want %v", err, fault.ErrChanged)
	}
	if got := off(t, p, "now"); !near(got, time.Hour) {
		t.Errorf("the first shift is off by %v now", got)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), fault.Target{}, first))
}

// A program that reads the clock all the time, in several threads, goes on
// through shift after shift.
func TestBusyReader(t *testing.T) {
	p := processtest.Start(t, "busy", processtest.Busy)
	var longest time.Duration
	for range 10 {
		c, err := Plugin{}.Prepare(t.Context(), fault.Target{}, Params{Selection: scope.Selection{Executable: p.Path}, Shift: "1h"})
		faulttest.Must(t, err)
		began := time.Now()
		faulttest.Must(t, Plugin{}.Apply(t.Context(), fault.Target{}, c, 0, 0))
		longest = max(longest, time.Since(began))
		faulttest.Must(t, Plugin{}.Revert(t.Context(), fault.Target{}, c))
	}
	t.Logf("longest apply %v", longest)
	if !proc.Alive(p.PID, p.StartTime) {
		t.Error("the program crashed")
	}
	if got := off(t, p, "now"); !near(got, 0) {
		t.Errorf("the clock is off by %v", got)
	}
}

func TestRefusals(t *testing.T) {
	p := processtest.Start(t, "notes", processtest.Clock)
	for field, params := range map[string]Params{
		"shift":      {Selection: scope.Selection{Executable: p.Path}, Shift: "0s"},
		"service":    {Selection: scope.Selection{Scope: scope.Scope{Service: "nobody"}}, Shift: "1h"},
		"group":      {Selection: scope.Selection{Scope: scope.Scope{Group: "/"}}, Shift: "1h"},
		"executable": {Selection: scope.Selection{Executable: proc.Self}, Shift: "1h"},
	} {
		faulttest.PrepareRefused(t, Plugin{}, fault.Target{}, params, field)
	}
	for _, shift := range []string{"", "yesterday", "90000h"} {
		faulttest.PrepareRefused(t, Plugin{}, fault.Target{}, Params{Selection: scope.Selection{Executable: p.Path}, Shift: shift}, "shift")
	}
}

// code is the whole vDSO of a program.
func code(t *testing.T, p *processtest.Program) []byte {
	t.Helper()
	id, err := process.Read(p.PID)
	faulttest.Must(t, err)
	m, err := openMemory(id)
	faulttest.Must(t, err)
	defer m.Close()
	b, _ := m.read(0, imageSize)
	return b
}

func inject(t *testing.T, k Plugin, p Params) Change {
	t.Helper()
	c, err := k.Prepare(t.Context(), fault.Target{}, p)
	faulttest.Must(t, err)
	faulttest.Must(t, k.Apply(t.Context(), fault.Target{}, c, 0, 0))
	return c
}

// throughJSON is the record as the journal gives it back.
func throughJSON(t *testing.T, c Change) (out Change) {
	t.Helper()
	text, err := json.Marshal(c)
	faulttest.Must(t, err)
	faulttest.Must(t, json.Unmarshal(text, &out))
	return out
}
