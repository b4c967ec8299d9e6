package faulttest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/conformance"
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

type dependent struct { // Apply wants what Prepare noted in memory
	ttl
	prepared *bool
}

func (d dependent) Prepare(ctx context.Context, t fault.Target, p ttlParams) (ttlChange, error) {
	*d.prepared = true
	return d.ttl.Prepare(ctx, t, p)
}

func (d dependent) Apply(ctx context.Context, t fault.Target, c ttlChange, at, until fault.BootTime) error {
	if !*d.prepared {
		return errors.New("prepare first")
	}
	return d.ttl.Apply(ctx, t, c, at, until)
}

// ttlHalf is where halfway is in the middle of Apply.
const ttlHalf = 21

type halfway struct{ ttl } // knows nothing of the half that a crash leaves

func (h halfway) Apply(ctx context.Context, t fault.Target, c ttlChange, at, until fault.BootTime) error {
	if now, err := readTTL(); err != nil || now == c.After {
		return err
	}
	if err := writeTTL(ttlHalf); err != nil {
		return err
	}
	time.Sleep(10 * time.Millisecond)
	return writeTTL(c.After)
}

func (h halfway) Revert(ctx context.Context, t fault.Target, c ttlChange) error {
	if now, err := readTTL(); err != nil || now != c.After {
		return err
	}
	return writeTTL(c.Before)
}

type late struct{ fault.Driver } // applies after its end too

func (l late) Apply(ctx context.Context, items []fault.RawItem, at, _ fault.BootTime) ([]fault.Applied, error) {
	return l.Driver.Apply(ctx, items, at, 0)
}

type weak struct{ ttl } // another dose than asked, honestly observed

func (w weak) Prepare(ctx context.Context, t fault.Target, p ttlParams) (ttlChange, error) {
	c, err := w.ttl.Prepare(ctx, t, p)
	c.After += 10
	return c, err
}

type idle struct{ ttl } // does nothing and says that it did

func (idle) Apply(context.Context, fault.Target, ttlChange, fault.BootTime, fault.BootTime) error {
	return nil
}

func (idle) Observe(_ context.Context, _ fault.Target, c ttlChange) (fault.Observation, error) {
	return fault.Observation{State: fault.Present, Dose: fault.Exercised, Asked: hops(c.After), Achieved: hops(c.After)}, nil
}

type gullible struct{ fault.Driver } // takes any parameter

func (g gullible) Prepare(ctx context.Context, t fault.Target, params json.RawMessage) (json.RawMessage, error) {
	c, err := g.Driver.Prepare(ctx, t, params)
	if err != nil {
		return g.Driver.Prepare(ctx, t, json.RawMessage(`{"ttl":9}`))
	}
	return c, nil
}

type fragile struct{ fault.Driver } // falls over what it did not expect

func (f fragile) Prepare(ctx context.Context, t fault.Target, params json.RawMessage) (json.RawMessage, error) {
	c, err := f.Driver.Prepare(ctx, t, params)
	if err != nil {
		panic(err)
	}
	return c, nil
}

type widow struct { // reverts only for the agent that started it
	ttl
	parent int
}

func (w widow) Revert(ctx context.Context, t fault.Target, c ttlChange) error {
	if os.Getppid() != w.parent {
		return nil
	}
	return w.ttl.Revert(ctx, t, c)
}

// planted lists, for each, histories that must catch it.
var planted = []struct {
	name   string
	driver fault.Driver
	caught []string
	says   string
}{
	{"forgets to revert", driver(forgetful{ttl{"forgetful"}}), []string{"apply, revert"}, "not left as found"},
	{"reverts to a default", driver(defaulting{ttl{"defaulting"}}), []string{"apply, revert", "revert without apply"}, "not left as found"},
	{"changes something in Prepare", driver(eager{ttl{"eager"}}), []string{"prepare only"}, "not left as found"},
	{"keeps undo in memory", driver(remembering{ttl{"remembering"}, new(int)}), []string{"revert in a new process"}, "not left as found"},
	{"keeps in memory what Apply needs", driver(dependent{ttl{"dependent"}, new(bool)}), []string{"killed between all calls"}, "prepare first"},
	{"forgets the half that is there", driver(halfway{ttl{"halfway"}}), []string{"killed during apply"}, "not left as found"},
	{"starts after its end", late{driver(ttl{"late"})}, []string{"stopped over its end"}, "after the end"},
	{"waits for its agent to revert", driver(widow{ttl{"widow"}, os.Getppid()}), []string{"hard end passed with the agent gone"}, "nobody ended the fault"},
	{"overwrites a later owner's value", driver(ruthless{ttl{"ruthless"}}), []string{"disturbed by another owner"}, "not kept"},
	{"reports asked as achieved", driver(boastful{ttl{"boastful"}}), []string{"disturbed by another owner"}, "meter"},
	{"does nothing and says present", driver(idle{ttl{"idle"}}), []string{"apply, revert"}, "meter"},
	{"gives another dose", driver(weak{ttl{"weak"}}), []string{"apply, revert"}, "dose is wrong"},
	{"takes any parameter", gullible{driver(ttl{"gullible"})}, []string{"hostile parameters"}, "accepted"},
	{"dies of a parameter", fragile{driver(ttl{"fragile"})}, []string{"hostile parameters"}, "did not answer"},
}

func driver(p fault.Plugin[ttlParams, ttlChange]) fault.Driver { return fault.NewDriver(p) }

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
	runAll(t, newSuite(t, wellBehaved, ttlCase()))
}

func TestPlantedFaultsAreCaught(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	for _, p := range planted {
		t.Run(p.name, func(t *testing.T) {
			c := ttlCase()
			c.Patience = 500 * time.Millisecond // what is wrong here does not get right
			s := newSuite(t, p.driver, c)
			for _, h := range conformance.Histories() {
				if !slices.Contains(p.caught, h.Name) {
					continue
				}
				wrong := s.Try(t.Context(), h)
				t.Logf("%s: %q", h.Name, wrong)
				if !strings.Contains(strings.Join(wrong, "\n"), p.says) {
					t.Errorf("%s did not catch it by %q", h.Name, p.says)
				}
			}
		})
	}
}

func TestRefusalIsChecked(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	c := ttlCase()
	c.Params = ttlParams{TTL: 256}
	s := newSuite(t, wellBehaved, c)
	if wrong := s.Refused(t.Context(), "ttl", nil); len(wrong) > 0 {
		t.Error(wrong)
	}
	// The twin: nothing to be refused.
	if wrong := s.Refused(t.Context(), "ttl", []byte(`{"ttl":1}`)); len(wrong) == 0 {
		t.Error("a missing refusal went unnoticed")
	}
}
