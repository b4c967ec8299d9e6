package linkdown

import (
	"encoding/json"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// A device goes down and nothing passes; afterwards all is there that a tuned
// host had, from the record alone.
func TestDownAndBack(t *testing.T) {
	w := newWire(t)
	before := w.snapshot(t)
	if !w.reaches(t, addrB+":5000") || !w.reaches(t, "[fd99:0::2]:5000") {
		t.Fatal("not connected")
	}
	c := w.inject(t, Plugin{})
	passed := 0.0
	for _, to := range []string{addrB + ":5000", "[fd99:0::2]:5000"} {
		if w.reaches(t, to) {
			passed++
		}
	}
	if !w.reaches(t, "10.99.1.2:5000") {
		t.Error("the other device is cut too")
	}
	if o := w.observe(t, c); o.State != fault.Present || o.Dose != fault.Exercised || o.Achieved[0].Value != 1 {
		t.Errorf("observed %+v", o)
	}
	faulttest.Must(t, Plugin{}.Apply(t.Context(), w.target, c, 0, 0)) // a renewal
	began := time.Now()
	faulttest.Must(t, Plugin{}.Revert(t.Context(), w.target, throughJSON(t, c)))
	t.Logf("reverted in %v: %d addresses, %d routes, %d neighbours", time.Since(began), len(c.Saved.Addresses), len(c.Saved.Routes), len(c.Saved.Neighbours))
	w.same(t, before)
	if !w.reaches(t, addrB+":5000") || !w.reaches(t, "[fd99:0::2]:5000") {
		t.Error("not connected afterwards")
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), w.target, c))
	w.same(t, before)
	if o := w.observe(t, c); o.State != fault.Absent {
		t.Errorf("observed %+v", o)
	}
	faulttest.Measured(t, faulttest.Measurement{
		Fault: Kind, What: "datagrams that pass, of one IPv4 and one IPv6", Achieved: passed, Unit: "datagrams", Found: before, Left: w.snapshot(t),
	})
}

// The twin: with everything in place but the effect, packets pass and Observe does
// not claim otherwise. It is also what a crash halfway through Apply leaves.
func TestWithoutEffectPacketsPass(t *testing.T) {
	w := newWire(t)
	before := w.snapshot(t)
	c := w.inject(t, Plugin{noEffect: true})
	if !w.reaches(t, addrB+":5000") {
		t.Error("cut without effect")
	}
	if o := w.observe(t, c); o.State != fault.Partial || o.Dose != fault.NotInForce || o.Achieved[0].Value != 0 {
		t.Errorf("observed %+v", o)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), w.target, c))
	w.same(t, before)
}

// The twin of what is put back: setting the device up by itself is not enough.
func TestUpAloneIsNotEnough(t *testing.T) {
	w := newWire(t)
	before := w.snapshot(t)
	faulttest.Must(t, w.h.LinkSetDown(w.link(t, "eth0")))
	faulttest.Must(t, w.h.LinkSetUp(w.link(t, "eth0")))
	w.settle(t)
	if d := cmp.Diff(before, w.snapshot(t)); d == "" {
		t.Error("the kernel gave everything back: the record is not needed")
	}
}

// Revert that was killed on its way goes on.
func TestRevertGoesOn(t *testing.T) {
	w := newWire(t)
	before := w.snapshot(t)
	c := w.inject(t, Plugin{})
	faulttest.Must(t, w.h.LinkSetAlias(w.link(t, "eth0"), c.rising()))
	faulttest.Must(t, w.h.LinkSetUp(w.link(t, "eth0")))
	faulttest.Must(t, Plugin{}.Revert(t.Context(), w.target, c))
	w.same(t, before)
}

