package partition

import (
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// peer is the other end, in both families.
var peer = []string{traffictest.AddrB, traffictest.AddrB6}

var scoped = traffictest.Scoped[Params, Change]{
	New: func(inert bool) fault.Plugin[Params, Change] {
		return &Partition{Injector: traffic.Injector{Inert: inert}}
	},
	Params: func(s scope.Scope) Params { return Params{sel{To: peer, Scope: s}} },
	Hit: func(talk traffictest.Talk) bool {
		return talk.Out == 0 && talk.In == 0 && !talk.DialOut && !talk.DialIn
	},
}

// One service is cut off, either way; another is not.
func TestOneService(t *testing.T) { scoped.OneService(t) }

// A container that has a network of its own is hit in it.
func TestOneContainer(t *testing.T) { scoped.OneContainer(t) }

// Each row is what still passes of a service under a rule.
func TestDirectionsOfOneService(t *testing.T) {
	w := traffictest.New(t)
	dir, path := processtest.Group(t)
	service := w.Talker(t, dir)
	for direction, passes := range map[string]struct{ out, in int }{"out": {0, traffictest.Few}, "in": {traffictest.Few, 0}} {
		for _, six := range []bool{false, true} {
			p := New()
			c := traffictest.Inject(t, w, p, Params{sel{To: peer, Direction: direction, Scope: scope.Scope{Group: path}}})
			talk := service.Talk(t, six)
			if talk.Out != passes.out || talk.In != passes.in || talk.DialOut || talk.DialIn {
				t.Errorf("direction %s, IPv6 %v: %+v", direction, six, talk)
			}
			traffictest.Revert(t, w, p, c)
		}
	}
}

// What a service opens after the fault began is known from the next renewal on.
func TestPortsOpenedLater(t *testing.T) {
	w := traffictest.New(t)
	dir, path := processtest.Group(t)
	service := w.Talker(t, dir)
	p := New()
	c := traffictest.Inject(t, w, p, Params{sel{To: peer, Direction: "in", Scope: scope.Scope{Group: path}}})
	service.Open(t)
	faulttest.Must(t, p.Apply(t.Context(), w.Target, c, 0, traffictest.In(time.Minute)))
	if talk := service.Talk(t, false); talk.In != 0 {
		t.Errorf("after the renewal %d datagrams reach the new port", talk.In)
	}
	traffictest.Revert(t, w, p, c)
}
