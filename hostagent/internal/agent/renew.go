package agent

import (
	"context"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// renewTimeout bounds the Apply that carries a renewal to plugin and kernel.
const renewTimeout = 10 * time.Second

func (a *Agent) renew(ctx context.Context, _ control.Command, r control.RenewRequest) (control.Ack, error) {
	var ack control.Ack
	for _, id := range r.IDs {
		err := a.renewOne(ctx, id, r.Lease)
		ack.Results = append(ack.Results, control.Result{ID: id, Error: fault.AsError(err)})
	}
	return ack, nil
}

func (a *Agent) renewOne(ctx context.Context, id fault.InjectionID, lease time.Duration) error {
	a.mu.Lock()
	inj := a.live[id]
	if inj == nil {
		a.mu.Unlock()
		return refusal("injection %s is not live", id)
	}
	if inj.step == prepared || inj.step == armed {
		a.mu.Unlock()
		return refusal("injection %s was not fired; its lease begins at its start", id)
	}
	now := fault.Now()
	if inj.step == ending || inj.leaseEnd <= now || inj.end <= now {
		a.mu.Unlock()
		return refusal("the lease of injection %s has run out, which is final", id)
	}
	if lease > 0 {
		inj.lease = lease
	}
	// Before its start it already reaches further than a renewal would.
	inj.leaseEnd = max(inj.leaseEnd, now.Add(inj.reach()))
	until, reach := inj.until(), inj.step == inside && inj.holdsLease()
	a.mu.Unlock()
	if !reach {
		return nil
	}
	return a.extend(ctx, inj, until)
}

// extend carries a renewal to the plugin and the kernel.
func (a *Agent) extend(ctx context.Context, inj *injection, until fault.BootTime) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	select {
	case inj.op <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-inj.op }()
	a.mu.Lock()
	still := inj.step == inside
	a.mu.Unlock()
	if !still {
		return refusal("injection %s is being reverted", inj.ID)
	}
	applied, err := inj.plugin.Apply(ctx, []fault.RawItem{inj.item()}, 0, until)
	if err == nil && len(applied) == 1 && applied[0].Err != nil {
		err = applied[0].Err
	}
	if err != nil {
		// The lease that the kernel holds still runs; the next renewal may do better.
		return err
	}
	a.emit(a.eventOf(inj, evidence.Renewed))
	return nil
}
