package partition

import (
	"fmt"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

const everybody = "10.99.0.0/24"

// Each row is a rule and what still passes under it. Without a fault all pass.
func TestWhatIsCut(t *testing.T) {
	type passes struct{ udpOut, udpIn, tcpOut, udp6Out bool }
	cases := []struct {
		name   string
		params Params
		want   passes
	}{
		{"both ways", Params{sel{To: []string{everybody}}}, passes{udp6Out: true}},
		{"one address", Params{sel{To: []string{traffictest.AddrB}}}, passes{udp6Out: true}},
		{"somebody else", Params{sel{To: []string{"10.98.0.0/16"}}}, passes{true, true, true, true}},
		{"out", Params{sel{To: []string{everybody}, Direction: "out"}}, passes{udpIn: true, udp6Out: true}},
		{"in", Params{sel{To: []string{everybody}, Direction: "in"}}, passes{udpOut: true, udp6Out: true}},
		{"udp", Params{sel{To: []string{everybody}, Protocol: "udp"}}, passes{tcpOut: true, udp6Out: true}},
		{"tcp", Params{sel{To: []string{everybody}, Protocol: "tcp"}}, passes{udpOut: true, udpIn: true, udp6Out: true}},
		{"a port", Params{sel{To: []string{everybody}, Ports: []string{"5000-5001"}}}, passes{tcpOut: true, udp6Out: true}},
		{"another port", Params{sel{To: []string{everybody}, Ports: []string{"443"}}}, passes{true, true, true, true}},
		{"IPv6", Params{sel{To: []string{"fd99::/64"}}}, passes{true, true, true, false}},
		{"from another address", Params{sel{To: []string{everybody}, From: []string{"10.99.0.77"}}}, passes{true, true, true, true}},
		{"from our address", Params{sel{To: []string{everybody}, From: []string{traffictest.AddrA}}}, passes{udp6Out: true}},
	}
	w := traffictest.New(t)
	measure := func() passes {
		return passes{
			udpOut:  traffictest.Reaches(t, w.A, w.B, traffictest.AddrB+":5001", ""),
			udpIn:   traffictest.Reaches(t, w.B, w.A, traffictest.AddrA+":5001", ""),
			tcpOut:  traffictest.Connects(t, w.A, w.B, traffictest.AddrB+":6000"),
			udp6Out: traffictest.Reaches(t, w.A, w.B, "["+traffictest.AddrB6+"]:5001", ""),
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := New()
			ch := traffictest.Inject(t, w, p, c.params)
			if got := measure(); got != c.want {
				t.Errorf("passes %+v, want %+v", got, c.want)
			}
			faulttest.Must(t, p.Revert(t.Context(), w.Target, ch))
			if got := measure(); got != (passes{true, true, true, true}) {
				t.Errorf("after revert passes only %+v", got)
			}
		})
	}
}

// Of many datagrams none passes, in each direction and both families, and all do
// afterwards.
func TestCutIsWhole(t *testing.T) {
	const datagrams = 1000
	w := traffictest.New(t)
	for _, c := range []struct {
		direction string
		from, at  *netns.NS
		to        string
	}{
		{"out", w.A, w.B, traffictest.AddrB},
		{"out", w.A, w.B, traffictest.AddrB6},
		{"in", w.B, w.A, traffictest.AddrA},
		{"in", w.B, w.A, traffictest.AddrA6},
	} {
		found := w.Snapshot(t)
		change := traffictest.Inject(t, w, New(), Params{sel{To: []string{traffictest.AddrB, traffictest.AddrB6}, Direction: c.direction}})
		arrived := traffictest.Flood(t, c.from, c.at, c.to, datagrams, 100)
		traffictest.Revert(t, w, New(), change)
		if again := traffictest.Flood(t, c.from, c.at, c.to, datagrams, 100); again != datagrams {
			t.Errorf("after revert %d of %d arrive", again, datagrams)
		}
		faulttest.Measured(t, faulttest.Measurement{
			Fault: "partition", What: fmt.Sprintf("lost of %d datagrams, %s, %s", datagrams, c.direction, traffictest.Family(c.to)), Asked: datagrams, Achieved: float64(datagrams - arrived), Unit: "datagrams",
			Found: found, Left: w.Snapshot(t),
		})
	}
}

