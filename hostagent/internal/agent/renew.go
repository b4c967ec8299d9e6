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
	policy, err := ReadPolicy(a.cfg.Root)
	if err != nil {
		return ack, refusal("%v", err)
	}
	r.Lease = policy.lease(r.Lease)
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
	if err := inj.renewable(); err != nil {
		a.mu.Unlock()
		return err
	}
	if lease > 0 {
		inj.lease = lease
	}
	reach := inj.step == inside && inj.holdsLease()
	if !reach {
		// Before its start it already reaches further than a renewal would.
		inj.leaseEnd = max(inj.leaseEnd, fault.Now().Add(inj.reach()))
	}
	a.mu.Unlock()
	if !reach {
		return nil
	}
	return a.extend(ctx, inj)
}

// renewable says why inj may not be renewed any more; nil if it may.
func (i *injection) renewable() error {
	if now := fault.Now(); i.step == ending || i.leaseEnd <= now || i.end <= now {
		return refusal("the lease of injection %s has run out, which is final", i.ID)
	}
	return nil
}

// extend carries a renewal to the plugin and the kernel. The lease is longer
// only when they hold it: one that runs out meanwhile has run out.
func (a *Agent) extend(ctx context.Context, inj *injection) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	select {
	case inj.op <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-inj.op }()
	a.mu.Lock()
	err := inj.renewable()
	leaseEnd := max(inj.leaseEnd, fault.Now().Add(inj.reach()))
	until := inj.untilOf(leaseEnd)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	applied, err := inj.plugin.Apply(ctx, []fault.RawItem{inj.item()}, 0, until)
	if err == nil && len(applied) == 1 && applied[0].Err != nil {
		err = applied[0].Err
	}
	if err != nil {
		// The lease that the kernel holds still runs; the next renewal may do better.
		return err
	}
	a.mu.Lock()
	inj.leaseEnd = max(inj.leaseEnd, leaseEnd)
	a.mu.Unlock()
	a.emit(a.eventOf(inj, evidence.Renewed))
	return nil
}
