package fault

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/plugins/internal/faultpb"
)

var (
	everyTarget = Target{
		Host: "h1", BootID: "b", NetNS: NetNS{Path: "/n", Inode: 7}, Cgroups: []Cgroup{{Path: "/c", Inode: 8}}, Mounts: []string{"/m"},
		Power: "/p", StateDir: "/s", Exempt: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:4222"), netip.MustParseAddrPort("[2001:db8::1]:22")},
		ExemptNames: []string{"nats.example"},
	}
	everyObservation = Observation{
		State: Present, Dose: Exercised, Asked: []Measure{{"rate", 3, "1/s"}}, Achieved: []Measure{{"rate", 2, "1/s"}}, Detail: "d", Called: "c",
	}
	everyApplied = Applied{
		ID: "i", At: 1, Woke: 2, Done: 3, Timer: "fifo", Phase: []Phase{{"dark", 4}}, Err: &Error{CodeRefused, "ports", "no"},
	}
)

// No field is forgotten on the wire: each is set here, and comes back.
func TestEveryFieldCrossesTheWire(t *testing.T) {
	for _, c := range []struct{ sent, got any }{
		{everyTarget, targetOf(targetPB(everyTarget))},
		{everyObservation, observationOf(observationPB(everyObservation, nil))},
		{everyApplied, appliedOf(appliedPB([]Applied{everyApplied}))[0]},
		{RawItem{"i", everyTarget, []byte("{}")}, itemsOf(itemsPB([]RawItem{{"i", everyTarget, []byte("{}")}}))[0]},
	} {
		v := reflect.ValueOf(c.sent)
		for n := range v.NumField() {
			if v.Field(n).IsZero() {
				t.Errorf("%T: this test does not set %s", c.sent, v.Type().Field(n).Name)
			}
		}
		if diff := cmp.Diff(c.sent, c.got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("%T: %s", c.sent, diff)
		}
	}
}

// An exemption that cannot be read is not left out in silence.
func TestUnreadableExemptionIsRefused(t *testing.T) {
	s := &server{driver: NewDriver(&probe{}), live: newLive()}
	for peer, refused := range map[string]bool{"192.0.2.1:4222": false, "broker:4222": true} {
		r, err := s.Prepare(t.Context(), &faultpb.PrepareRequest{Target: &faultpb.Target{Exempt: []string{peer}}, Params: []byte(`{"ports":[1]}`)})
		if err != nil {
			t.Fatal(err)
		}
		var refusal *RefusedError
		if got := r.GetError() != nil && errors.As(errorOf(r.GetError()), &refusal); got != refused {
			t.Errorf("%s: refused is %v, want %v (%v)", peer, got, refused, r.GetError())
		}
	}
}
