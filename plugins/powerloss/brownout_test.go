package powerloss

import (
	"errors"
	"slices"
	"testing"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystemtest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// dips is a brown-out, and what is to be seen of it: whether network and processes
// go on, at each dip and just before the cut.
var dips = &BrownoutParams{Flaps: 2, For: "30ms"}

var wantDips = []bool{false, false, true}

// watched is a plugin that notes at each dip, and just before the cut, whether the
// host goes on.
func watched(goesOn func() bool) (p *Plugin, seen *[]bool) {
	seen = new([]bool)
	return &Plugin{passed: func(phase string) {
		if phase == Flapped || phase == Began {
			*seen = append(*seen, goesOn())
		}
	}}, seen
}

// A host of the lab stops at each dip and goes on after it; the power goes last. The
// twin has no brown-out and stops for the cut alone.
func TestBrownoutOfHost(t *testing.T) {
	l := raise(t, 1)
	for _, c := range []struct {
		brownout *BrownoutParams
		want     []bool
	}{{dips, wantDips}, {nil, []bool{true}}} {
		change, err := (&Plugin{}).Prepare(t.Context(), targetOf(l, "p1"), Params{Brownout: c.brownout})
		if err != nil {
			t.Fatal(err)
		}
		p, seen := watched(func() bool {
			answered, err := answers(change.Host)
			text, err2 := cgroup.Read(change.Host.Cgroup, "cgroup.freeze")
			if err := errors.Join(err, err2); err != nil {
				t.Error(err)
			}
			return answered && text == "0"
		})
		it := fault.Item[Change]{ID: "p1", Target: targetOf(l, "p1"), Change: change}
		if err := p.Apply(t.Context(), it.Target, it.Change, 0, 0); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(*seen, c.want) {
			t.Errorf("goes on: %v, want %v", *seen, c.want)
		}
		if o := observed(t, it); o.State != fault.Present || o.Dose != fault.Exercised {
			t.Errorf("%s, %s: %s", o.State, o.Dose, o.Detail)
		}
		lit(t, []fault.Item[Change]{it})
	}
}

// Services of a real host do the same.
func TestBrownoutOfWorkload(t *testing.T) {
	if !filesystemtest.OwnMounts(t) {
		return
	}
	h := newRealHost(t)
	before := h.found()
	_, writer := h.run("write", h.data)
	readLine(t, writer)
	params := h.params()
	params.Brownout = dips
	it := h.prepare(params)
	p, seen := watched(func() bool {
		text, err := cgroup.Read(h.group, "cgroup.freeze")
		h.must(err)
		return text == "0" && traffictest.Reaches(t, h.wire.A, h.wire.B, traffictest.AddrB+":5001", "")
	})
	h.must(p.Apply(t.Context(), it.Target, it.Change, 0, 0))
	if !slices.Equal(*seen, wantDips) {
		t.Errorf("goes on: %v, want %v", *seen, wantDips)
	}
	if o := observed(t, it); o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("%s, %s: %s", o.State, o.Dose, o.Detail)
	}
	h.powerOn(it)
	h.same(before)
}
