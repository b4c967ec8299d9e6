package kill

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/containertest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// A container is killed by the beginning of its id; the record has the whole. One
// that is started again under the same id is left alone, as is any other.
func TestKillsContainer(t *testing.T) {
	spec := containertest.Spec{ID: containertest.ID("deadbeef0001"), Role: processtest.Idle}
	run := containertest.Start(t, spec)
	other := containertest.Start(t, containertest.Spec{ID: containertest.ID("deadbeef0002"), Role: processtest.Idle})
	k := New()
	c := inject(t, k, Params{Selection: scope.Selection{Scope: containertest.Named(spec.ID[:12])}})
	if c.Selection.Container != spec.ID {
		t.Errorf("the record has %q", c.Selection.Container)
	}
	if o := settled(t, k, c); o.State != fault.Present || o.Dose != fault.Exercised || o.Achieved[0].Value != 1 {
		t.Errorf("observed %+v", o)
	}
	run.Stop(t)
	again := containertest.Start(t, spec)
	faulttest.Must(t, k.Revert(t.Context(), fault.Target{}, c))
	for _, lives := range []*containertest.Container{again, other} {
		if !lives.Alive() {
			t.Errorf("container %s was killed", lives.ID)
		}
	}
}
