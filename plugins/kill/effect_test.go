package kill

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// killsAll injects p into a group of two programs and a third in a group below
// it, and says how each ended: the independent meter is the parent's wait(2). It
// lists the host before and after for a measurement.
func killsAll(t *testing.T, k *Plugin, signal string) (m faulttest.Measurement, codes []int, o fault.Observation) {
	t.Helper()
	dir, path := processtest.Group(t)
	faulttest.Must(t, cgroup.Create(dir+"/below"))
	programs := []*processtest.Program{
		processtest.Start(t, "notes", processtest.Idle, dir),
		processtest.Start(t, "notes", processtest.Idle, dir),
		processtest.Start(t, "worker", processtest.Idle, dir+"/below"),
	}
	other := processtest.Start(t, "notes", processtest.Idle)
	m.Found = faulttest.Listing(t, nil, path)
	c := inject(t, k, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}, Signal: signal})
	o = settled(t, k, c)
	if !proc.Alive(other.PID, other.StartTime) {
		t.Error("a process outside the group was killed")
	}
	for _, p := range programs {
		_ = p.Kill() // a straggler of the twin: the code tells it from one that was hit by TERM
		code, err := p.Wait()
		faulttest.Must(t, err)
		codes = append(codes, code)
	}
	faulttest.Must(t, New().Revert(t.Context(), fault.Target{}, c)) // in a process that knows nothing
	if o, err := k.Observe(t.Context(), fault.Target{}, c); err != nil || o.State != fault.Absent {
		t.Errorf("after revert: %s, %v", o.State, err)
	}
	m.Left = faulttest.Listing(t, nil, path, c.Owner)
	return m, codes, o
}

func TestKillsAllOfAGroup(t *testing.T) {
	m, codes, o := killsAll(t, New(), "TERM")
	m.Fault, m.What, m.Asked, m.Unit = Kind, "programs of a group that end by SIGTERM", 3, "processes"
	for _, code := range codes {
		if code == 128+int(unix.SIGTERM) {
			m.Achieved++
		}
	}
	faulttest.Measured(t, m)
	if o.State != fault.Present || o.Dose != fault.Exercised || o.Asked[0].Value != 3 || o.Achieved[0].Value != 3 {
		t.Errorf("observed %+v", o)
	}
}

// The twin: without the signal the same check fails and Observe does not claim
// otherwise.
func TestWithoutSignalNothingEnds(t *testing.T) {
	k := New()
	k.noEffect = true
	_, codes, o := killsAll(t, k, "TERM")
	for _, code := range codes {
		if code == 128+int(unix.SIGTERM) {
			t.Error("a program ended by a signal that nobody sent")
		}
	}
	if o.Dose != fault.NotInForce || o.Achieved[0].Value != 0 {
		t.Errorf("observed %+v", o)
	}
}

// A program that ignores TERM is no success.
func TestStubbornIsNotAchieved(t *testing.T) {
	p := processtest.Start(t, "stubborn", processtest.Stubborn)
	k := New()
	c := inject(t, k, Params{Selection: scope.Selection{Executable: p.Path}, Signal: "TERM"})
	defer func() { faulttest.Must(t, k.Revert(t.Context(), fault.Target{}, c)) }()
	time.Sleep(200 * time.Millisecond)
	o, err := k.Observe(t.Context(), fault.Target{}, c)
	faulttest.Must(t, err)
	if o.State != fault.Partial || o.Dose != fault.NotInForce || !strings.Contains(o.Detail, "KILL") {
		t.Errorf("observed %+v", o)
	}
}

