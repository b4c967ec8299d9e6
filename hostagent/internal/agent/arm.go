package agent

import (
	"context"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const (
	// DefaultLease is how long an injection lives without a renewal.
	DefaultLease = 90 * time.Second
	// minLead is how far ahead a start must lie to be met.
	minLead = 50 * time.Millisecond
)

// clocks is the same instant on both clocks.
type clocks struct {
	wall time.Time
	boot fault.BootTime
}

// readClocks reads both clocks as closely together as it can.
func readClocks() clocks {
	var best clocks
	least := time.Hour
	for range 3 {
		before := fault.Now()
		wall := time.Now()
		after := fault.Now()
		if gap := after.Sub(before); gap < least {
			least = gap
			best = clocks{wall: wall.Round(0), boot: before.Add(gap / 2)}
		}
	}
	return best
}

// bootTime translates an instant of wall time.
func (c clocks) bootTime(t time.Time) fault.BootTime { return c.boot.Add(t.Sub(c.wall)) }

func (a *Agent) arm(_ context.Context, c control.Command, r control.ArmRequest) (control.ArmReply, error) {
	now := readClocks()
	reply := control.ArmReply{At: now.bootTime(r.At), Now: now.wall}
	if r.Lease <= 0 {
		r.Lease = DefaultLease
	}
	refused := a.armable(&r, now)
	for _, id := range r.IDs {
		err := refused
		if err == nil {
			err = a.armOne(id, r, now)
		}
		if err != nil {
			a.emit(evidence.Event{Type: evidence.Refused, Run: c.Run, Injection: string(id), Message: err.Error()})
		}
		reply.Results = append(reply.Results, control.Result{ID: id, Error: fault.AsError(err)})
	}
	return reply, nil
}

// armable says why r is refused as a whole; it shortens a lease that is longer
// than the host's policy lets an injection go without a renewal.
func (a *Agent) armable(r *control.ArmRequest, now clocks) error {
	if lead := r.At.Sub(now.wall); lead < minLead {
		return fault.Refuse("at", "the start lies %s ahead by this host's clock; at least %s are needed", lead, minLead)
	}
	if !r.End.After(r.At) {
		return fault.Refuse("end", "an injection needs a hard end after its start")
	}
	policy, err := ReadPolicy(a.cfg.Root)
	if err != nil {
		return refusal("%v", err)
	}
	r.Lease = policy.lease(r.Lease)
	return policy.bounds(*r, now.wall)
}

func (a *Agent) armOne(id fault.InjectionID, r control.ArmRequest, now clocks) error {
	inj, err := a.setArmed(id, r, now)
	if err != nil {
		return err
	}
	a.emit(a.eventOf(inj, evidence.Armed)) // not under the lock: a slow disk must not hold up the heartbeat
	return nil
}

func (a *Agent) setArmed(id fault.InjectionID, r control.ArmRequest, now clocks) (*injection, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	inj := a.live[id]
	if inj == nil {
		return nil, refusal("injection %s is not prepared", id)
	}
	if inj.step > armed {
		return nil, refusal("injection %s was fired already", id)
	}
	inj.step = armed
	inj.at, inj.end = now.bootTime(r.At), now.bootTime(r.End)
	inj.lease, inj.unattended = r.Lease, r.Unattended
	inj.leaseEnd = inj.at.Add(inj.reach())
	return inj, nil
}
