package plan

import (
	"slices"
	"testing"
)

// A powerloss in which the host runs on is carried by the agent inside the host,
// which it does not cut off, and other faults may begin meanwhile.
func TestModeInWhichTheHostStays(t *testing.T) {
	p, err := build(t, `stages:
- {stage: cut, at: T+3m, faults: [{powerloss: {mode: workload}, on: {hosts: p1}, until: T+9m}]}
- {stage: parted, at: T+4m, faults: [{partition: {to: ["10.0.0.1"]}, on: {hosts: p1}, until: T+8m}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(p.Injections, func(i Injection) bool { return i.Kind == powerloss })
	if got := p.Injections[i]; got.OutOfBand || !got.HostStays {
		t.Errorf("out of band %v, host stays %v", got.OutOfBand, got.HostStays)
	}
	if cut := p.Stages[0].CutsControl; len(cut) > 0 {
		t.Errorf("it cuts off the agents of %v", cut)
	}
}

// A second cut during recovery is a second stage.
func TestSecondCut(t *testing.T) {
	wantTimeline(t, `stages:
- {stage: cut, at: T+3m, faults: [{powerloss: {}, on: {power: [ups-a1, ups-a2]}, until: T+5m}]}
- {stage: again, at: T+6m, faults: [{powerloss: {}, on: {power: [ups-a1, ups-a2]}, until: T+9m}]}
`, `
cut/powerloss/p1 T+3m-T+5m
cut/powerloss/p2 T+3m-T+5m
again/powerloss/p1 T+6m-T+9m
again/powerloss/p2 T+6m-T+9m
`)
}