// What matched and ended before its signal is no error: nobody is signalled in
// its place, and what is left is killed.
func TestEndedBeforeItsSignal(t *testing.T) {
	dir, path := processtest.Group(t)
	first, second := processtest.Start(t, "notes", processtest.Idle, dir), processtest.Start(t, "notes", processtest.Idle, dir)
	k := New()
	c, err := k.Prepare(t.Context(), fault.Target{}, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	faulttest.Must(t, err)
	faulttest.Must(t, first.Kill())
	_, _ = first.Wait()
	for _, id := range c.Found {
		if err := id.Signal(0); id.PID == first.PID && !errors.Is(err, process.ErrEnded) {
			t.Errorf("a signal to a process that is gone: %v", err)
		}
	}
	faulttest.Must(t, k.Apply(t.Context(), fault.Target{}, c, 0, 0))
	o := settled(t, k, c)
	if o.Achieved[0].Value != 1 || o.Dose != fault.Exercised {
		t.Errorf("observed %+v", o)
	}
	if code, _ := second.Wait(); code != 128+int(unix.SIGKILL) {
		t.Errorf("the second program ended by code %d", code)
	}
	faulttest.Must(t, k.Revert(t.Context(), fault.Target{}, c))
	// All ended: nothing to do is no error, and no success either.
	third := processtest.Start(t, "notes", processtest.Idle, dir)
	c, err = k.Prepare(t.Context(), fault.Target{}, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	faulttest.Must(t, err)
	faulttest.Must(t, third.Kill())
	_, _ = third.Wait()
	faulttest.Must(t, k.Apply(t.Context(), fault.Target{}, c, 0, 0))
	if o, err = k.Observe(t.Context(), fault.Target{}, c); err != nil || o.Dose != fault.NotInForce {
		t.Errorf("observed %+v, %v", o, err)
	}
	faulttest.Must(t, k.Revert(t.Context(), fault.Target{}, c))
}

// A pid that was given again is another process: the start time says so.
func TestAnotherProcessOfTheSamePidIsLeft(t *testing.T) {
	p := processtest.Start(t, "notes", processtest.Idle)
	c, err := New().Prepare(t.Context(), fault.Target{}, Params{Selection: scope.Selection{Executable: p.Path}})
	faulttest.Must(t, err)
	id := c.Found[0]
	id.Start--
	if err := id.Signal(unix.SIGKILL); err == nil {
		t.Error("signalled another process")
	}
	if !proc.Alive(p.PID, p.StartTime) {
		t.Error("killed another process")
	}
}

// Once means once: a renewal and a second Apply, also in another process, kill
// nothing that was started since.
func TestOnceIsOnce(t *testing.T) {
	dir, path := processtest.Group(t)
	processtest.Start(t, "notes", processtest.Idle, dir)
	k := New()
	c := inject(t, k, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	settled(t, k, c)
	anew := processtest.Start(t, "notes", processtest.Idle, dir)
	faulttest.Must(t, k.Apply(t.Context(), fault.Target{}, c, fault.Now(), in(time.Minute)))
	faulttest.Must(t, New().Apply(t.Context(), fault.Target{}, c, fault.Now(), in(time.Minute)))
	time.Sleep(50 * time.Millisecond)
	if !proc.Alive(anew.PID, anew.StartTime) {
		t.Error("what was started since was killed")
	}
	faulttest.Must(t, k.Revert(t.Context(), fault.Target{}, c))
}

func TestNothingMatchedIsRefused(t *testing.T) {
	_, path := processtest.Group(t)
	for field, p := range map[string]Params{
		"group":      {Selection: scope.Selection{Scope: scope.Scope{Group: path}}},
		"executable": {Selection: scope.Selection{Executable: "no-such-program"}},
		"service":    {Selection: scope.Selection{Scope: scope.Scope{Service: "nobody"}}},
		"signal":     {Selection: scope.Selection{Scope: scope.Scope{Service: "nobody"}}, Signal: "HUP"},
		"every":      {Selection: scope.Selection{Scope: scope.Scope{Service: "nobody"}}, Every: "1ms"},
	} {
		faulttest.PrepareRefused(t, New(), fault.Target{}, p, field)
	}
	faulttest.PrepareRefused(t, New(), fault.Target{}, Params{}, "service")
	faulttest.PrepareRefused(t, New(), fault.Target{}, Params{Selection: scope.Selection{Scope: scope.Scope{Service: "notes", Group: "/svc"}}}, "group")
	faulttest.PrepareRefused(t, New(), fault.Target{}, Params{Selection: scope.Selection{Scope: scope.Scope{Group: "/svc/../.."}}}, "group")
}

// Agent, guardian and plugins run the file of the test; sshd and pid 1 are found
// by what they are.
func TestSparesTheOperator(t *testing.T) {
	faulttest.PrepareRefused(t, New(), fault.Target{}, Params{Selection: scope.Selection{Scope: scope.Scope{Group: "/"}}}, "group")
	own, err := os.Executable()
	faulttest.Must(t, err)
	faulttest.PrepareRefused(t, New(), fault.Target{}, Params{Selection: scope.Selection{Executable: own}}, "executable")
	first, err := process.Read(1)
	faulttest.Must(t, err)
	faulttest.PrepareRefused(t, New(), fault.Target{}, Params{Selection: scope.Selection{Executable: first.Name}}, "executable")
	dir, path := processtest.Group(t)
	faulttest.Must(t, cgroup.Create(dir+"/below"))
	processtest.Start(t, "notes", processtest.Idle, dir)
	sshd := processtest.Start(t, "sshd", processtest.Idle, dir+"/below")
	faulttest.PrepareRefused(t, New(), fault.Target{}, Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}}, "group")
	faulttest.PrepareRefused(t, New(), fault.Target{}, Params{Selection: scope.Selection{Executable: sshd.Path}}, "executable")
}

// A name is data: one with quotes and blanks in it selects what is called so.
func TestNameWithQuotes(t *testing.T) {
	p := processtest.Start(t, `it's "quoted" $(x)`, processtest.Idle)
	k := New()
	c := inject(t, k, Params{Selection: scope.Selection{Executable: filepath.Base(p.Path)}})
	if o := settled(t, k, c); o.Dose != fault.Exercised {
		t.Errorf("observed %+v", o)
	}
	faulttest.Must(t, New().Revert(t.Context(), fault.Target{}, c))
}

func inject(t *testing.T, k *Plugin, p Params) Change {
	t.Helper()
	c, err := k.Prepare(t.Context(), fault.Target{}, p)
	faulttest.Must(t, err)
	faulttest.Must(t, k.Apply(t.Context(), fault.Target{}, c, 0, in(time.Minute)))
	return c
}

// settled observes until all that were signalled have ended, for half a second.
func settled(t *testing.T, k *Plugin, c Change) (o fault.Observation) {
	t.Helper()
	for end := time.Now().Add(500 * time.Millisecond); o.State != fault.Present && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var err error
		o, err = k.Observe(t.Context(), fault.Target{}, c)
		faulttest.Must(t, err)
	}
	return o
}

func in(d time.Duration) fault.BootTime { return fault.Now().Add(d) }
