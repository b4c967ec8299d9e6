package io

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystemtest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

const mib = 1 << 20

var here = fault.Target{}

// roleTraffic is a copy of the test binary that reads or writes a device directly,
// from within a group: arguments group, device, r or w, bytes a block. It prints
// the bytes and operations per second it got.
const roleTraffic = "io-traffic"

// warm and span are how long the traffic runs before it is measured, and then.
const (
	warm = 300 * time.Millisecond
	span = 2000 * time.Millisecond
)

func traffic() {
	if len(os.Args) != 6 || os.Args[1] != roleTraffic {
		return
	}
	var block int
	_, err := fmt.Sscan(os.Args[5], &block)
	err = errors.Join(err, cgroup.Enter(os.Args[2]))
	f, err2 := os.OpenFile(os.Args[3], os.O_RDWR|unix.O_DIRECT, 0)
	if err = errors.Join(err, err2); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	b := aligned(block)
	run := func(d time.Duration) (n int, over time.Duration) {
		began := time.Now()
		for at := int64(0); time.Since(began) < d; at = (at + int64(block)) % (16 * mib) {
			if os.Args[4] == "w" {
				_, err = f.WriteAt(b, at)
			} else {
				_, err = f.ReadAt(b, at)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			n++
		}
		return n, time.Since(began)
	}
	run(warm)
	n, over := run(span)
	fmt.Printf("%f %f", float64(n*block)/over.Seconds(), float64(n)/over.Seconds())
	os.Exit(0)
}

// aligned is memory as direct I/O wants it.
func aligned(n int) []byte {
	b := make([]byte, n+4096)
	skip := (4096 - int(uintptr(unsafe.Pointer(&b[0]))%4096)) % 4096
	return b[skip : skip+n]
}

// runs starts traffic, and returns what it got per second.
func runs(t *testing.T, dir, device, way string, block int) (wait func() (bytes, operations float64)) {
	t.Helper()
	r, w, err := os.Pipe()
	faulttest.Must(t, err)
	p, err := proc.Start(proc.Spec{Path: proc.Self, Args: []string{roleTraffic, dir, device, way, fmt.Sprint(block)}, Stdout: w, Stderr: os.Stderr})
	faulttest.Must(t, err)
	faulttest.Must(t, w.Close())
	return func() (bytes, operations float64) {
		defer r.Close()
		b := make([]byte, 100)
		n, _ := r.Read(b)
		_, _ = p.Wait()
		if _, err := fmt.Sscan(string(b[:n]), &bytes, &operations); err != nil {
			t.Fatalf("the program said %q", b[:n])
		}
		return bytes, operations
	}
}

// within is how far, as a share, traffic may be off what was asked.
const within = 0.05

var cases = map[string]struct {
	p     Params
	way   string
	block int
	asked float64
	unit  string
}{
	"read":      {Params{Read: "8MiB/s"}, "r", 64 << 10, 8, "MiB/s"},
	"write":     {Params{Write: "4MiB/s"}, "w", 64 << 10, 4, "MiB/s"},
	"read_ops":  {Params{ReadOps: "200/s"}, "r", 4 << 10, 200, "operations/s"},
	"write_ops": {Params{WriteOps: "100/s"}, "w", 4 << 10, 100, "operations/s"},
}

// Direct traffic is within 5% of what was asked, and what was found is there again
// afterwards, byte by byte: another limit of this device, and one of another.
func TestLimitIsAccurate(t *testing.T) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each has a device and a group of its own, and mostly waits
			dir, path := grouptest.New(t, controller)
			device, number := filesystemtest.Device(t, 32*mib)
			_, other := filesystemtest.Device(t, mib)
			tuned(t, dir, number, other)
			list := faulttest.Listing(t, nil, path)
			c.p.Group, c.p.Device = path, device
			change := faulttest.Prepare(t, Plugin{}, here, c.p)
			faulttest.Must(t, Plugin{}.Apply(t.Context(), here, change, 0, 0))
			var rate float64
			var o fault.Observation
			for range 3 { // a ceiling: a busy machine may stay below it for a moment
				got := runs(t, dir, device, c.way, c.block)
				time.Sleep(warm + window)
				o = faulttest.Observe(t, Plugin{}, here, change)
				if bytes, ops := got(); c.unit == "MiB/s" {
					rate = bytes / mib
				} else {
					rate = ops
				}
				if rate >= c.asked*(1-within) && o.Dose == fault.Exercised {
					break
				}
			}
			t.Logf("asked %.0f, got %.4g, %+.2f%%; %s", c.asked, rate, 100*(rate/c.asked-1), o.Detail)
			if o.State != fault.Present || o.Dose != fault.Exercised {
				t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
			}
			faulttest.Must(t, Plugin{}.Revert(t.Context(), here, change))
			faulttest.Measured(t, faulttest.Measurement{
				Fault: Kind, What: fmt.Sprintf("%s, direct, blocks of %d KiB", name, c.block>>10), Asked: c.asked, Achieved: rate, Unit: c.unit,
				Within: within * c.asked, Found: list, Left: faulttest.Listing(t, nil, path),
			})
		})
	}
}

