package traffictest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// OneService checks that a fault acts upon the packets of one control group and
// those below it, and upon nobody else's: hit says whether a talk shows the fault.
// make makes the plugin, or its twin without effect; params says what is asked of
// it for the group.
func OneService[P, C any](t *testing.T, make func(inert bool) fault.Plugin[P, C], params func(scope.Scope) P, hit func(Talk) bool) {
	w := New(t)
	dir, path := processtest.Group(t)
	service, other := w.Talker(t, dir), w.Talker(t)
	families := map[string]bool{"IPv4": false, "IPv6": true}
	check := func(when string, want bool) {
		t.Helper()
		for family, six := range families {
			if talk := service.Talk(t, six); hit(talk) != want {
				t.Errorf("%s, %s: of the service %+v", when, family, talk)
			}
			if talk := other.Talk(t, six); hit(talk) {
				t.Errorf("%s, %s: of another service %+v", when, family, talk)
			}
		}
	}
	before := w.Snapshot(t)
	check("before", false)
	twin := make(true)
	c := Inject(t, w, twin, params(scope.Scope{Group: path}))
	check("without effect", false)
	Revert(t, w, make(false), c)
	p := make(false)
	c = Inject(t, w, p, params(scope.Scope{Group: path}))
	if o := Observe(t, w, make(false), c); o.State != fault.Present || o.Dose != fault.InForce {
		t.Errorf("before the service said anything: observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	check("injected", true)
	o := Observe(t, w, make(false), c)
	if o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	t.Log(o.Detail)
	Revert(t, w, make(false), c)
	check("after", false)
	if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
		t.Error(d)
	}
}
