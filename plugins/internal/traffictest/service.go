package traffictest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/containertest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Scoped is a fault of which is asked that it acts upon one service or container.
type Scoped[P, C any] struct {
	// New makes the plugin, or its twin without effect.
	New func(inert bool) fault.Plugin[P, C]
	// Params is what is asked of it.
	Params func(scope.Scope) P
	// Hit says whether a talk shows the fault.
	Hit func(Talk) bool
}

// OneService checks that the fault hits a service, in a control group below the one
// that is named, and no other service of the host.
func (s Scoped[P, C]) OneService(t *testing.T) {
	w := New(t)
	dir, path := processtest.Group(t)
	faulttest.Must(t, cgroup.Create(dir+"/below"))
	s.check(t, w, scope.Scope{Group: path}, w.Talker(t, dir+"/below"), w.Talker(t))
}

// OneContainer checks that the fault hits a container that has a network of its own.
func (s Scoped[P, C]) OneContainer(t *testing.T) {
	w := New(t)
	c := containertest.Start(t, containertest.Spec{ID: containertest.ID("0a1b2c3d4e5f"), Role: processtest.Talk, Network: w.PathOfA()})
	w.Target = fault.Target{} // the host's own network is another one
	s.check(t, w, containertest.Named("0a1b2c3d4e5f"), w.Join(t, c.Program))
}

// OneOfTheHost checks that the fault hits a container that has the host's network,
// and nobody else on the host.
func (s Scoped[P, C]) OneOfTheHost(t *testing.T) {
	w := New(t)
	c := containertest.Start(t, containertest.Spec{ID: containertest.ID("5f4e3d2c1b0a"), Role: processtest.Talk, Network: w.PathOfA()})
	s.check(t, w, containertest.Named("5f4e3d2c1b0a"), w.Join(t, c.Program), w.Talker(t))
}

// check tries it before, without effect, with it, and after, over both families.
func (s Scoped[P, C]) check(t *testing.T, w *Wire, named scope.Scope, service *Talker, others ...*Talker) {
	t.Helper()
	talk := func(when string, want bool) {
		t.Helper()
		for family, six := range map[string]bool{"IPv4": false, "IPv6": true} {
			if talk := service.Talk(t, six); s.Hit(talk) != want {
				t.Errorf("%s, %s: it talks %+v", when, family, talk)
			}
			for _, other := range others {
				if talk := other.Talk(t, six); s.Hit(talk) {
					t.Errorf("%s, %s: another talks %+v", when, family, talk)
				}
			}
		}
	}
	before := w.Snapshot(t)
	twin := s.New(true)
	c := Inject(t, w, twin, s.Params(named))
	talk("without effect", false)
	Revert(t, w, s.New(false), c)
	p := s.New(false)
	c = Inject(t, w, p, s.Params(named))
	talk("injected", true)
	o := Observe(t, w, s.New(false), c)
	if o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	t.Log(o.Detail)
	Revert(t, w, s.New(false), c)
	talk("after", false)
	if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
		t.Error(d)
	}
}
