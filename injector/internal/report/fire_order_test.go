package report_test

import (
	"os"
	"slices"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// returns is the order in which services come back in as-it-was: 10 s of wall
// time or more lie between the runbook steps of one group and of the next.
var returns = [][]string{{"text"}, {"taxi", "login", "pay"}, {"media"}, {"mail"}, {"channel"}}

// What the committed run says of order and gates: in as-it-was every outage
// waited for power or people, and the services came back group by group; in
// stretched text, login, pay and taxi waited for nothing.
func TestCommittedRunHasOrderAndGates(t *testing.T) {
	b, err := os.ReadFile("../../../docs/results/datacenter-fire.json")
	if err != nil {
		t.Fatal(err)
	}
	run, err := report.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, l := range run.Layouts {
		switch l.Name {
		case "as-it-was":
			checked++
			for _, p := range l.Probes {
				gates(t, l.Name, p, "power", "runbook")
			}
			order(t, l)
		case "stretched":
			checked++
			for _, p := range l.Probes {
				if slices.Contains([]string{"text", "login", "pay", "taxi"}, p.Name) {
					gates(t, l.Name, p, "none")
				}
			}
		}
	}
	if checked != 2 {
		t.Errorf("the committed run has %d of the layouts as-it-was and stretched", checked)
	}
}

func gates(t *testing.T, layout string, p report.Probe, allowed ...string) {
	t.Helper()
	for _, o := range p.Outages {
		if !slices.Contains(allowed, o.Gate) {
			t.Errorf("%s: an outage of %s from %s waited for %s, want %v", layout, p.Name, o.From, o.Gate, allowed)
		}
	}
}

// order compares the ends of the longest outages of the services that the run probed.
func order(t *testing.T, l report.Layout) {
	t.Helper()
	before, last := "", 0.0
	for _, group := range returns {
		slowest, end := before, last
		for _, p := range l.Probes {
			if !slices.Contains(group, p.Name) {
				continue
			}
			back, ok := backAt(p)
			if !ok {
				t.Errorf("%s: %s had no outage, or never came back", l.Name, p.Name)
				continue
			}
			if back <= last {
				t.Errorf("%s: %s came back at %.1f s, before %s at %.1f s", l.Name, p.Name, back, before, last)
			}
			if back > end {
				slowest, end = p.Name, back
			}
		}
		before, last = slowest, end
	}
}

// backAt is the wall time at which the longest outage ended; false: there was
// none, or it did not end.
func backAt(p report.Probe) (at float64, ok bool) {
	longest := 0.0
	for _, o := range p.Outages {
		if o.ToWallS == nil {
			return 0, false
		}
		if length := *o.ToWallS - o.FromWallS; length > longest {
			longest, at, ok = length, *o.ToWallS, true
		}
	}
	return at, ok
}
