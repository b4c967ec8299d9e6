package faulttest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// The planted faults: each breaks one promise of the contract.

type forgetful struct{ ttl } // forgets to revert

func (forgetful) Revert(context.Context, fault.Target, ttlChange) error { return nil }

type defaulting struct{ ttl } // reverts to the kernel's default

func (defaulting) Revert(context.Context, fault.Target, ttlChange) error { return writeTTL(ttlDefault) }

type eager struct{ ttl } // changes something in Prepare

func (e eager) Prepare(ctx context.Context, t fault.Target, p ttlParams) (ttlChange, error) {
	c, err := e.ttl.Prepare(ctx, t, p)
	if err != nil {
		return c, err
	}
	return c, writeTTL(p.TTL)
}

type remembering struct { // keeps undo in memory
	ttl
	before *int
}

func (r remembering) Prepare(ctx context.Context, t fault.Target, p ttlParams) (ttlChange, error) {
	c, err := r.ttl.Prepare(ctx, t, p)
	*r.before = c.Before
	return c, err
}

func (r remembering) Revert(ctx context.Context, t fault.Target, c ttlChange) error {
	if *r.before == 0 {
		return nil
	}
	c.Before = *r.before
	return r.ttl.Revert(ctx, t, c)
}

type ruthless struct{ ttl } // overwrites a later owner's value

func (ruthless) Revert(_ context.Context, _ fault.Target, c ttlChange) error {
	return writeTTL(c.Before)
}

type boastful struct{ ttl } // reports asked as achieved

func (b boastful) Observe(ctx context.Context, t fault.Target, c ttlChange) (fault.Observation, error) {
	o, err := b.ttl.Observe(ctx, t, c)
	o.Achieved = hops(c.After)
	return o, err
}

// planted lists, for each, histories that must catch it.
var planted = []struct {
	name   string
	driver fault.Driver
	caught []string
	says   string
}{
	{"forgets to revert", fault.NewDriver[ttlParams, ttlChange](forgetful{ttl{"forgetful"}}), []string{"apply, revert"}, "not left as found"},
	{"reverts to a default", fault.NewDriver[ttlParams, ttlChange](defaulting{ttl{"defaulting"}}), []string{"apply, revert", "revert without apply"}, "not left as found"},
	{"changes something in Prepare", fault.NewDriver[ttlParams, ttlChange](eager{ttl{"eager"}}), []string{"prepare only"}, "not left as found"},
	{"keeps undo in memory", fault.NewDriver[ttlParams, ttlChange](remembering{ttl{"remembering"}, new(int)}), []string{"revert in a new process"}, "not left as found"},
	{"overwrites a later owner's value", fault.NewDriver[ttlParams, ttlChange](ruthless{ttl{"ruthless"}}), []string{"disturbed by another owner"}, "not kept"},
	{"reports asked as achieved", fault.NewDriver[ttlParams, ttlChange](boastful{ttl{"boastful"}}), []string{"disturbed by another owner"}, "meter"},
}

var wellBehaved = fault.NewDriver(ttl{"ttl"})

func TestMain(m *testing.M) {
	drivers := []fault.Driver{wellBehaved}
	for _, p := range planted {
		drivers = append(drivers, p.driver)
	}
	Main(m, drivers...)
}

// TestWellBehavedPluginPasses is the twin of TestPlantedFaultsAreCaught.
func TestWellBehavedPluginPasses(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	s, err := newSuite(t, wellBehaved, ttlCase())
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range histories {
		t.Run(h.name, func(t *testing.T) {
			for _, w := range s.try(h) {
				t.Error(w)
			}
		})
	}
}

func TestPlantedFaultsAreCaught(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	for _, p := range planted {
		t.Run(p.name, func(t *testing.T) {
			s, err := newSuite(t, p.driver, ttlCase())
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range histories {
				if !slices.Contains(p.caught, h.name) {
					continue
				}
				wrong := s.try(h)
				t.Logf("%s: %q", h.name, wrong)
				if !strings.Contains(strings.Join(wrong, "\n"), p.says) {
					t.Errorf("%s did not catch it by %q", h.name, p.says)
				}
			}
		})
	}
}

func TestRefusalIsChecked(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	c := ttlCase()
	c.Params, c.Refused = ttlParams{TTL: 256}, "ttl"
	s, err := newSuite(t, wellBehaved, c)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := s.refused(); len(wrong) > 0 {
		t.Error(wrong)
	}
	s.params = []byte(`{"ttl":1}`) // the twin: nothing to be refused
	if wrong := s.refused(); len(wrong) == 0 {
		t.Error("a missing refusal went unnoticed")
	}
}
