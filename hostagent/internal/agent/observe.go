package agent

import (
	"context"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// observeTimeout bounds one reading of the host.
const observeTimeout = 5 * time.Second

func (a *Agent) observe(ctx context.Context, _ control.Command, r control.InjectionsRequest) (control.ObserveReply, error) {
	reply := control.ObserveReply{Observed: make([]control.Observed, len(r.IDs))}
	var wg sync.WaitGroup
	for n, id := range r.IDs {
		wg.Go(func() { reply.Observed[n] = a.observeOne(ctx, id) })
	}
	wg.Wait()
	return reply, nil
}

// observeOne reads from the kernel through a plugin process or, if that is gone
// or the injection has ended, inside this process.
func (a *Agent) observeOne(ctx context.Context, id fault.InjectionID) control.Observed {
	rec, ok := a.journal.Find(id)
	if !ok || rec.Target == nil {
		return control.Observed{ID: id, Error: fault.AsError(refusal("injection %s is unknown to this agent", id))}
	}
	o := control.Observed{ID: id, Phase: string(rec.Phase), Applied: rec.Applied, Error: rec.Error}
	var d fault.Driver
	a.mu.Lock()
	if inj := a.live[id]; inj != nil {
		if inj.applied != nil {
			o.Applied = inj.applied
		}
		if inj.failure != nil {
			o.Error = inj.failure
		}
		if running(inj.plugin) {
			d = inj.plugin
		}
	}
	a.mu.Unlock()
	if len(rec.Change) == 0 {
		return o // ended long ago: its record was dropped with the need for it
	}
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	if d == nil {
		own, stop, err := guardian.DriverOf(ctx, a.cfg.Drivers, a.starter(), rec)
		if err != nil {
			return o
		}
		defer stop()
		d = own
	}
	seen, err := d.Observe(ctx, *rec.Target, rec.Change)
	o.Observation = seen
	if err != nil && rec.Phase.Live() {
		o.Error = fault.AsError(err)
	}
	return o
}
