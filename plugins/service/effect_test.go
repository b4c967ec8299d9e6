package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

var here = fault.Target{}

// world is a service with all that brings one back: Restart=, a socket, a timer,
// a unit that wants it; and one that requires it and goes with it.
var world = map[string]string{
	notes:              notesFile,
	"fd-notes.socket":  "[Socket]\nListenStream=/run/fd-notes.sock\n",
	"fd-notes.timer":   "[Timer]\nOnActiveSec=10ms\nOnUnitInactiveSec=10ms\nAccuracySec=1ms\n",
	"fd-wants.service": "[Unit]\nWants=" + notes + "\n[Service]\nExecStart=/bin/sleep 1000\n",
	"fd-needs.service": "[Unit]\nRequires=" + notes + "\nAfter=" + notes + "\n[Service]\nExecStart=/bin/sleep 1000\n",
	"fd-idle.service":  "[Unit]\nRequires=" + notes + "\n[Service]\nExecStart=/bin/sleep 1000\n",
}

var worldRuns = []string{"fd-notes.socket", "fd-notes.timer", notes, "fd-needs.service"}

func startWorld(t *testing.T) {
	t.Helper()
	grouptest.Units(t, world)
	grouptest.StartUnits(t, worldRuns...)
	t.Cleanup(func() { _ = os.Remove("/run/fd-notes.sock") })
}

