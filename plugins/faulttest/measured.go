package faulttest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/internal/dose"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Measurement is a dose that an effect test measured without the plugin, and the
// host on both sides of it.
type Measurement struct {
	Fault    fault.Kind
	What     string // what was asked of whom, and by which way, in a few words
	Asked    float64
	Achieved float64
	Unit     string
	Within   float64 // how far achieved may be from asked, in Unit
	// Found and Left list what the fault may touch, before Prepare and after
	// Revert; by Listing or by a snapshot of the test's own.
	Found, Left []string
}

// Measured fails t unless the dose is as near to what was asked as it may be and
// the host is as it was found. It adds the measurement to the output of the
// test, from which make measure takes the table of docs/faults.md.
func Measured(t testing.TB, m Measurement) {
	t.Helper()
	if len(m.Found) == 0 {
		t.Fatalf("measure %s: what was found is not listed", m.Fault)
	}
	out := dose.Measurement{
		Fault: string(m.Fault), What: m.What, Asked: m.Asked, Achieved: m.Achieved, Unit: m.Unit, Within: m.Within,
		Reverted: slices.Equal(m.Found, m.Left), Environment: environment(t),
	}
	if !out.Accurate() {
		t.Errorf("%s: got %.4g %s, asked was %.4g, within %.3g", m.What, m.Achieved, m.Unit, m.Asked, m.Within)
	}
	if !out.Reverted {
		t.Errorf("%s: not left as found:\n%s", m.What, cmp.Diff(m.Found, m.Left))
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Attr(dose.Key, string(text))
}

// Listing lists what of this machine carries one of the marks, as the agent's
// digest has it: the path of a control group, a pid, a folder. The entries of
// folders are listed as well.
func Listing(t testing.TB, folders []string, marks ...string) []string {
	t.Helper()
	d, err := digest.Host(digest.HostOptions{Folders: folders})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(d.Lines, func(line string) bool {
		return !slices.ContainsFunc(marks, func(m string) bool { return strings.Contains(line, m) })
	})
}

// environment looks at this machine.
func environment(t testing.TB) dose.Environment {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	return dose.Environment{Cgroup: groups(t), Netem: need.Met(need.Netem), Kernel: fmt.Sprintf("%s %s", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]))}
}

// groups says which versions of control groups have the controllers.
func groups(t testing.TB) string {
	t.Helper()
	all, err := cgroup.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	has := func(version int) bool {
		return slices.ContainsFunc(all, func(h cgroup.Hierarchy) bool { return h.Version == version })
	}
	switch {
	case has(1) && has(2):
		return "hybrid"
	case has(1):
		return "v1"
	case has(2):
		return "v2"
	}
	return "none"
}
