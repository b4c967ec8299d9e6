package cpu

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// allCPUs are the first two, which the groups of these tests are found with.
const allCPUs = "0-1"

var cpusetKnob = grouptest.Knob{Controller: "cpuset", File: cpusFile}

// cpusetGroup makes a group with two busy programs in it. On v1 those are in a
// group of the same path that counts the time on each CPU.
func cpusetGroup(t *testing.T, found string) (dir, counted, path string, programs []grouptest.Load) {
	t.Helper()
	need.Check(t, need.Root, need.CPUs)
	dir, path = grouptest.New(t, "cpuset")
	if grouptest.Text(t, dir, cpusFile) != found {
		faulttest.Must(t, cgroup.Write(dir, cpusFile, found))
	}
	groups := []string{dir}
	if !grouptest.OnV2("cpuset") {
		counted = grouptest.Also(t, "cpuacct", path)
		groups = append(groups, counted)
	}
	for range 2 {
		programs = append(programs, grouptest.Spin(t, groups...))
	}
	return dir, counted, path, programs
}

// elsewhere is the check of both tests: which share of the programs' time, in %,
// was on other CPUs than the first. On v1 the kernel counts it for each CPU; on v2
// the programs are asked again and again where they are.
func elsewhere(t *testing.T, counted string, programs []grouptest.Load) (share float64) {
	t.Helper()
	if counted != "" {
		before := perCPU(t, counted)
		time.Sleep(time.Second)
		var first, rest float64
		for n, ns := range perCPU(t, counted) {
			if n == 0 {
				first = ns - before[n]
			} else {
				rest += ns - before[n]
			}
		}
		return 100 * rest / (first + rest)
	}
	seen, away := 0, 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, p := range programs {
			for _, tid := range list(t, p.PID) {
				ran := process.Ran(tid)
				time.Sleep(time.Millisecond)
				if process.Ran(tid) == ran {
					continue // it did not run
				}
				seen++
				if at, err := process.Processor(tid); err == nil && at != 0 {
					away++
				}
			}
		}
	}
	return 100 * float64(away) / float64(max(1, seen))
}

func list(t *testing.T, pid int) []int {
	t.Helper()
	tids, err := process.Threads(pid)
	faulttest.Must(t, err)
	return tids
}

func perCPU(t *testing.T, dir string) (ns []float64) {
	t.Helper()
	for _, f := range strings.Fields(grouptest.Text(t, dir, "cpuacct.usage_percpu")) {
		n, err := strconv.ParseFloat(f, 64)
		faulttest.Must(t, err)
		ns = append(ns, n)
	}
	return ns
}

// Two busy programs that have two CPUs are left one: none of their time is on the
// other, and what was found is there again afterwards, a binding of their own too.
func TestCpusetHolds(t *testing.T) {
	dir, counted, path, programs := cpusetGroup(t, allCPUs)
	tid := list(t, programs[1].PID)[0]
	faulttest.Must(t, cpuList{1}.setAffinity(tid))
	c := faulttest.Prepare(t, New(), fault.Target{}, Params{Cpuset: "0", Scope: scope.Scope{Group: path}})
	faulttest.Must(t, New().Apply(t.Context(), fault.Target{}, c, 0, 0))
	time.Sleep(50 * time.Millisecond) // threads move when they are next scheduled
	away := elsewhere(t, counted, programs)
	o := faulttest.Observe(t, New(), fault.Target{}, c)
	if away != 0 {
		t.Errorf("%.2f%% of the time was on another CPU", away)
	}
	if o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	for range 2 {
		faulttest.Must(t, New().Revert(t.Context(), fault.Target{}, c))
	}
	if got := grouptest.Text(t, dir, cpusFile); got != allCPUs {
		t.Errorf("found %q, left %q", allCPUs, got)
	}
	if now, err := affinity(tid); err != nil || !slices.Equal(now, []int{1}) {
		t.Errorf("the thread was bound to CPU 1 and may run on %s now, %v", now, err)
	}
	t.Logf("asked CPU 0: %.2f%% of the time elsewhere; %s", away, o.Detail)
}

