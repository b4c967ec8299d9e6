package cpu

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// favoured puts the test into a group with so much weight that a busy machine
// still gives it what it asks for.
func favoured(t *testing.T) {
	t.Helper()
	dir, path := grouptest.New(t, "cpu", tuned()[len(tuned())-1])
	faulttest.Must(t, cgroup.Enter(dir))
	t.Cleanup(func() { faulttest.Must(t, cgroup.Enter(strings.TrimSuffix(dir, path))) })
}

// usedByUs is the CPU time, in % of each CPU, over a while, of those threads of this
// process that are bound to one CPU, by their own clocks, clock_gettime(2): another
// count than the plugin's, which asks the scheduler.
func usedByUs(t *testing.T, over time.Duration) float64 {
	t.Helper()
	began, before := time.Now(), boundTime(t)
	time.Sleep(over)
	return 100 * float64(boundTime(t)-before) / float64(time.Since(began)) / float64(runtime.NumCPU())
}

func boundTime(t *testing.T) (ns int64) {
	t.Helper()
	for _, tid := range list(t, os.Getpid()) {
		if where, err := affinity(tid); err != nil || len(where) != 1 {
			continue
		}
		var ts unix.Timespec
		const ofThread = 6 // CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED of linux/posix-timers.h
		if unix.ClockGettime(int32(^tid<<3|ofThread), &ts) == nil {
			ns += ts.Nano()
		}
	}
	return ns
}

// burntAsAsked is the check of both tests: whether what is used is what was asked. A busy
// machine gets another try.
func burntAsAsked(t *testing.T, asked float64) (used float64, ok bool) {
	t.Helper()
	for range 3 {
		if used = usedByUs(t, time.Second); math.Abs(used-asked) <= points {
			return used, true
		}
		t.Logf("got %.2f%%", used)
	}
	return used, false
}