// states is what systemd says of all units of the tests, and what lies of them in
// the folders where masks are: what must be as it was.
func states(t *testing.T) string {
	t.Helper()
	var all []string
	for name := range world {
		u := grouptest.ReadUnit(t, name)
		all = append(all, fmt.Sprintf("%s %s %s %s stale=%v", u.Name, u.Load, u.Active, u.File, u.Stale))
		for _, folder := range []string{"/run/systemd/system.control", "/run/systemd/system", "/etc/systemd/system"} {
			found, _ := filepath.Glob(folder + "/" + name + "*")
			all = append(all, found...)
		}
	}
	marks, _ := filepath.Glob("/run/firedrill/marks/" + string(Kind) + "-*")
	all = append(all, marks...)
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// tryAll does what would bring the service back.
func tryAll(t *testing.T) {
	t.Helper()
	if c, err := net.Dial("unix", "/run/fd-notes.sock"); err == nil {
		_ = c.Close()
	}
	err := grouptest.Ask(func(ctx context.Context, m *systemd.Manager) error {
		return errors.Join(m.Start(ctx, "fd-wants.service"), m.Reload(ctx), m.Stop(ctx, "fd-wants.service"))
	})
	faulttest.Must(t, err)
	time.Sleep(300 * time.Millisecond) // RestartSec= and the timer
}

// A stopped service stays stopped whatever would bring it back, across a
// daemon-reload, and all is as it was when another process reverts.
func TestStopHoldsOnSystemd(t *testing.T) {
	startWorld(t)
	main := mainOf(t, notes)
	before := states(t)
	s := New()
	c := faulttest.Prepare(t, New(), here, Params{Service: "fd-notes"})
	if c.Ran[0] != "fd-notes.socket" {
		t.Errorf("started again in the order %v: once the timer has started the service, systemd refuses its socket", c.Ran)
	}
	if o := faulttest.Observe(t, s, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("before Apply: observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	began := time.Now()
	faulttest.Must(t, s.Apply(t.Context(), here, c, 0, in(time.Minute)))
	took := time.Since(began)
	if gone, err := stopped(main, notes); !gone || err != nil {
		t.Errorf("the main process or another of the group is left: %v", err)
	}
	tryAll(t)
	if gone, err := stopped(main, notes); !gone || err != nil {
		t.Errorf("something brought it back: %v", err)
	}
	left, err := countProcesses(notes)
	faulttest.Must(t, err)
	faulttest.Must(t, s.Apply(t.Context(), here, c, 0, in(time.Minute))) // renewed
	o := faulttest.Observe(t, New(), here, c)
	if o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	began = time.Now()
	for range 2 {
		faulttest.Must(t, New().Revert(t.Context(), here, c))
	}
	t.Logf("stopped in %v, given back in %v; %s; ran: %v", took, time.Since(began)/2, o.Detail, c.Ran)
	faulttest.Measured(t, faulttest.Measurement{
		Fault: Kind, What: "stopped, after its socket, its timer and a unit that wants it called for it",
		Asked: 0, Achieved: float64(left), Unit: "processes", Found: strings.Split(before, "\n"), Left: strings.Split(states(t), "\n"),
	})
	if anew := mainOf(t, notes); anew.PID == main.PID {
		t.Errorf("%s is the process of before", anew)
	}
}

// The twin: the same check without the effect sees the service run.
func TestWithoutEffectItRunsOnSystemd(t *testing.T) {
	startWorld(t)
	main := mainOf(t, notes)
	before := states(t)
	s := New()
	s.noEffect = true
	c := faulttest.Prepare(t, New(), here, Params{Service: notes})
	faulttest.Must(t, s.Apply(t.Context(), here, c, 0, in(time.Minute)))
	if gone, err := stopped(main, notes); gone || err != nil {
		t.Errorf("the service was stopped: %v", err)
	}
	if o := faulttest.Observe(t, s, here, c); o.State != fault.Partial || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	faulttest.Must(t, s.Revert(t.Context(), here, c))
	if after := states(t); after != before {
		t.Errorf("found\n%s\nand left\n%s", before, after)
	}
}

// A service that did not run is kept from starting, and does not run afterwards.
func TestIdleServiceStaysIdleOnSystemd(t *testing.T) {
	startWorld(t)
	before := states(t)
	s := New()
	c := faulttest.Prepare(t, New(), here, Params{Service: "fd-wants"})
	faulttest.Must(t, s.Apply(t.Context(), here, c, 0, in(time.Minute)))
	err := grouptest.Ask(func(ctx context.Context, m *systemd.Manager) error { return m.Start(ctx, "fd-wants.service") })
	if !errors.Is(err, systemd.ErrMasked) {
		t.Errorf("start: %v, want %v", err, systemd.ErrMasked)
	}
	if o := faulttest.Observe(t, s, here, c); o.State != fault.Present || o.Dose != fault.InForce {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	faulttest.Must(t, s.Revert(t.Context(), here, c))
	if after := states(t); after != before {
		t.Errorf("found\n%s\nand left\n%s", before, after)
	}
}

// A restart gives the service another invocation and another main process.
func TestRestartOnSystemd(t *testing.T) {
	grouptest.Units(t, map[string]string{notes: notesFile})
	grouptest.StartUnits(t, notes)
	for name, effect := range map[string]bool{"restarted": true, "twin": false} {
		t.Run(name, func(t *testing.T) {
			before, main := grouptest.ReadUnit(t, notes), mainOf(t, notes)
			s := New()
			s.noEffect = !effect
			c := faulttest.Prepare(t, New(), here, Params{Service: notes, Action: restart})
			faulttest.Must(t, s.Apply(t.Context(), here, c, 0, in(time.Minute)))
			faulttest.Must(t, s.Apply(t.Context(), here, c, 0, in(2*time.Minute))) // renewed: not again
			after, anew := grouptest.ReadUnit(t, notes), mainOf(t, notes)
			if got := after.Invocation != before.Invocation && anew != main; got != effect {
				t.Errorf("invocation %s then %s, %s then %s", before.Invocation, after.Invocation, main, anew)
			}
			o := faulttest.Observe(t, New(), here, c)
			if got := o.State == fault.Present && o.Dose == fault.Exercised && o.Achieved[0].Value == 1; got != effect {
				t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
			}
			faulttest.Must(t, New().Revert(t.Context(), here, c))
			if o := faulttest.Observe(t, New(), here, c); o.State != fault.Absent {
				t.Errorf("after revert: observed %s", o.State)
			}
		})
	}
}

// Restarts go on until they are reverted, in whichever process.
func TestRestartsRepeatOnSystemd(t *testing.T) {
	grouptest.Units(t, map[string]string{notes: notesFile})
	grouptest.StartUnits(t, notes)
	s := New()
	c := faulttest.Prepare(t, New(), here, Params{Service: notes, Action: restart, Every: "1s"})
	faulttest.Must(t, s.Apply(t.Context(), here, c, 0, in(time.Minute)))
	seen := map[string]bool{}
	for end := time.Now().Add(20 * time.Second); len(seen) < 3 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		seen[grouptest.ReadUnit(t, notes).Invocation] = true
	}
	o := faulttest.Observe(t, New(), here, c)
	faulttest.Must(t, New().Revert(t.Context(), here, c))
	if len(seen) < 3 || o.Achieved[0].Value < 2 {
		t.Errorf("%d invocations; observed %s: %s", len(seen), o.State, o.Detail)
	}
	time.Sleep(1200 * time.Millisecond) // a round may be on its way
	last := grouptest.ReadUnit(t, notes).Invocation
	time.Sleep(1500 * time.Millisecond)
	if now := grouptest.ReadUnit(t, notes).Invocation; now != last {
		t.Error("it was restarted after revert")
	}
}

// stopped is the check of both tests: the process has ended and the group is empty,
// on the kernel's word alone.
func stopped(main process.ID, unit string) (bool, error) {
	ended, err := main.Ended()
	if err != nil {
		return false, err
	}
	n, err := countProcesses(unit)
	return ended && n == 0, err
}

// countProcesses counts those in the group of a service of the tests.
func countProcesses(unit string) (int, error) {
	dir := "/sys/fs/cgroup/system.slice/" + unit
	pids, err := cgroup.Procs(dir)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if populated, perr := cgroup.Populated(dir); perr == nil && populated != (len(pids) > 0) {
		return len(pids), fmt.Errorf("%s is populated: %v, and has %d processes", dir, populated, len(pids))
	}
	return len(pids), err
}

func mainOf(t *testing.T, unit string) process.ID {
	t.Helper()
	id, err := process.Read(grouptest.ReadUnit(t, unit).MainPID)
	faulttest.Must(t, err)
	return id
}

// someoneStartsIt takes the mask away and starts the service while it is to be
// stopped.
func someoneStartsIt() *faulttest.Disturbance {
	var theirs string
	return &faulttest.Disturbance{
		Change: func(*faulttest.Host) error {
			return grouptest.Ask(func(ctx context.Context, m *systemd.Manager) error {
				if err := errors.Join(systemd.Unmask(notes), m.Reload(ctx), m.Start(ctx, notes)); err != nil {
					return err
				}
				u, err := m.Unit(ctx, notes)
				theirs = u.Invocation
				return err
			})
		},
		Kept: func(*faulttest.Host) error {
			return grouptest.Ask(func(ctx context.Context, m *systemd.Manager) error {
				u, err := m.Unit(ctx, notes)
				if err == nil && (u.Invocation != theirs || !u.Running()) {
					err = fmt.Errorf("%s is %s, invocation %s; they started %s", notes, u.Active, u.Invocation, theirs)
				}
				return err
			})
		},
		Undo: func(*faulttest.Host) error { return nil }, // it runs, as it was found
	}
}

func in(d time.Duration) fault.BootTime { return fault.Now().Add(d) }

func mustBe(t *testing.T, err, want error, words ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
	for _, word := range words {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("error %v does not say %q", err, word)
		}
	}
}
