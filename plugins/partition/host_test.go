package partition

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

func mustAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// snapshot is what a partition may touch in a, as text.
func (w *wire) snapshot(t testing.TB) []string {
	t.Helper()
	var out []string
	links, err := w.h.LinkList()
	must(t, err)
	for _, l := range links {
		out = append(out, fmt.Sprintf("%s txqlen %d", l.Attrs().Name, l.Attrs().TxQLen))
		qs, err := w.h.QdiscList(l)
		must(t, err)
		for _, q := range qs {
			out = append(out, fmt.Sprintf("%s qdisc %s %v", l.Attrs().Name, q.Type(), q.Attrs()))
		}
		for parent := range parents {
			fs, _ := w.h.FilterList(l, parent)
			for _, f := range fs {
				out = append(out, fmt.Sprintf("%s filter %s %v", l.Attrs().Name, f.Type(), f.Attrs()))
			}
		}
	}
	rules, err := w.h.RuleList(netlink.FAMILY_ALL)
	must(t, err)
	for _, r := range rules {
		out = append(out, "rule "+r.String())
	}
	routes, err := w.h.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{}, netlink.RT_FILTER_TABLE)
	must(t, err)
	for _, r := range routes {
		out = append(out, "route "+r.String())
	}
	return out
}

func TestPrepareChangesNothing(t *testing.T) {
	w := newWire(t)
	before := w.snapshot(t)
	p := New()
	_, err := p.Prepare(t.Context(), w.target, Params{To: []string{everybody}})
	must(t, err)
	if d := cmp.Diff(before, w.snapshot(t)); d != "" {
		t.Error(d)
	}
}

