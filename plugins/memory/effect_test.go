package memory

import (
	"strconv"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

var (
	here  = fault.Target{}
	tuned = [2]string{knob.File, found}
)

// A program that asks for more than the limit does not get it, and what was
// found is there again afterwards, byte by byte.
func TestLimitHolds(t *testing.T) {
	dir, path := grouptest.New(t, "memory", tuned)
	list := faulttest.Listing(t, nil, path)
	c := faulttest.Prepare(t, New(), here, Params{Limit: "64MiB", Scope: scope.Scope{Group: path}})
	faulttest.Must(t, New().Apply(t.Context(), here, c, 0, 0))
	limit, counts := number(t, dir, knob.File), enforced(t, dir)
	if limit != 64*mib || counts != 64*mib {
		t.Errorf("the group's limit is %d bytes and the kernel goes by %d, asked were 64 MiB", limit, counts)
	}
	if o := faulttest.Observe(t, New(), here, c); o.Dose != fault.InForce || o.Achieved[0].Value != 64*mib {
		t.Errorf("before any load: observed %s, %+v", o.Dose, o.Achieved)
	}
	if said := grouptest.Hold(t, 128*mib, dir).Says(); said != "" {
		t.Errorf("a program has 128 MiB under a limit of 64: %s", said)
	}
	most := number(t, dir, per("memory.max_usage_in_bytes", "memory.peak"))
	if o := faulttest.Observe(t, New(), here, c); o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	faulttest.Must(t, New().Revert(t.Context(), here, c))
	got := grouptest.Text(t, dir, knob.File)
	faulttest.Measured(t, faulttest.Measurement{
		Fault: Kind, What: "a program that asks for 128 MiB", Asked: 64, Achieved: float64(most) / mib, Unit: "MiB",
		Within: 1, Found: list, Left: faulttest.Listing(t, nil, path), // the kernel may take a page before it says no
	})
	t.Logf("asked %d bytes, the group sees %d, the kernel goes by %d; used at most %d (%+.2f%%); found %s, left %s",
		64*mib, limit, counts, most, 100*(float64(most)/(64*mib)-1), found, got)
}

// The twin: without the fault the same program gets what it asks for.
func TestWithoutLimitTheProgramGetsMore(t *testing.T) {
	dir, path := grouptest.New(t, "memory", tuned)
	c := faulttest.Prepare(t, New(), here, Params{Limit: "64MiB", Scope: scope.Scope{Group: path}})
	if said := grouptest.Hold(t, 128*mib, dir).Says(); said != "held\n" {
		t.Errorf("the program said %q without any fault", said)
	}
	if counts := enforced(t, dir); strconv.FormatUint(counts, 10) != found {
		t.Errorf("the kernel goes by a limit of %d bytes without any fault, found was %s", counts, found)
	}
	if o := faulttest.Observe(t, New(), here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

// Nothing is changed where the processes use more than the limit: Prepare sees
// it, and if they grow after that, the kernel does.
func TestLimitBelowUsageIsRefused(t *testing.T) {
	dir, path := grouptest.New(t, "memory", tuned)
	p := Params{Limit: "64MiB", Scope: scope.Scope{Group: path}}
	c := faulttest.Prepare(t, New(), here, p)
	if said := grouptest.Hold(t, 128*mib, dir).Says(); said != "held\n" {
		t.Fatalf("the program said %q", said)
	}
	faulttest.Refused(t, New().Apply(t.Context(), here, c, 0, 0), "limit")
	faulttest.PrepareRefused(t, New(), here, p, "limit")
	if got := grouptest.Text(t, dir, knob.File); got != found {
		t.Errorf("the limit was found as %s and is %s", found, got)
	}
	if o := faulttest.Observe(t, New(), here, c); o.State != fault.Absent {
		t.Errorf("observed %s after a refusal", o.State)
	}
	faulttest.Must(t, New().Revert(t.Context(), here, c))
}

func number(t *testing.T, dir, file string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(grouptest.Text(t, dir, file), 10, 64)
	faulttest.Must(t, err)
	return n
}

// enforced is the limit that the kernel goes by, the group's own or that of one
// above it: hierarchical_memory_limit of memory.stat, in bytes.
func enforced(t *testing.T, dir string) uint64 {
	t.Helper()
	if onV2 { // no file says it; what the program gets does
		return number(t, dir, maxFile)
	}
	for line := range strings.Lines(grouptest.Text(t, dir, "memory.stat")) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "hierarchical_memory_limit" {
			n, err := strconv.ParseUint(f[1], 10, 64)
			faulttest.Must(t, err)
			return n
		}
	}
	t.Fatal("memory.stat has no hierarchical_memory_limit")
	return 0
}
