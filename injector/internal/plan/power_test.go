package plan

import "testing"

// A host is dark as long as all its feeds are, and one injection covers a span.
func TestCutOfSources(t *testing.T) {
	wantTimeline(t, `stages: [{stage: zones, at: T+3m, faults: [{powerloss: {}, on: {power: [ups-a1, ups-a2]}, until: T+500m}]}]`, `
zones/powerloss/p1 T+3m-T+500m
zones/powerloss/p2 T+3m-T+500m
`)
}

// Hosts of the zones that went first stay dark when the building comes back:
// their own feed is dead for longer.
func TestWiderCutWithRestores(t *testing.T) {
	wantTimeline(t, `stages:
- {stage: zones, at: T+3m, faults: [{powerloss: {}, on: {power: [ups-a1, ups-a2]}, until: T+900m}]}
- stage: building
  at: T+93m
  faults: [{powerloss: {}, on: {site: pangyo}, restore: [{at: T+600m, hosts: [p4]}, {at: T+700m, share: 100%}]}]
`, `
zones/powerloss/p1 T+3m-T+900m (building, restore at T+700m)
zones/powerloss/p2 T+3m-T+900m (building, restore at T+700m)
building/powerloss/p3 T+93m-T+700m (building, restore at T+700m)
building/powerloss/p4 T+93m-T+600m (building, restore at T+600m)
`)
}

// A share counts hosts that were restored by name, is rounded half up, and
// takes no host whose feeds are dead.
func TestShareCountsNamedHosts(t *testing.T) {
	wantTimeline(t, `stages:
- {stage: zones, at: T+3m, faults: [{powerloss: {}, on: {power: [ups-a1, ups-a2]}}]}
- stage: building
  at: T+93m
  faults: [{powerloss: {}, on: {site: pangyo}, restore: [{at: T+600m, hosts: [tools]}, {at: T+700m, share: 37.5%}, {at: T+800m, share: 75%}]}]
`, `
zones/powerloss/p1 T+3m-T+1000m
zones/powerloss/p2 T+3m-T+1000m
building/powerloss/p3 T+93m-T+600m (building, restore at T+600m)
building/powerloss/p4 T+93m-T+600m (building, restore at T+600m)
`)
}

// A host with two feeds goes dark with the second one.
func TestRedundantFeeds(t *testing.T) {
	wantTimeline(t, `stages:
- {stage: first, at: T+3m, faults: [{powerloss: {}, on: {power: anyang-ups}, until: T+50m}]}
- {stage: second, at: T+20m, faults: [{powerloss: {}, on: {power: anyang-spare}, until: T+60m}]}
`, `
first/powerloss/a1 T+3m-T+50m
first/powerloss/a2 T+3m-T+50m
second/powerloss/a3 T+20m-T+50m
`)
}

// Cuts that touch or overlap on one host are one dark span, never a conflict.
func TestOverlappingCutsFold(t *testing.T) {
	wantTimeline(t, `stages:
- {stage: one, at: T+3m, faults: [{powerloss: {}, on: {hosts: c1}, until: T+50m}]}
- {stage: two, at: T+50m, faults: [{powerloss: {}, on: {rack: c-1}, until: T+60m}]}
- {stage: three, at: T+70m, faults: [{powerloss: {}, on: {hosts: c1}, for: 5s}]}
`, `
one/powerloss/c1 T+3m-T+60m
two/powerloss/c2 T+50m-T+60m
three/powerloss/c1 T+70m-T+85m
`)
}

// A dark switch cuts off the hosts behind it that have power from elsewhere,
// and no longer than they have it.
func TestDarkSwitchIsPartition(t *testing.T) {
	wantTimeline(t, `stages:
- {stage: switch, at: T+3m, faults: [{powerloss: {}, on: {power: gasan-feed}, until: T+50m}]}
- {stage: host, at: T+20m, faults: [{powerloss: {}, on: {hosts: g1}, until: T+40m}]}
`, `
switch/partition/g1 T+3m-T+20m
switch/partition/g2 T+3m-T+50m
switch/powerloss/g3 T+3m-T+50m
host/powerloss/g1 T+20m-T+40m
switch/partition/g1#2 T+40m-T+50m
`)
}

// Two cuts that are both restored do not wait for each other.
func TestTwoRestoredCuts(t *testing.T) {
	wantTimeline(t, `stages:
- {stage: one, at: T+3m, faults: [{powerloss: {}, on: {site: chuncheon}, restore: [{at: T+50m, share: 100%}]}]}
- {stage: two, at: T+10m, faults: [{powerloss: {}, on: {site: chuncheon}, restore: [{at: T+40m, share: 50%}, {at: T+60m, share: 100%}]}]}
`, `
one/powerloss/c1 T+3m-T+60m (two, restore at T+60m)
one/powerloss/c2 T+3m-T+50m (one, restore at T+50m)
`)
}