// Half of each CPU is burnt, by the kernel's count for the process, until Revert,
// and nothing after it.
func TestBurnIsAccurate(t *testing.T) {
	favoured(t)
	p := New()
	c := faulttest.Prepare(t, New(), fault.Target{}, Params{Burn: "50%"})
	faulttest.Must(t, p.Apply(t.Context(), fault.Target{}, c, 0, in(time.Minute)))
	used, ok := burntAsAsked(t, 50)
	if !ok {
		t.Errorf("used %.2f%% of each CPU, asked was 50%%", used)
	}
	o := faulttest.Observe(t, New(), fault.Target{}, c)
	// How busy the host was is counted by ticks, which an emulated machine has late.
	if o.State != fault.Present || o.Dose != fault.Exercised || o.Achieved[1].Value < 50-5*points {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	held, err := p.burners.Observe(c.Burn.Owner)
	faulttest.Must(t, err)
	for _, tid := range held.What { // the agent gets the CPU when it wakes up
		if a, err := unix.SchedGetAttr(tid, 0); err != nil || a.Policy != unix.SCHED_BATCH || a.Nice < 0 {
			t.Errorf("thread %d is scheduled as %+v, %v", tid, a, err)
		}
	}
	began := time.Now()
	faulttest.Must(t, p.Revert(t.Context(), fault.Target{}, c))
	t.Logf("asked 50%%, got %.2f%% of each CPU; %s; reverted in %v", used, o.Detail, time.Since(began))
	if used := usedByUs(t, 500*time.Millisecond); used > 2 {
		t.Errorf("used %.2f%% after revert", used)
	}
	if o := faulttest.Observe(t, New(), fault.Target{}, c); o.State != fault.Absent {
		t.Errorf("observed %s after revert", o.State)
	}
}

// The twin: without the fault the same check fails.
func TestWithoutBurnNothingIsUsed(t *testing.T) {
	c := faulttest.Prepare(t, New(), fault.Target{}, Params{Burn: "50%"})
	if used, ok := burntAsAsked(t, 50); ok {
		t.Errorf("used %.2f%% of each CPU without any fault", used)
	}
	if o := faulttest.Observe(t, New(), fault.Target{}, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

// Burning ends with its end, though nobody reverts, and a renewal moves it.
func TestBurnEndsByItself(t *testing.T) {
	p := New()
	c := faulttest.Prepare(t, New(), fault.Target{}, Params{Burn: "20%"})
	faulttest.Must(t, p.Apply(t.Context(), fault.Target{}, c, 0, in(300*time.Millisecond)))
	faulttest.Must(t, p.Apply(t.Context(), fault.Target{}, c, 0, in(1300*time.Millisecond)))
	time.Sleep(500 * time.Millisecond)
	if o := faulttest.Observe(t, New(), fault.Target{}, c); o.State != fault.Present {
		t.Errorf("after a renewal: observed %s: %s", o.State, o.Detail)
	}
	time.Sleep(500 * time.Millisecond)
	if o := faulttest.Observe(t, New(), fault.Target{}, c); o.State != fault.Partial || o.Dose != fault.NotInForce {
		t.Errorf("after its end: observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	faulttest.Must(t, p.Revert(t.Context(), fault.Target{}, c))
}

// Burning ends with the process that burns, with the agent that started this one,
// and with a revert by another process, which stops a process that hangs as well.
func TestBurnEndsWithItsProcess(t *testing.T) {
	for name, end := range map[string]func(agent *proc.Process, plugin process.ID, c Change){
		"death of the plugin": func(_ *proc.Process, plugin process.ID, _ Change) { faulttest.Must(t, plugin.Signal(unix.SIGKILL)) },
		"death of the agent":  func(agent *proc.Process, _ process.ID, _ Change) { faulttest.Must(t, agent.Kill()) },
		"revert elsewhere": func(_ *proc.Process, plugin process.ID, c Change) {
			faulttest.Must(t, plugin.Signal(unix.SIGSTOP))
			faulttest.Must(t, New().Revert(t.Context(), fault.Target{}, c))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := faulttest.Prepare(t, New(), fault.Target{}, Params{Burn: "10%"})
			defer func() { faulttest.Must(t, New().Revert(t.Context(), fault.Target{}, c)) }()
			agent, plugin := elsewhereApplied(t, c)
			if o := faulttest.Observe(t, New(), fault.Target{}, c); o.State != fault.Present {
				t.Fatalf("observed %s: %s", o.State, o.Detail)
			}
			end(agent, plugin, c)
			time.Sleep(200 * time.Millisecond)
			if o := faulttest.Observe(t, New(), fault.Target{}, c); o.State == fault.Present || o.Dose != fault.NotInForce {
				t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
			}
		})
	}
}

// Roles of a copy of the test binary: an agent, and the plugin that it starts, which
// applies the record in its argument and stays.
const (
	roleAgent  = "cpu-agent"
	rolePlugin = "cpu-plugin"
)

func roles() {
	if len(os.Args) < 3 {
		return
	}
	switch os.Args[1] {
	case roleAgent:
		p, err := proc.Start(proc.Spec{Path: proc.Self, Args: []string{rolePlugin, os.Args[2]}, Stdout: os.Stdout, Stderr: os.Stderr})
		if err == nil {
			_, err = p.Wait()
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case rolePlugin:
		var c Change
		err := json.Unmarshal([]byte(os.Args[2]), &c)
		if err == nil {
			err = New().Apply(context.Background(), fault.Target{}, c, 0, in(time.Minute))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(os.Getpid())
		time.Sleep(time.Hour)
	}
}

// elsewhereApplied has the record applied by a plugin of an agent.
func elsewhereApplied(t *testing.T, c Change) (agent *proc.Process, plugin process.ID) {
	t.Helper()
	text, err := json.Marshal(c)
	faulttest.Must(t, err)
	out, outW, err := os.Pipe()
	faulttest.Must(t, err)
	defer out.Close()
	agent, err = proc.Start(proc.Spec{Path: proc.Self, Args: []string{roleAgent, string(text)}, Stdout: outW, Stderr: os.Stderr})
	faulttest.Must(t, err)
	faulttest.Must(t, outW.Close())
	var pid int
	_, err = fmt.Fscan(out, &pid)
	faulttest.Must(t, err)
	plugin, err = process.Read(pid)
	faulttest.Must(t, err)
	t.Cleanup(func() {
		_, _ = agent.Kill(), plugin.Signal(unix.SIGKILL)
		_, _ = agent.Wait()
	})
	return agent, plugin
}

func in(d time.Duration) fault.BootTime { return fault.Now().Add(d) }

func TestFormsAreExclusive(t *testing.T) {
	for field, p := range map[string]Params{
		"quota":  {},
		"cpuset": {Quota: "20%", Cpuset: "0", Scope: scope.Scope{Service: "notes"}},
		"burn":   {Burn: "20%", Scope: scope.Scope{Service: "notes"}},
	} {
		_, err := New().Prepare(t.Context(), fault.Target{}, p)
		faulttest.Refused(t, err, field)
	}
	for _, text := range []string{"0%", "101%", "1e3%", "20"} {
		_, err := New().Prepare(t.Context(), fault.Target{}, Params{Burn: text})
		faulttest.Refused(t, err, "burn")
	}
}
