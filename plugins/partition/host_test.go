package partition

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// sel is how tests select packets.
type sel = traffic.Selection

func mustAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestPrepareChangesNothing(t *testing.T) {
	w := traffictest.New(t)
	before := w.Snapshot(t)
	p := New()
	_, err := p.Prepare(t.Context(), w.Target, Params{sel{To: []string{everybody}}})
	faulttest.Must(t, err)
	if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
		t.Error(d)
	}
}

// Whatever is injected and reverted in whatever order, with processes that come
// and go in between: at the end the host is as it was, and no revert heals more
// than its own injection.
func TestAnyOrderLeavesHostAsFound(t *testing.T) {
	w := traffictest.New(t)
	before := w.Snapshot(t)
	rapid.Check(t, func(rt *rapid.T) {
		live := map[int]Change{}
		for step := range rapid.IntRange(1, 10).Draw(rt, "steps") {
			p := New() // a new process each time
			p.noBPF = rapid.IntRange(0, 3).Draw(rt, "way") == 0
			n := rapid.IntRange(0, 5).Draw(rt, "injection")
			c, on := live[n]
			if on {
				faulttest.Must(t, p.Revert(t.Context(), w.Target, c))
				delete(live, n)
				continue
			}
			c, err := p.Prepare(t.Context(), w.Target, Params{sel{To: []string{fmt.Sprintf("10.99.%d.0/24", n), traffictest.AddrB}, Direction: []string{"out", "both"}[btoi(!p.noBPF)]}})
			faulttest.Must(t, err)
			faulttest.Must(t, p.Apply(t.Context(), w.Target, c, 0, traffictest.In(time.Minute)))
			live[n] = c
			for _, c := range live {
				o, err := p.Observe(t.Context(), w.Target, c)
				faulttest.Must(t, err)
				if o.State != fault.Present {
					rt.Fatalf("step %d: a live injection is %s", step, o.State)
				}
			}
		}
		for _, c := range live {
			faulttest.Must(t, New().Revert(t.Context(), w.Target, c))
		}
		if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
			rt.Fatal(d)
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestNinthIsRefused(t *testing.T) {
	w := traffictest.New(t)
	p := New()
	var live []Change
	for i := range 8 {
		live = append(live, traffictest.Inject(t, w, p, Params{sel{To: []string{fmt.Sprintf("10.98.%d.0/24", i)}}}))
	}
	faulttest.PrepareRefused(t, p, w.Target, Params{sel{To: []string{everybody}}}, "devices", "8 network faults")
	for _, c := range live {
		faulttest.Must(t, p.Revert(t.Context(), w.Target, c))
	}
}

// An empty clsact qdisc that was there is used and kept.
func TestClsactIsKept(t *testing.T) {
	w := traffictest.New(t)
	faulttest.Must(t, w.H.QdiscAdd(traffic.Clsact(w.Eth0(t))))
	before := w.Snapshot(t)
	p := New()
	c := traffictest.Inject(t, w, p, Params{sel{To: []string{everybody}}})
	if traffictest.Reaches(t, w.A, w.B, traffictest.AddrB+":5001", "") {
		t.Error("not cut")
	}
	faulttest.Must(t, p.Revert(t.Context(), w.Target, c))
	if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
		t.Error(d)
	}
}

func TestForeignFilterAheadIsRefused(t *testing.T) {
	w := traffictest.New(t)
	faulttest.Must(t, w.H.QdiscAdd(traffic.Clsact(w.Eth0(t))))
	faulttest.Must(t, w.H.FilterAdd(w.Foreign(t, 1)))
	before := w.Snapshot(t)
	_, err := New().Prepare(t.Context(), w.Target, Params{sel{To: []string{everybody}}})
	var refused *fault.RefusedError
	if !errors.As(err, &refused) {
		t.Errorf("want a refusal, got %v", err)
	}
	if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
		t.Error(d)
	}
}

// Somebody uses our clsact meanwhile: ours goes, theirs stays, and we say so.
func TestForeignFilterIsLeft(t *testing.T) {
	w := traffictest.New(t)
	p := New()
	c := traffictest.Inject(t, w, p, Params{sel{To: []string{everybody}}})
	faulttest.Must(t, w.H.FilterAdd(w.Foreign(t, 10)))
	if err := p.Revert(t.Context(), w.Target, c); !errors.Is(err, fault.ErrStuck) {
		t.Errorf("want stuck, got %v", err)
	}
	if !traffictest.Reaches(t, w.A, w.B, traffictest.AddrB+":5001", "") {
		t.Error("still cut")
	}
	if all, _, err := traffic.ForeignFilters(w.H, w.Eth0(t)); err != nil || all != 1 {
		t.Errorf("their filter is gone: %d, %v", all, err)
	}
}

func TestChangedSincePrepare(t *testing.T) {
	w := traffictest.New(t)
	p := New()
	c, err := p.Prepare(t.Context(), w.Target, Params{sel{To: []string{everybody}}})
	faulttest.Must(t, err)
	faulttest.Must(t, w.H.QdiscAdd(traffic.Clsact(w.Eth0(t))))
	faulttest.Must(t, w.H.FilterAdd(w.Foreign(t, 10)))
	before := w.Snapshot(t)
	if err := p.Apply(t.Context(), w.Target, c, 0, traffictest.In(time.Minute)); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("want changed since prepare, got %v", err)
	}
	if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
		t.Error(d)
	}
}

