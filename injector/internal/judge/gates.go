package judge

import (
	"slices"
	"strings"
	"time"
)

// together is how close in wall time events must be to the first of them to
// count as one: hosts of one stage do not come up in the same instant.
const together = 2 * time.Second

// cluster is events that count as one, at the instant of the first.
type cluster struct {
	at     time.Duration
	events []Gate
}

// gate finds what an outage had to wait for: the last cluster of events after
// from and not after to. Only those count that counts says yes to.
func gate(gates []Gate, counts func(Gate) bool, from, to time.Duration) (cluster, bool) {
	var within []Gate
	for _, g := range gates {
		if g.Wall <= from || g.Wall > to || !counts(g) {
			continue
		}
		within = append(within, g)
	}
	slices.SortStableFunc(within, func(a, b Gate) int { return int(a.Wall - b.Wall) })
	var last cluster
	for _, g := range within {
		if len(last.events) == 0 || g.Wall-last.at > together {
			last = cluster{at: g.Wall}
		}
		last.events = append(last.events, g)
	}
	return last, len(last.events) > 0
}

// kind is that of the cluster's last event, the one nearest to the recovery.
func (c cluster) kind() GateKind {
	if len(c.events) == 0 {
		return NoGate
	}
	return c.events[len(c.events)-1].Kind
}

// detail names all events of the cluster.
func (c cluster) detail() string {
	var hosts, steps []string
	for _, g := range c.events {
		if g.Kind == Power {
			hosts = append(hosts, g.Name)
		} else {
			steps = append(steps, g.Name)
		}
	}
	var parts []string
	if len(hosts) > 0 {
		slices.Sort(hosts)
		parts = append(parts, "power back at "+strings.Join(slices.Compact(hosts), ", "))
	}
	if len(steps) > 0 {
		parts = append(parts, "step "+strings.Join(steps, ", "))
	}
	return strings.Join(parts, " and ")
}