// The twin: without the fault the same traffic is far more.
func TestWithoutLimitThereIsMore(t *testing.T) {
	dir, path := grouptest.New(t, controller)
	device, _ := filesystemtest.Device(t, 32*mib)
	change := faulttest.Prepare(t, Plugin{}, here, Params{Write: "4MiB/s", Device: device, Scope: scope.Scope{Group: path}})
	if bytes, _ := runs(t, dir, device, "w", 64<<10)(); bytes <= 4*mib*(1+within) {
		t.Errorf("got %.0f bytes per second without any fault", bytes)
	}
	if o := faulttest.Observe(t, Plugin{}, here, change); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

// Limits of other owners stay: of another device throughout, of ours if it is not
// what we set.
func TestOthersLimitStays(t *testing.T) {
	dir, path := grouptest.New(t, controller)
	device, number := filesystemtest.Device(t, mib)
	_, other := filesystemtest.Device(t, mib)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Write: "4MiB/s", ReadOps: "7/s", Device: device, Scope: scope.Scope{Group: path}})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	write := kinds[1]
	setLimit(t, dir, write, number, "333333")
	setLimit(t, dir, write, other, "444444")
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Partial || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	if err := (Plugin{}).Apply(t.Context(), here, c, 0, 0); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("apply: error %v, want %v", err, fault.ErrChanged)
	}
	if err := (Plugin{}).Revert(t.Context(), here, c); !errors.Is(err, fault.ErrStuck) {
		t.Errorf("revert: error %v, want %v", err, fault.ErrStuck)
	}
	for device, want := range map[string]string{number: "333333", other: "444444"} {
		if got := limitOf(t, dir, write, device); got != want {
			t.Errorf("the limit of %s is %q now, somebody set %s", device, got, want)
		}
	}
	if got := limitOf(t, dir, kinds[2], number); got != per("", "max") {
		t.Errorf("our other limit is left: %q", got)
	}
}

// A limit on v1 does not reach the groups below: it is refused rather than
// without effect. On v2 it does.
func TestProcessesBelowAreRefused(t *testing.T) {
	dir, path := grouptest.New(t, controller)
	device, _ := filesystemtest.Device(t, mib)
	faulttest.Must(t, cgroup.Create(dir+"/below"))
	grouptest.Named(t, "notes", dir+"/below")
	_, err := Plugin{}.Prepare(t.Context(), here, Params{Write: "4MiB/s", Device: device, Scope: scope.Scope{Group: path}})
	if onV2 {
		faulttest.Must(t, err)
		return
	}
	faulttest.Refused(t, err, "group", "/below")
}

func TestRefusals(t *testing.T) {
	_, path := grouptest.New(t, controller)
	device, _ := filesystemtest.Device(t, mib)
	for name, c := range map[string]struct {
		field string
		p     Params
	}{
		"no limit":      {"read", Params{Device: device, Scope: scope.Scope{Group: path}}},
		"no rate":       {"write", Params{Write: "fast", Device: device, Scope: scope.Scope{Group: path}}},
		"too little":    {"read", Params{Read: "1kB/s", Device: device, Scope: scope.Scope{Group: path}}},
		"no operations": {"read_ops", Params{ReadOps: "0/s", Device: device, Scope: scope.Scope{Group: path}}},
		"no device":     {"device", Params{Read: "1MB/s", Device: "/dev/none", Scope: scope.Scope{Group: path}}},
		"no disk":       {"device", Params{Read: "1MB/s", Device: "/dev/shm", Scope: scope.Scope{Group: path}}},
		"no group":      {"group", Params{Read: "1MB/s", Device: device, Scope: scope.Scope{Group: path + "/none"}}},
		"whole host":    {"group", Params{Read: "1MB/s", Device: device, Scope: scope.Scope{Group: "/"}}},
	} {
		t.Run(name, func(t *testing.T) {
			faulttest.PrepareRefused(t, Plugin{}, here, c.p, c.field)
		})
	}
}

// Both versions' files are read and written alike.
func TestCountersOfV2(t *testing.T) {
	got := pairs("rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0")
	if got["rbytes"] != "4096" || got["wios"] != "2" {
		t.Errorf("read %v", got)
	}
	if got := pairs("Read 4096"); got["Read"] != "4096" {
		t.Errorf("read %v", got)
	}
}

// tuned sets limits of somebody's for our device and for another.
func tuned(t *testing.T, dir, ours, other string) {
	t.Helper()
	for _, k := range kinds {
		setLimit(t, dir, k, other, "12345")
		setLimit(t, dir, k, ours, "99000000")
	}
}

// setLimit sets one limit of a device, as its owner would.
func setLimit(t *testing.T, dir string, k kind, device, n string) {
	t.Helper()
	faulttest.Must(t, cgroup.Write(dir, per(v1Bytes+k.v1, v2File), device+" "+per("", k.v2+"=")+n))
}

// limitOf is one limit of a device as the kernel tells it; "" if it says nothing.
func limitOf(t *testing.T, dir string, k kind, device string) string {
	t.Helper()
	return limitIn(grouptest.Text(t, dir, per(v1Bytes+k.v1, v2File)), k, device)
}

func limitIn(text string, k kind, device string) string {
	for line := range strings.Lines(text) {
		number, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if number == device {
			return per(rest, pairs(rest)[k.v2])
		}
	}
	return ""
}