// Whatever is injected and reverted in whatever order, with processes that come
// and go in between: at the end the host is as it was, and no revert heals more
// than its own injection.
func TestAnyOrderLeavesHostAsFound(t *testing.T) {
	w := newWire(t)
	before := w.snapshot(t)
	rapid.Check(t, func(rt *rapid.T) {
		live := map[int]Change{}
		for step := range rapid.IntRange(1, 10).Draw(rt, "steps") {
			p := New() // a new process each time
			p.noBPF = rapid.IntRange(0, 3).Draw(rt, "way") == 0
			n := rapid.IntRange(0, 5).Draw(rt, "injection")
			c, on := live[n]
			if on {
				must(t, p.Revert(t.Context(), w.target, c))
				delete(live, n)
				continue
			}
			c, err := p.Prepare(t.Context(), w.target, Params{To: []string{fmt.Sprintf("10.99.%d.0/24", n), addrB}, Direction: []string{"out", "both"}[btoi(!p.noBPF)]})
			must(t, err)
			must(t, p.Apply(t.Context(), w.target, c, 0, in(time.Minute)))
			live[n] = c
			for _, c := range live {
				o, err := p.Observe(t.Context(), w.target, c)
				must(t, err)
				if o.State != fault.Present {
					rt.Fatalf("step %d: a live injection is %s", step, o.State)
				}
			}
		}
		for _, c := range live {
			must(t, New().Revert(t.Context(), w.target, c))
		}
		if d := cmp.Diff(before, w.snapshot(t)); d != "" {
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
	w := newWire(t)
	p := New()
	var live []Change
	for i := range 8 {
		live = append(live, w.inject(t, p, Params{To: []string{fmt.Sprintf("10.98.%d.0/24", i)}}))
	}
	_, err := p.Prepare(t.Context(), w.target, Params{To: []string{everybody}})
	var refused *fault.RefusedError
	if !errors.As(err, &refused) || refused.Field != "devices" || !strings.Contains(err.Error(), "8 partitions") {
		t.Errorf("ninth: %v", err)
	}
	for _, c := range live {
		must(t, p.Revert(t.Context(), w.target, c))
	}
}

// An empty clsact qdisc that was there is used and kept.
func TestClsactIsKept(t *testing.T) {
	w := newWire(t)
	must(t, w.h.QdiscAdd(clsact(w.eth0(t))))
	before := w.snapshot(t)
	p := New()
	c := w.inject(t, p, Params{To: []string{everybody}})
	if reaches(t, w.a, w.b, addrB+":5001", "") {
		t.Error("not cut")
	}
	must(t, p.Revert(t.Context(), w.target, c))
	if d := cmp.Diff(before, w.snapshot(t)); d != "" {
		t.Error(d)
	}
}

func TestForeignFilterAheadIsRefused(t *testing.T) {
	w := newWire(t)
	must(t, w.h.QdiscAdd(clsact(w.eth0(t))))
	must(t, w.h.FilterAdd(w.foreign(t, 1)))
	before := w.snapshot(t)
	_, err := New().Prepare(t.Context(), w.target, Params{To: []string{everybody}})
	var refused *fault.RefusedError
	if !errors.As(err, &refused) {
		t.Errorf("want a refusal, got %v", err)
	}
	if d := cmp.Diff(before, w.snapshot(t)); d != "" {
		t.Error(d)
	}
}

// Somebody uses our clsact meanwhile: ours goes, theirs stays, and we say so.
func TestForeignFilterIsLeft(t *testing.T) {
	w := newWire(t)
	p := New()
	c := w.inject(t, p, Params{To: []string{everybody}})
	must(t, w.h.FilterAdd(w.foreign(t, 10)))
	if err := p.Revert(t.Context(), w.target, c); !errors.Is(err, fault.ErrStuck) {
		t.Errorf("want stuck, got %v", err)
	}
	if !reaches(t, w.a, w.b, addrB+":5001", "") {
		t.Error("still cut")
	}
	if all, _, err := foreignFilters(w.h, w.eth0(t)); err != nil || all != 1 {
		t.Errorf("their filter is gone: %d, %v", all, err)
	}
}

func TestChangedSincePrepare(t *testing.T) {
	w := newWire(t)
	p := New()
	c, err := p.Prepare(t.Context(), w.target, Params{To: []string{everybody}})
	must(t, err)
	must(t, w.h.QdiscAdd(clsact(w.eth0(t))))
	must(t, w.h.FilterAdd(w.foreign(t, 10)))
	before := w.snapshot(t)
	if err := p.Apply(t.Context(), w.target, c, 0, in(time.Minute)); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("want changed since prepare, got %v", err)
	}
	if d := cmp.Diff(before, w.snapshot(t)); d != "" {
		t.Error(d)
	}
}

func TestAnotherNamespaceIsGone(t *testing.T) {
	w, other := newWire(t), newWire(t)
	p := New()
	c := w.inject(t, p, Params{To: []string{everybody}})
	before := other.snapshot(t)
	if err := p.Revert(t.Context(), other.target, c); !errors.Is(err, fault.ErrGone) {
		t.Errorf("want gone, got %v", err)
	}
	if d := cmp.Diff(before, other.snapshot(t)); d != "" {
		t.Error(d)
	}
	must(t, p.Revert(t.Context(), w.target, c))
}

// What the routes can't do is refused by name, and nothing changes.
func TestFallbackRefuses(t *testing.T) {
	w := newWire(t)
	before := w.snapshot(t)
	p := New()
	p.noBPF = true
	for field, params := range map[string]Params{
		"ports":     {To: []string{everybody}, Ports: []string{"443"}},
		"protocol":  {To: []string{everybody}, Protocol: "udp"},
		"direction": {To: []string{everybody}, Direction: "in"},
		"from":      {To: []string{everybody}, From: []string{addrA}},
		"devices":   {To: []string{everybody}, Devices: []string{"eth0"}},
	} {
		_, err := p.Prepare(t.Context(), w.target, params)
		var refused *fault.RefusedError
		if !errors.As(err, &refused) || refused.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if d := cmp.Diff(before, w.snapshot(t)); d != "" {
		t.Error(d)
	}
}

// A cut looks like a cut wire to TCP: it retransmits and backs off, and the
// writer is told nothing.
func TestTCPBacksOff(t *testing.T) {
	w := newWire(t)
	var l net.Listener
	must(t, w.b.Do(func() (err error) { l, err = net.Listen("tcp", addrB+":7000"); return err }))
	defer l.Close()
	var conn net.Conn
	must(t, w.a.Do(func() (err error) { conn, err = net.Dial("tcp", addrB+":7000"); return err }))
	defer conn.Close()
	p := New()
	c := w.inject(t, p, Params{To: []string{everybody}})
	_, err := conn.Write([]byte("into the dark"))
	must(t, err)
	time.Sleep(1500 * time.Millisecond)
	raw, err := conn.(*net.TCPConn).SyscallConn()
	must(t, err)
	var info *unix.TCPInfo
	must(t, raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }))
	must(t, err)
	if info.Backoff == 0 || info.Retransmits == 0 {
		t.Errorf("TCP does not back off: backoff %d, retransmits %d", info.Backoff, info.Retransmits)
	}
	must(t, p.Revert(t.Context(), w.target, c))
}

func (w *wire) eth0(t testing.TB) netlink.Link {
	t.Helper()
	l, err := w.h.LinkByName("eth0")
	must(t, err)
	return l
}

// foreign is a filter of somebody else at this priority.
func (w *wire) foreign(t testing.TB, priority uint16) netlink.Filter {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, -1), asm.Return()}})
	must(t, err)
	t.Cleanup(func() { _ = prog.Close() })
	return &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: w.eth0(t).Attrs().Index, Parent: netlink.HANDLE_MIN_EGRESS, Handle: 1, Priority: priority, Protocol: unix.ETH_P_ALL},
		Fd:          prog.FD(), Name: "theirs", DirectAction: true,
	}
}
