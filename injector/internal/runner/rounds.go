package runner

import (
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
)

// Lead times of the drive, wall time.
const (
	prepareLead = 4 * time.Second        // prepare begins so long before a start
	fireLead    = time.Second            // everything must be armed by then
	fireLimit   = 2 * time.Second        // after a start, for the agents' answers
	powerPause  = 500 * time.Millisecond // a host must be on so long before it is cut again
	observeLag  = 700 * time.Millisecond // after a start, until the meter has seen something
	observeLead = 500 * time.Millisecond // before an end
)

// round is all injections that start at one instant: they are prepared and
// armed together and fired at once.
type round struct {
	start   time.Duration // from T0
	prepare time.Duration // from T0; may be negative
	items   []plan.Injection
}

// ending is all injections that end at one instant.
type ending struct {
	end   time.Duration
	items []plan.Injection
}

// rounds groups a plan's injections by their start, in order.
func rounds(p *plan.Plan) []round {
	var out []round
	for start, items := range group(p.Injections, func(i plan.Injection) time.Duration { return i.Start }) {
		prepare := start - prepareLead
		for _, i := range items {
			if end, ok := lastEnd(p, i); ok {
				prepare = max(prepare, end+powerPause)
			}
		}
		out = append(out, round{start: start, prepare: min(prepare, start-fireLead), items: items})
	}
	slices.SortFunc(out, func(a, b round) int { return int(a.start - b.start) })
	return out
}

// lastEnd is when the last powerloss of i's host before i ends: nothing can be
// prepared on a dark host.
func lastEnd(p *plan.Plan, i plan.Injection) (time.Duration, bool) {
	var last time.Duration
	found := false
	for _, o := range p.Injections {
		if o.Host == i.Host && o.Kind == powerlossKind && o.End <= i.Start && (!found || o.End > last) {
			last, found = o.End, true
		}
	}
	return last, found
}

// endings groups a plan's injections by their end, in order.
func endings(p *plan.Plan) []ending {
	var out []ending
	for end, items := range group(p.Injections, func(i plan.Injection) time.Duration { return i.End }) {
		out = append(out, ending{end: end, items: items})
	}
	slices.SortFunc(out, func(a, b ending) int { return int(a.end - b.end) })
	return out
}

func group[K comparable](items []plan.Injection, key func(plan.Injection) K) map[K][]plan.Injection {
	out := map[K][]plan.Injection{}
	for _, i := range items {
		out[key(i)] = append(out[key(i)], i)
	}
	return out
}
