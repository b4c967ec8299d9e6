package cpu

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// within is how many points of one CPU a program may be off what was asked.
const within = 1

// The group is found tuned: another quota, another period, and so much weight
// that a busy machine still gives it what the quota allows.
func tuned() [][2]string {
	if onV2 {
		return [][2]string{{maxFile, "85000 50000"}, {"cpu.weight", "10000"}}
	}
	return [][2]string{{quotaFile, "85000"}, {periodFile, "50000"}, {"cpu.shares", "262144"}}
}

// A program that wants a whole CPU gets 20% of it, and what was found is there
// again afterwards, byte by byte.
func TestQuotaIsAccurate(t *testing.T) {
	dir, path := grouptest.New(t, "cpu", tuned()...)
	c := faulttest.Prepare(t, New(), fault.Target{}, Params{Quota: "20%", Scope: scope.Scope{Group: path}})
	groups := []string{dir}
	if !onV2 {
		groups = append(groups, grouptest.Also(t, "cpuacct", path))
	}
	list := faulttest.Listing(t, nil, path)
	spinner := grouptest.Spin(t, groups...)
	if err := New().Apply(t.Context(), fault.Target{}, c, 0, 0); err != nil {
		t.Fatal(err)
	}
	if got := grouptest.Text(t, dir, knob.File); got == tuned()[0][1] {
		t.Errorf("%s is %s as it was found: there will be nothing to put back", knob.File, got)
	}
	used := accurate(t, spinner.PID)
	// The plugin's own meter looks for less than half a second.
	o := faulttest.Observe(t, New(), fault.Target{}, c)
	for range 2 {
		if ownMeter(o) <= 20+2*within {
			break
		}
		o = faulttest.Observe(t, New(), fault.Target{}, c)
	}
	if err := New().Revert(t.Context(), fault.Target{}, c); err != nil {
		t.Error(err)
	}
	t.Logf("asked 20%%, got %.2f%%, %+.2f points; %s", used, used-20, o.Detail)
	faulttest.Measured(t, faulttest.Measurement{
		Fault: Kind, What: "a program that spins", Asked: 20, Achieved: used, Unit: "% of a CPU", Within: within, Found: list, Left: faulttest.Listing(t, nil, path),
	})
	if o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	if ownMeter(o) > 20+2*within {
		t.Errorf("the plugin's own meter says %+v", o.Achieved)
	}
	for _, f := range tuned() {
		got := grouptest.Text(t, dir, f[0])
		if got != f[1] {
			t.Errorf("%s was found as %q and left as %q", f[0], f[1], got)
		}
		t.Logf("%s: found %s, left %s", f[0], f[1], got)
	}
}

// ownMeter is what the plugin says that the group used, in percent of a CPU.
func ownMeter(o fault.Observation) float64 {
	i := slices.IndexFunc(o.Achieved, func(m fault.Measure) bool { return m.Name == "cpu used" })
	if i < 0 {
		return math.Inf(1)
	}
	return o.Achieved[i].Value
}

// The twin: without the fault the same program gets more than the same check allows.
func TestWithoutQuotaTheProgramGetsMore(t *testing.T) {
	dir, path := grouptest.New(t, "cpu", tuned()...)
	c := faulttest.Prepare(t, New(), fault.Target{}, Params{Quota: "20%", Scope: scope.Scope{Group: path}})
	spinner := grouptest.Spin(t, dir)
	if used := accurate(t, spinner.PID); used <= 20+within {
		t.Errorf("used %.2f%% of a CPU without any fault", used)
	}
	if o := faulttest.Observe(t, New(), fault.Target{}, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

// Nobody wants CPU: the quota is in force and nothing shows that it acts.
func TestWithoutLoadItIsNotExercised(t *testing.T) {
	_, path := grouptest.New(t, "cpu")
	c := faulttest.Prepare(t, New(), fault.Target{}, Params{Quota: "20%", Scope: scope.Scope{Group: path}})
	if err := New().Apply(t.Context(), fault.Target{}, c, 0, 0); err != nil {
		t.Fatal(err)
	}
	if o := faulttest.Observe(t, New(), fault.Target{}, c); o.State != fault.Present || o.Dose != fault.InForce {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	// Another period makes another share of the same quota.
	if err := cgroup.Write(c.Quota.Group.Dir(), per(periodFile, maxFile), per("200000", "20000 200000")); err != nil {
		t.Fatal(err)
	}
	if o := faulttest.Observe(t, New(), fault.Target{}, c); o.Dose != fault.NotInForce || o.Achieved[0].Value != 10 {
		t.Errorf("after another period: observed %s, %+v", o.Dose, o.Achieved)
	}
}

// accurate measures up to three times, until what pid uses is not less than 20%
// allows: a quota is a ceiling, and a machine that is too busy for a moment keeps
// a program below it.
func accurate(t *testing.T, pid int) (used float64) {
	t.Helper()
	for range 3 {
		if used = measure(t, pid); used >= 20-within {
			break
		}
		t.Logf("got %.2f%%; once more, as the machine may be busy", used)
	}
	return used
}

// measure returns how much of one CPU pid used over a few seconds, in %. The
// meter is the scheduler's count for the process (Documentation/scheduler/sched-stats
// in the kernel), not that of the group.
func measure(t *testing.T, pid int) (used float64) {
	t.Helper()
	time.Sleep(300 * time.Millisecond) // the period in which it began is over
	ran, began := onCPU(t, pid), time.Now()
	time.Sleep(3 * time.Second)
	return 100 * float64(onCPU(t, pid)-ran) / float64(time.Since(began))
}

// onCPU is the time of all threads of pid on a CPU, in ns.
func onCPU(t *testing.T, pid int) (ns int64) {
	t.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, thread.Name()))
		if err != nil {
			t.Fatal(err)
		}
		n, _ := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		ns += n
	}
	return ns
}