func TestAnotherNamespaceIsGone(t *testing.T) {
	w, other := traffictest.New(t), traffictest.New(t)
	p := New()
	c := traffictest.Inject(t, w, p, Params{sel{To: []string{everybody}}})
	before := other.Snapshot(t)
	if err := p.Revert(t.Context(), other.Target, c); !errors.Is(err, fault.ErrGone) {
		t.Errorf("want gone, got %v", err)
	}
	if d := cmp.Diff(before, other.Snapshot(t)); d != "" {
		t.Error(d)
	}
	faulttest.Must(t, p.Revert(t.Context(), w.Target, c))
}

// What the routes can't do is refused by name, and nothing changes.
func TestFallbackRefuses(t *testing.T) {
	w := traffictest.New(t)
	before := w.Snapshot(t)
	p := New()
	p.noBPF = true
	for field, params := range map[string]Params{
		"ports":     {sel{To: []string{everybody}, Ports: []string{"443"}}},
		"protocol":  {sel{To: []string{everybody}, Protocol: "udp"}},
		"direction": {sel{To: []string{everybody}, Direction: "in"}},
		"from":      {sel{To: []string{everybody}, From: []string{traffictest.AddrA}}},
		"devices":   {sel{To: []string{everybody}, Devices: []string{"eth0"}}},
	} {
		faulttest.PrepareRefused(t, p, w.Target, params, field)
	}
	if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
		t.Error(d)
	}
}

// A cut looks like a cut wire to TCP: it retransmits and backs off, and the
// writer is told nothing.
func TestTCPBacksOff(t *testing.T) {
	w := traffictest.New(t)
	var l net.Listener
	faulttest.Must(t, w.B.Do(func() (err error) { l, err = net.Listen("tcp", traffictest.AddrB+":7000"); return err }))
	defer l.Close()
	var conn net.Conn
	faulttest.Must(t, w.A.Do(func() (err error) { conn, err = net.Dial("tcp", traffictest.AddrB+":7000"); return err }))
	defer conn.Close()
	p := New()
	c := traffictest.Inject(t, w, p, Params{sel{To: []string{everybody}}})
	_, err := conn.Write([]byte("into the dark"))
	faulttest.Must(t, err)
	time.Sleep(1500 * time.Millisecond)
	raw, err := conn.(*net.TCPConn).SyscallConn()
	faulttest.Must(t, err)
	var info *unix.TCPInfo
	faulttest.Must(t, raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }))
	faulttest.Must(t, err)
	if info.Backoff == 0 || info.Retransmits == 0 {
		t.Errorf("TCP does not back off: backoff %d, retransmits %d", info.Backoff, info.Retransmits)
	}
	faulttest.Must(t, p.Revert(t.Context(), w.Target, c))
}

func TestMain(m *testing.M) {
	processtest.Main()
	// Each check loads programs several times over.
	if err := flag.Set("rapid.checks", "6"); err != nil {
		panic(err)
	}
	faulttest.Main(m, driver)
}
