package partition

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/containertest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// A container is started again in the network that it had, as in a pod, while it is
// cut off: the injection says that its target is gone, and takes with it what it
// left there. The new container can talk.
func TestContainerStartedAgainInItsPod(t *testing.T) {
	w := traffictest.New(t)
	spec := containertest.Spec{ID: containertest.ID("b0b0b0b0b0b0"), Role: processtest.Talk, Network: w.PathOfA()}
	first := containertest.Start(t, spec)
	host := fault.Target{}
	before := w.Snapshot(t)
	p := New()
	c, err := p.Prepare(t.Context(), host, Params{sel{To: peer, Scope: containertest.Named(spec.ID)}})
	faulttest.Must(t, err)
	faulttest.Must(t, p.Apply(t.Context(), host, c, 0, 0))
	if err := New().Revert(t.Context(), fault.Target{BootID: "another"}, c); !errors.Is(err, fault.ErrGone) {
		t.Errorf("reverted after a boot: %v", err)
	}
	first.Stop(t)
	second := w.Join(t, containertest.Start(t, spec).Program)
	if o, err := New().Observe(t.Context(), host, c); err != nil || o.State != fault.Present || o.Dose != fault.NotInForce {
		t.Errorf("observed %+v, %v", o, err)
	}
	if err := p.Apply(t.Context(), host, c, 0, 0); !errors.Is(err, fault.ErrGone) {
		t.Errorf("renewed: %v", err)
	}
	for range 2 {
		if err := New().Revert(t.Context(), host, c); !errors.Is(err, fault.ErrGone) {
			t.Errorf("reverted: %v", err)
		}
	}
	if talk := second.Talk(t, false); talk.Out != traffictest.Few || talk.In != traffictest.Few {
		t.Errorf("the new container talks %+v", talk)
	}
	if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
		t.Error(d)
	}
}

// A container is started again in a new network, in which somebody does what we did
// in the old one: nothing of it is touched.
func TestContainerStartedAgain(t *testing.T) {
	first, second := traffictest.New(t), traffictest.New(t)
	id := containertest.ID("b0b0b0b0b0b1")
	run := containertest.Start(t, containertest.Spec{ID: id, Role: processtest.Idle, Network: first.PathOfA()})
	host := fault.Target{}
	p := New()
	c, err := p.Prepare(t.Context(), host, Params{sel{To: peer, Scope: containertest.Named(id)}})
	faulttest.Must(t, err)
	faulttest.Must(t, p.Apply(t.Context(), host, c, 0, 0))
	run.Stop(t)
	faulttest.Must(t, first.A.Close())
	containertest.Start(t, containertest.Spec{ID: id, Role: processtest.Idle, Network: second.PathOfA()})
	before := second.Snapshot(t)
	if err := New().Revert(t.Context(), host, c); !errors.Is(err, fault.ErrGone) {
		t.Errorf("reverted: %v", err)
	}
	if o := faulttest.Observe(t, New(), host, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %+v", o)
	}
	if d := cmp.Diff(before, second.Snapshot(t)); d != "" {
		t.Error(d)
	}
}

// A service whose group came anew is another one: the injection says so, and
// leaves nothing behind.
func TestServiceStartedAgain(t *testing.T) {
	w := traffictest.New(t)
	dir, path := processtest.Group(t)
	before := w.Snapshot(t)
	c := traffictest.Inject(t, w, New(), Params{sel{To: peer, Scope: scope.Scope{Group: path}}})
	faulttest.Must(t, os.Remove(dir))
	faulttest.Must(t, cgroup.Create(dir))
	if o := traffictest.Observe(t, w, New(), c); o.State != fault.Present || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	if err := New().Revert(t.Context(), w.Target, c); !errors.Is(err, fault.ErrGone) {
		t.Errorf("reverted: %v", err)
	}
	if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
		t.Error(d)
	}
}

// Whose processes the kernel can't tell by cgroup v2 is unsupported, and what is
// not there is refused.
func TestServiceOfV1(t *testing.T) {
	w := traffictest.New(t)
	if grouptest.Mounted("freezer") && !grouptest.OnV2("freezer") {
		dir, path := grouptest.New(t, "freezer")
		processtest.Start(t, "notes", processtest.Idle, dir)
		if _, err := New().Prepare(t.Context(), w.Target, Params{sel{To: peer, Scope: scope.Scope{Group: path}}}); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("a group of v1 alone: %v", err)
		}
	}
	for field, s := range map[string]scope.Scope{
		"service":   {Service: "nobody"},
		"group":     {Group: "/"},
		"container": containertest.Named("0123456789ab"),
		"group ":    {Service: "notes", Group: "/svc/notes"},
	} {
		faulttest.PrepareRefused(t, New(), w.Target, Params{sel{To: peer, Scope: s}}, strings.TrimSpace(field))
	}
}