// Somebody sets the device up: it stays up, gets back what it lost, and Revert
// says that it was not us.
func TestRaisedMeanwhile(t *testing.T) {
	w := newWire(t)
	before := w.snapshot(t)
	c := w.inject(t, Plugin{})
	faulttest.Must(t, w.h.LinkSetUp(w.link(t, "eth0")))
	if o := w.observe(t, c); o.State != fault.Partial || o.Dose != fault.NotInForce {
		t.Errorf("observed %+v", o)
	}
	if err := (Plugin{}).Revert(t.Context(), w.target, c); !errors.Is(err, fault.ErrStuck) {
		t.Errorf("error %v, want %v", err, fault.ErrStuck)
	}
	w.same(t, before)
	// Another alias is somebody else's mark: nothing is touched.
	c = w.inject(t, Plugin{})
	faulttest.Must(t, w.h.LinkSetAlias(w.link(t, "eth0"), "theirs"))
	if err := (Plugin{}).Revert(t.Context(), w.target, c); !errors.Is(err, fault.ErrStuck) || isUp(w.link(t, "eth0")) {
		t.Errorf("error %v, want %v", err, fault.ErrStuck)
	}
}

func TestChangedAndGone(t *testing.T) {
	w := newWire(t)
	prepare := func() Change {
		c, err := Plugin{}.Prepare(t.Context(), w.target, Params{Device: "eth0"})
		faulttest.Must(t, err)
		return c
	}
	c := prepare()
	faulttest.Must(t, Plugin{}.Revert(t.Context(), w.target, c)) // never applied
	faulttest.Must(t, w.h.RouteAdd(&netlink.Route{LinkIndex: c.Index, Dst: cidr("10.61.0.0/16")}))
	before := w.snapshot(t)
	if err := (Plugin{}).Apply(t.Context(), w.target, c, 0, 0); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("another route: error %v, want %v", err, fault.ErrChanged)
	}
	w.same(t, before)
	c = prepare()
	faulttest.Must(t, w.h.LinkDel(w.link(t, "eth0")))
	for name, err := range map[string]error{
		"apply":  Plugin{}.Apply(t.Context(), w.target, c, 0, 0),
		"revert": Plugin{}.Revert(t.Context(), w.target, c),
	} {
		if !errors.Is(err, fault.ErrGone) {
			t.Errorf("%s: error %v, want %v", name, err, fault.ErrGone)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWire(t)
	refused := func(device string) {
		t.Helper()
		faulttest.PrepareRefused(t, Plugin{}, w.target, Params{Device: device}, "device")
	}
	before := w.snapshot(t)
	refused("lo")
	refused("eth9")
	for _, peer := range []string{addrB + ":4222", "[fd50::1]:4222", "198.51.100.1:4222"} {
		w.target.Exempt = []netip.AddrPort{netip.MustParseAddrPort(peer)}
		refused("eth0") // which carries the control connection
	}
	w.same(t, before)
	w.target.Exempt = nil
	faulttest.Must(t, w.h.LinkSetDown(w.link(t, "eth1")))
	refused("eth1") // it is down
}

// A device that lies on another one would go down with it.
func TestCarried(t *testing.T) {
	upper := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Index: 7, ParentIndex: 5, NetNsID: -1}}
	elsewhere := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Index: 8, ParentIndex: 6, NetNsID: 3}}
	cable := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Index: 9, ParentIndex: 4, NetNsID: -1}}
	for index, want := range map[int]netlink.Link{5: upper, 6: nil, 4: nil, 7: nil} {
		if got := carried(index, []netlink.Link{upper, elsewhere, cable}); got != want {
			t.Errorf("on %d lies %v, want %v", index, got, want)
		}
	}
}

func (w *wire) inject(t *testing.T, p Plugin) Change {
	t.Helper()
	c, err := p.Prepare(t.Context(), w.target, Params{Device: "eth0"})
	faulttest.Must(t, err)
	faulttest.Must(t, p.Apply(t.Context(), w.target, c, 0, 0))
	return c
}

func (w *wire) observe(t *testing.T, c Change) fault.Observation {
	t.Helper()
	o, err := Plugin{}.Observe(t.Context(), w.target, c)
	faulttest.Must(t, err)
	return o
}

// same waits until the host is as before, for two seconds: operational states
// follow the other end.
func (w *wire) same(t *testing.T, before []string) {
	t.Helper()
	d := ""
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if d = cmp.Diff(before, w.snapshot(t)); d == "" {
			return
		}
	}
	t.Errorf("not as found:\n%s", d)
}

// throughJSON is the record as the journal gives it back.
func throughJSON(t *testing.T, c Change) (out Change) {
	t.Helper()
	text, err := json.Marshal(c)
	faulttest.Must(t, err)
	faulttest.Must(t, json.Unmarshal(text, &out))
	return out
}
