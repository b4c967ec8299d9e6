package powerloss

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// woke is when the plugin began to prepare its first step.
const woke = "woke"

// applied cuts items through the driver, as Serve does, and returns the phases,
// the first of them woke.
func applied(t testing.TB, items []fault.Item[Change]) []fault.Phase {
	t.Helper()
	var raw []fault.RawItem
	for _, it := range items {
		b, err := json.Marshal(it.Change)
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, fault.RawItem{ID: it.ID, Target: it.Target, Change: b})
	}
	results, err := fault.NewDriver(&Plugin{}).Apply(context.Background(), raw, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Fatalf("cut %s: %v", r.ID, r.Err)
		}
	}
	return append([]fault.Phase{{Name: woke, At: results[0].Woke}}, results[0].Phase...)
}

func at(t testing.TB, phases []fault.Phase, name string) fault.BootTime {
	t.Helper()
	i := slices.IndexFunc(phases, func(p fault.Phase) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no phase %q in %v", name, phases)
	}
	return phases[i].At
}

// A rack goes phase by phase, and each host is off afterwards by the word of the
// kernel and of the canary.
func TestRackGoesTogether(t *testing.T) {
	l := raise(t, 4)
	items := prepared(t, l, "p1", "p2", "p3", "p4")
	phases := applied(t, items)
	order := []string{Began, Dark, Frozen, Shutdown, Dead, Released}
	for i, name := range order[1:] {
		if at(t, phases, name) < at(t, phases, order[i]) {
			t.Errorf("%s is before %s", name, order[i])
		}
	}
	lost := at(t, phases, CanaryLost)
	if lost < at(t, phases, Began)-fault.BootTime(5*time.Millisecond) || lost > at(t, phases, Dead) {
		t.Errorf("the canary was lost at %v, outside the cut: %v", lost, phases)
	}
	t.Logf("effect skew at most %v, dead after %v", at(t, phases, Dark).Sub(at(t, phases, Began)), at(t, phases, Dead).Sub(at(t, phases, Began)))
	for _, it := range items {
		o := observed(t, it)
		if o.State != fault.Present || o.Dose != fault.Exercised {
			t.Errorf("%s: %s, %s (%s)", it.ID, o.State, o.Dose, o.Detail)
		}
	}
	lit(t, items)
	for _, it := range items {
		if err := running(t.Context(), l, it.Target.Host); err != nil {
			t.Errorf("after power-on: %v", err)
		}
		if o := observed(t, it); o.State != fault.Absent {
			t.Errorf("%s after power-on: %s", it.ID, o.State)
		}
	}
}

func observed(t testing.TB, it fault.Item[Change]) fault.Observation {
	t.Helper()
	o, err := (&Plugin{}).Observe(t.Context(), it.Target, it.Change)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Of two hosts only one loses its power, and the other does not notice.
func TestOthersRunOn(t *testing.T) {
	l := raise(t, 2)
	other := statusOf(t, l, "p2")
	items := prepared(t, l, "p1")
	dark(t, items)
	if now := statusOf(t, l, "p2"); !now.On || now.BootID != other.BootID {
		t.Errorf("the other host: %+v", now)
	}
	if err := running(t.Context(), l, "p2"); err != nil {
		t.Error(err)
	}
	lit(t, items)
}
