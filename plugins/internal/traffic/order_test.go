package traffic_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"pgregory.net/rapid"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

func TestMain(m *testing.M) {
	// Each check loads programs many times over.
	if err := flag.Set("rapid.checks", "12"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// anAction draws what is done to packets, by every kind of network fault.
func anAction(rt *rapid.T) traffic.Action {
	does := rapid.SampledFrom([]uint32{bpf.Cut, bpf.Lose, bpf.Duplicate, bpf.Corrupt, bpf.Steer, bpf.Answer}).Draw(rt, "does")
	a := traffic.Action{Does: does}
	switch does {
	case bpf.Answer:
		a.Names = rapid.SampledFrom([][]string{nil, {"db.example.com", "*.internal"}}).Draw(rt, "names")
	case bpf.Lose, bpf.Duplicate, bpf.Corrupt:
		a.Share = rapid.Float64Range(0.01, 1).Draw(rt, "share")
	}
	return a
}

func aSelection(rt *rapid.T) traffic.Selection {
	return traffic.Selection{
		To:        rapid.SampledFrom([][]string{{traffictest.AddrB}, {traffictest.AddrB6}, {"0.0.0.0/0", "::/0"}, {"10.98.0.0/16"}}).Draw(rt, "to"),
		Direction: rapid.SampledFrom([]string{"in", "out", "both"}).Draw(rt, "direction"),
		Protocol:  rapid.SampledFrom([]string{"", "tcp", "udp", "icmp"}).Draw(rt, "protocol"),
	}
}

// queue is a bucket wide enough for everything.
func queue(h *netlink.Handle, near netlink.Link) error {
	const rate = 1e9
	return h.QdiscReplace(&netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: near.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		Rate:       rate, Buffer: netlink.Xmittime(rate, 1e6), Limit: 1e7,
	})
}

// Whatever network faults are injected on one device and reverted, in whatever
// order, with processes that come and go in between and records that are never
// applied or reverted twice: each that lives is there as asked, and at the end the
// host is byte by byte as it was, and all packets arrive.
func TestAnyOrderLeavesTheDeviceAsFound(t *testing.T) {
	w := traffictest.New(t)
	before := w.Snapshot(t)
	rapid.Check(t, func(rt *rapid.T) {
		live, old := map[int]traffic.Change{}, []traffic.Change{}
		for range rapid.IntRange(2, 14).Draw(rt, "steps") {
			i := &traffic.Injector{} // a new process each time
			n := rapid.IntRange(0, bpf.Slots-1).Draw(rt, "injection")
			if c, on := live[n]; on {
				check(rt, i.Revert(t.Context(), w.Target, c))
				delete(live, n)
				old = append(old, c)
				continue
			}
			c, err := i.Prepare(t.Context(), w.Target, aSelection(rt), anAction(rt))
			check(rt, err)
			if rapid.IntRange(0, 3).Draw(rt, "fate") == 0 {
				old = append(old, c) // never applied
				continue
			}
			if rapid.Bool().Draw(rt, "another process") {
				i = &traffic.Injector{}
			}
			check(rt, i.Apply(t.Context(), w.Target, c, traffictest.In(time.Minute), queue))
			live[n] = c
			for n, c := range live {
				r, err := i.Observe(w.Target, c, 1)
				check(rt, err)
				if r.State() != fault.Present || r.Dose() == fault.NotInForce {
					rt.Fatalf("injection %d is %s, %s: %+v", n, r.State(), r.Dose(), r)
				}
			}
			if len(old) > 0 {
				check(rt, i.Revert(t.Context(), w.Target, old[rapid.IntRange(0, len(old)-1).Draw(rt, "again")]))
			}
		}
		for _, n := range rapid.Permutation(slices.Sorted(maps.Keys(live))).Draw(rt, "order") {
			check(rt, (&traffic.Injector{}).Revert(t.Context(), w.Target, live[n]))
		}
		if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
			rt.Fatal(d)
		}
	})
	for _, to := range []string{traffictest.AddrB, traffictest.AddrB6} {
		if got := traffictest.Flood(t, w.A, w.B, to, 100, 100); got != 100 {
			t.Errorf("%d of 100 packets to %s arrive", got, to)
		}
	}
}