// The twin: without the fault the same programs use both CPUs.
func TestWithoutCpusetBothCPUsAreUsed(t *testing.T) {
	_, counted, path, programs := cpusetGroup(t, allCPUs)
	c := faulttest.Prepare(t, New(), fault.Target{}, Params{Cpuset: "0", Scope: scope.Scope{Group: path}})
	away := 0.0
	for range 5 { // a busy machine may leave them on one CPU for a while
		if away = elsewhere(t, counted, programs); away >= 10 {
			break
		}
	}
	if away < 10 {
		t.Errorf("only %.2f%% of the time was on another CPU without any fault", away)
	}
	if o := faulttest.Observe(t, New(), fault.Target{}, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

// A group of v2 that asks for nothing does so again afterwards; quota and CPUs of
// one group come and go independently, in any order.
func TestCpusetBesideQuota(t *testing.T) {
	found := allCPUs
	if grouptest.OnV2("cpuset") {
		found = ""
	}
	need.Check(t, need.Root, need.CPUs)
	dir, path := grouptest.New(t, "cpuset")
	quotaDir := dir
	if !grouptest.OnV2("cpu") {
		quotaDir = grouptest.Also(t, "cpu", path)
	}
	text := func() [2]string {
		return [2]string{grouptest.Text(t, dir, cpusFile), grouptest.Text(t, quotaDir, knob.File)}
	}
	before := text()
	if before[0] != found {
		t.Fatalf("a new group has CPUs %q", before[0])
	}
	for _, first := range []int{0, 1} {
		changes := []Change{faulttest.Prepare(t, New(), fault.Target{}, Params{Cpuset: "1", Scope: scope.Scope{Group: path}}), faulttest.Prepare(t, New(), fault.Target{}, Params{Quota: "20%", Scope: scope.Scope{Group: path}})}
		for _, c := range changes {
			faulttest.Must(t, New().Apply(t.Context(), fault.Target{}, c, 0, 0))
		}
		if got := text(); got[0] != "1" || got[1] == before[1] {
			t.Errorf("with both: %q", got)
		}
		faulttest.Must(t, New().Revert(t.Context(), fault.Target{}, changes[first]))
		if o := faulttest.Observe(t, New(), fault.Target{}, changes[1-first]); o.State != fault.Present || o.Dose != fault.InForce {
			t.Errorf("the other one: observed %s, %s: %s", o.State, o.Dose, o.Detail)
		}
		faulttest.Must(t, New().Revert(t.Context(), fault.Target{}, changes[1-first]))
		if got := text(); got != before {
			t.Errorf("found %q, left %q", before, got)
		}
	}
}

// A v2 group that asks for no CPUs and has processes could not be put back.
func TestCpusetThatCannotBeTakenBackIsRefused(t *testing.T) {
	need.Check(t, need.Root, need.CPUs, need.Unified)
	dir, path := grouptest.New(t, "cpuset")
	grouptest.Named(t, "notes", dir)
	_, err := New().Prepare(t.Context(), fault.Target{}, Params{Cpuset: "0", Scope: scope.Scope{Group: path}})
	faulttest.Refused(t, err, "cpuset")
}

// The kernel lets no v1 group have less than one below it; a v2 group below gets
// what is left.
func TestCpusetOfGroupBelow(t *testing.T) {
	need.Check(t, need.Root, need.CPUs)
	dir, path := grouptest.New(t, "cpuset")
	if grouptest.OnV2("cpuset") {
		faulttest.Must(t, cgroup.Write(dir, "cgroup.subtree_control", "+cpuset"))
	}
	faulttest.Must(t, cgroup.Create(dir+"/below"))
	faulttest.Must(t, cgroup.Write(dir+"/below", cpusFile, "1"))
	c, err := New().Prepare(t.Context(), fault.Target{}, Params{Cpuset: "0", Scope: scope.Scope{Group: path}})
	if !grouptest.OnV2("cpuset") {
		faulttest.Refused(t, err, "cpuset")
		return
	}
	faulttest.Must(t, err)
	faulttest.Must(t, New().Apply(t.Context(), fault.Target{}, c, 0, 0))
	below := group.Group{Mount: strings.TrimSuffix(dir, path), Path: path + "/below", Version: 2}
	if now, err := effective(below); err != nil || now.String() != "0" {
		t.Errorf("the group below may run on %s, %v", now, err)
	}
	faulttest.Must(t, New().Revert(t.Context(), fault.Target{}, c))
	if now, err := effective(below); err != nil || now.String() != "1" {
		t.Errorf("after revert the group below may run on %s, %v", now, err)
	}
}

func TestCPUList(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "0-1": "0-1", "3,1,0": "0-1,3", "0,0-2,2": "0-2", "1023": "1023", "5,7,6": "5-7",
	} {
		list, err := parseCPUs("cpuset", text)
		if err != nil || list.String() != want {
			t.Errorf("%s: read as %s, %v; want %s", text, list, err, want)
		}
	}
	for _, text := range []string{"x", "-1", "1-0", "1024", "0-4611686018427387904", "0,", "0--1", " 0", strings.Repeat("9", 400)} {
		_, err := parseCPUs("cpuset", text)
		faulttest.Refused(t, err, "cpuset")
	}
}
