package partition

import (
	"context"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// Observe reads table and counters back from the kernel, after having sent a
// canary to each peer: a packet that must show up in the drop counter.
func (p *Partition) Observe(_ context.Context, t fault.Target, c Change) (fault.Observation, error) {
	s, err := traffic.Reopen(t, c.Change)
	if err != nil {
		return fault.Observation{}, err
	}
	defer s.Close()
	if c.Way == WayRoutes {
		return observeRoutes(s, c)
	}
	r, err := p.ObserveIn(s, c.Change, 1)
	return fault.Observation{
		State: r.State(), Dose: r.Dose(), Detail: r.Detail("cut"),
		Asked: []fault.Measure{{Name: "peers cut off", Value: float64(len(c.Rule.To)), Unit: "prefixes"}},
		Achieved: []fault.Measure{
			{Name: "peers seen cut off", Value: float64(r.Peers), Unit: "prefixes"},
			{Name: "packets cut", Value: float64(r.Acted), Unit: "packets"},
			{Name: "canaries cut", Value: float64(r.Canaries), Unit: "packets"},
		},
	}, err
}