// The twin of TestWhatIsCut and TestCutIsWhole: with everything in place but the effect, nothing
// is cut and Observe does not claim so.
func TestWithoutEffectNothingIsCut(t *testing.T) {
	w := traffictest.New(t)
	for _, noBPF := range []bool{false, true} {
		p := New()
		p.Inert, p.noBPF = true, noBPF
		c := traffictest.Inject(t, w, p, Params{sel{To: []string{everybody}}})
		if !traffictest.Reaches(t, w.A, w.B, traffictest.AddrB+":5001", "") {
			t.Errorf("noBPF %v: cut without effect", noBPF)
		}
		o, err := p.Observe(t.Context(), w.Target, c)
		faulttest.Must(t, err)
		if o.Dose != fault.NotInForce {
			t.Errorf("noBPF %v: dose %q without effect", noBPF, o.Dose)
		}
		faulttest.Must(t, p.Revert(t.Context(), w.Target, c))
	}
}

func TestObserveExercised(t *testing.T) {
	w := traffictest.New(t)
	for _, noBPF := range []bool{false, true} {
		p := New()
		p.noBPF = noBPF
		c := traffictest.Inject(t, w, p, Params{sel{To: []string{traffictest.AddrB, traffictest.AddrB6, "10.97.0.0/16"}}})
		o, err := New().Observe(t.Context(), w.Target, c)
		faulttest.Must(t, err)
		if o.State != fault.Present || o.Dose != fault.Exercised {
			t.Errorf("noBPF %v: %+v", noBPF, o)
		}
		// The third peer has no route, so no packet of it can be seen.
		if got := o.Achieved[0].Value; got < 2 {
			t.Errorf("noBPF %v: %v peers seen cut off, want 2 at least", noBPF, got)
		}
		faulttest.Must(t, New().Revert(t.Context(), w.Target, c))
		o, err = p.Observe(t.Context(), w.Target, c)
		faulttest.Must(t, err)
		if o.State != fault.Absent {
			t.Errorf("noBPF %v: after revert %+v", noBPF, o)
		}
	}
}

// The kernel itself heals when the lease runs out, with no process of ours left.
func TestLeaseHeals(t *testing.T) {
	w := traffictest.New(t)
	p := New()
	c, err := p.Prepare(t.Context(), w.Target, Params{sel{To: []string{everybody}}})
	faulttest.Must(t, err)
	faulttest.Must(t, p.Apply(t.Context(), w.Target, c, 0, traffictest.In(700*time.Millisecond)))
	if traffictest.Reaches(t, w.A, w.B, traffictest.AddrB+":5001", "") {
		t.Fatal("not cut")
	}
	faulttest.Must(t, p.Apply(t.Context(), w.Target, c, 0, traffictest.In(1500*time.Millisecond)))
	time.Sleep(800 * time.Millisecond)
	if traffictest.Reaches(t, w.A, w.B, traffictest.AddrB+":5001", "") {
		t.Error("renewal did not hold")
	}
	time.Sleep(900 * time.Millisecond)
	if !traffictest.Reaches(t, w.A, w.B, traffictest.AddrB+":5001", "") {
		t.Error("the lease ran out and the cut is still there")
	}
	faulttest.Must(t, p.Revert(t.Context(), w.Target, c))
}

// The control connection and sshd stay reachable under a cut from everybody.
func TestExempt(t *testing.T) {
	w := traffictest.New(t)
	w.Target.Exempt = append(w.Target.Exempt, mustAddrPort(traffictest.AddrB+":4222"))
	p := New()
	c := traffictest.Inject(t, w, p, Params{sel{To: []string{"0.0.0.0/0"}}})
	defer func() { faulttest.Must(t, p.Revert(t.Context(), w.Target, c)) }()
	if !traffictest.Connects(t, w.A, w.B, traffictest.AddrB+":4222") {
		t.Error("the control connection is cut")
	}
	if !traffictest.Connects(t, w.B, w.A, traffictest.AddrA+":22") {
		t.Error("sshd is cut off")
	}
	if traffictest.Connects(t, w.A, w.B, traffictest.AddrB+":4223") {
		t.Error("another port is not cut")
	}
}