func check(rt *rapid.T, err error) {
	rt.Helper()
	if err != nil {
		rt.Fatal(err)
	}
}

// All kinds at once act on the same packets: of those that are not lost half come
// twice, all over two queues, in each direction and both families.
func TestTheyActTogether(t *testing.T) {
	w := traffictest.New(t)
	i := &traffic.Injector{}
	var live []traffic.Change
	for _, a := range []traffic.Action{{Does: bpf.Steer}, {Does: bpf.Lose, Share: 0.2}, {Does: bpf.Duplicate, Share: 0.5}, {Does: bpf.Steer}, {Does: bpf.Corrupt, Share: 0.1}} {
		c, err := i.Prepare(t.Context(), w.Target, traffic.Selection{To: []string{"0.0.0.0/0", "::/0"}, Protocol: "udp"}, a)
		if err == nil {
			err = i.Apply(t.Context(), w.Target, c, traffictest.In(time.Minute), queue)
		}
		if err != nil {
			t.Fatal(err)
		}
		live = append(live, c)
	}
	const n = 20_000
	for name, got := range map[string]int{
		"out": traffictest.Flood(t, w.A, w.B, traffictest.AddrB, n, 100), "out, IPv6": traffictest.Flood(t, w.A, w.B, traffictest.AddrB6, n, 100),
		"in": traffictest.Flood(t, w.B, w.A, traffictest.AddrA, n, 100), "in, IPv6": traffictest.Flood(t, w.B, w.A, traffictest.AddrA6, n, 100),
	} {
		share := 100 * float64(got) / n
		t.Logf("%s: %.2f%% arrive", name, share)
		if share < 117.5 || share > 122.5 {
			t.Errorf("%s: %.2f%% arrive, want 80%% once and half of these again: 120%%", name, share)
		}
	}
	for _, c := range live {
		if err := i.Revert(t.Context(), w.Target, c); err != nil {
			t.Error(err)
		}
	}
}

// Somebody takes our devices away: it is said, nothing is led there any more after
// the next renewal, and Revert still does all the rest.
func TestDevicesTakenAway(t *testing.T) {
	w := traffictest.New(t)
	before := w.Snapshot(t)
	i := &traffic.Injector{}
	c, err := i.Prepare(t.Context(), w.Target, traffic.Selection{To: []string{traffictest.AddrB}}, traffic.Action{Does: bpf.Steer})
	if err == nil {
		err = i.Apply(t.Context(), w.Target, c, traffictest.In(time.Minute), queue)
	}
	if err != nil {
		t.Fatal(err)
	}
	near, err := w.H.LinkByName(c.Devices[0].Ways[0].Near)
	if err == nil {
		err = w.H.LinkDel(near)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r, err := i.Observe(w.Target, c, 1); err != nil || r.Dose() != fault.NotInForce {
		t.Errorf("dose %s, %v", r.Dose(), err)
	}
	if err := i.Apply(t.Context(), w.Target, c, traffictest.In(time.Minute), queue); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("renewed: %v", err)
	}
	if err := i.Revert(t.Context(), w.Target, c); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
		t.Error(d)
	}
}

// A device of somebody else under the name of one of ours is left alone.
func TestNamesakeIsLeft(t *testing.T) {
	w := traffictest.New(t)
	i := &traffic.Injector{}
	c, err := i.Prepare(t.Context(), w.Target, traffic.Selection{To: []string{traffictest.AddrB}}, traffic.Action{Does: bpf.Steer})
	if err != nil {
		t.Fatal(err)
	}
	way := c.Devices[0].Ways[0]
	if err := w.H.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: way.Near}, PeerName: way.Far}); err != nil {
		t.Fatal(err)
	}
	if err := i.Apply(t.Context(), w.Target, c, traffictest.In(time.Minute), queue); err == nil {
		t.Error("applied over somebody else's device")
	}
	if err := i.Revert(t.Context(), w.Target, c); err != nil {
		t.Error(err)
	}
	if _, err := w.H.LinkByName(way.Near); err != nil {
		t.Error(fmt.Errorf("their device is gone: %w", err))
	}
}
