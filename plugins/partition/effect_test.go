package partition

import (
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
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
		{"both ways", Params{To: []string{everybody}}, passes{udp6Out: true}},
		{"one address", Params{To: []string{addrB}}, passes{udp6Out: true}},
		{"somebody else", Params{To: []string{"10.98.0.0/16"}}, passes{true, true, true, true}},
		{"out", Params{To: []string{everybody}, Direction: "out"}, passes{udpIn: true, udp6Out: true}},
		{"in", Params{To: []string{everybody}, Direction: "in"}, passes{udpOut: true, udp6Out: true}},
		{"udp", Params{To: []string{everybody}, Protocol: "udp"}, passes{tcpOut: true, udp6Out: true}},
		{"tcp", Params{To: []string{everybody}, Protocol: "tcp"}, passes{udpOut: true, udpIn: true, udp6Out: true}},
		{"a port", Params{To: []string{everybody}, Ports: []string{"5000-5001"}}, passes{tcpOut: true, udp6Out: true}},
		{"another port", Params{To: []string{everybody}, Ports: []string{"443"}}, passes{true, true, true, true}},
		{"IPv6", Params{To: []string{"fd99::/64"}}, passes{true, true, true, false}},
		{"from another address", Params{To: []string{everybody}, From: []string{"10.99.0.77"}}, passes{true, true, true, true}},
		{"from our address", Params{To: []string{everybody}, From: []string{addrA}}, passes{udp6Out: true}},
	}
	w := newWire(t)
	measure := func() passes {
		return passes{
			udpOut:  reaches(t, w.a, w.b, addrB+":5001", ""),
			udpIn:   reaches(t, w.b, w.a, addrA+":5001", ""),
			tcpOut:  connects(t, w.a, w.b, addrB+":6000"),
			udp6Out: reaches(t, w.a, w.b, "["+addrB6+"]:5001", ""),
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := New()
			ch := w.inject(t, p, c.params)
			if got := measure(); got != c.want {
				t.Errorf("passes %+v, want %+v", got, c.want)
			}
			must(t, p.Revert(t.Context(), w.target, ch))
			if got := measure(); got != (passes{true, true, true, true}) {
				t.Errorf("after revert passes only %+v", got)
			}
		})
	}
}

// The twin of TestWhatIsCut: with everything in place but the effect, nothing
// is cut and Observe does not claim so.
func TestWithoutEffectNothingIsCut(t *testing.T) {
	w := newWire(t)
	for _, noBPF := range []bool{false, true} {
		p := New()
		p.noEffect, p.noBPF = true, noBPF
		c := w.inject(t, p, Params{To: []string{everybody}})
		if !reaches(t, w.a, w.b, addrB+":5001", "") {
			t.Errorf("noBPF %v: cut without effect", noBPF)
		}
		o, err := p.Observe(t.Context(), w.target, c)
		must(t, err)
		if o.Dose != fault.NotInForce {
			t.Errorf("noBPF %v: dose %q without effect", noBPF, o.Dose)
		}
		must(t, p.Revert(t.Context(), w.target, c))
	}
}

func TestObserveExercised(t *testing.T) {
	w := newWire(t)
	for _, noBPF := range []bool{false, true} {
		p := New()
		p.noBPF = noBPF
		c := w.inject(t, p, Params{To: []string{addrB, addrB6, "10.97.0.0/16"}})
		o, err := New().Observe(t.Context(), w.target, c)
		must(t, err)
		if o.State != fault.Present || o.Dose != fault.Exercised {
			t.Errorf("noBPF %v: %+v", noBPF, o)
		}
		// The third peer has no route, so no packet of it can be seen.
		if got := o.Achieved[0].Value; got < 2 {
			t.Errorf("noBPF %v: %v peers seen cut off, want 2 at least", noBPF, got)
		}
		must(t, New().Revert(t.Context(), w.target, c))
		o, err = p.Observe(t.Context(), w.target, c)
		must(t, err)
		if o.State != fault.Absent {
			t.Errorf("noBPF %v: after revert %+v", noBPF, o)
		}
	}
}

// The kernel itself heals when the lease runs out, with no process of ours left.
func TestLeaseHeals(t *testing.T) {
	w := newWire(t)
	p := New()
	c, err := p.Prepare(t.Context(), w.target, Params{To: []string{everybody}})
	must(t, err)
	must(t, p.Apply(t.Context(), w.target, c, 0, in(700*time.Millisecond)))
	if reaches(t, w.a, w.b, addrB+":5001", "") {
		t.Fatal("not cut")
	}
	must(t, p.Apply(t.Context(), w.target, c, 0, in(1500*time.Millisecond)))
	time.Sleep(800 * time.Millisecond)
	if reaches(t, w.a, w.b, addrB+":5001", "") {
		t.Error("renewal did not hold")
	}
	time.Sleep(900 * time.Millisecond)
	if !reaches(t, w.a, w.b, addrB+":5001", "") {
		t.Error("the lease ran out and the cut is still there")
	}
	must(t, p.Revert(t.Context(), w.target, c))
}

// The control connection and sshd stay reachable under a cut from everybody.
func TestExempt(t *testing.T) {
	w := newWire(t)
	w.target.Exempt = append(w.target.Exempt, mustAddrPort(addrB+":4222"))
	p := New()
	c := w.inject(t, p, Params{To: []string{"0.0.0.0/0"}})
	defer func() { must(t, p.Revert(t.Context(), w.target, c)) }()
	if !connects(t, w.a, w.b, addrB+":4222") {
		t.Error("the control connection is cut")
	}
	if !connects(t, w.b, w.a, addrA+":22") {
		t.Error("sshd is cut off")
	}
	if connects(t, w.a, w.b, addrB+":4223") {
		t.Error("another port is not cut")
	}
}
