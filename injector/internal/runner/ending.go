package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// How often and how long an end is asked for before the host counts as not reverted.
const (
	revertTries = 5
	revertPause = 2 * time.Second
	revertLimit = 30 * time.Second
)

// ending looks once more at all injections of one end, then has them reverted.
// Agents end them by themselves at that instant; the call only makes sure and
// brings back how it went.
func (d *drive) ending(ctx context.Context, e ending) {
	if !d.until(ctx, e.end-observeLead) {
		return
	}
	d.observe(ctx, d.keep(e.items, (*injectionResult).live))
	if !d.until(ctx, e.end) {
		return
	}
	items := d.keep(e.items, (*injectionResult).live)
	if len(items) == 0 {
		return
	}
	d.announceEnd(items)
	d.revert(ctx, items)
	d.booted(ctx, items)
}

// announceEnd logs every host whose power comes back, and one line for people.
func (d *drive) announceEnd(items []plan.Injection) {
	for kind, same := range group(items, func(i plan.Injection) fault.Kind { return i.Kind }) {
		if kind != powerlossKind {
			d.log(evidence.Event{Type: evidence.StageRestored, Stage: same[0].Stage, Fault: string(kind),
				Message: fmt.Sprintf("%s: %s on %s ends", same[0].Stage, kind, hosts(same))})
			continue
		}
		d.log(evidence.Event{Type: evidence.StageRestored, Stage: same[0].Stage, Fault: string(kind),
			Message: "power is back: " + hosts(same)})
		for _, i := range same {
			d.log(evidence.Event{Type: evidence.HostPowered, Host: i.Host, Stage: i.Stage, Injection: string(i.ID), Fault: string(kind)})
		}
	}
}

// revert has items reverted and records how each ended. A failure stays in the
// result; the digest after the run decides whether it left residue.
func (d *drive) revert(ctx context.Context, items []plan.Injection) {
	agents, of := d.byAgent(items)
	control.Each(agents, func(agent string) error {
		var err error
		for range revertTries {
			if err = d.revertOn(ctx, agent, of[agent]); err == nil || ctx.Err() != nil {
				break
			}
			if !sleep(ctx, revertPause) {
				break
			}
		}
		if err != nil {
			for _, i := range of[agent] {
				d.set(i.ID, func(r *injectionResult) { r.err = err.Error() })
			}
			d.log(evidence.Event{Type: evidence.Failed, Agent: agent,
				Message: fmt.Sprintf("revert on %s: %v", hosts(of[agent]), err)})
		}
		return err
	})
}

func (d *drive) revertOn(ctx context.Context, agent string, items []plan.Injection) error {
	ctx, cancel := context.WithTimeout(ctx, revertLimit)
	defer cancel()
	var reply control.RevertReply
	if err := d.agents.Call(ctx, agent, control.VerbRevert, control.InjectionsRequest{IDs: ids(items)}, &reply); err != nil {
		return err
	}
	return d.ended(reply)
}

// ended records how injections ended; an error when one has not.
func (d *drive) ended(reply control.RevertReply) error {
	var failed error
	for _, e := range reply.Ended {
		d.set(e.ID, func(r *injectionResult) {
			switch e.Phase {
			case "reverted", "gone", "stuck", "ended-by-powerloss":
				r.phase = e.Phase
			}
			if e.Error != nil {
				r.err = e.Error.Message
				if r.phase == "" {
					failed = e.Error
				}
			}
		})
	}
	return failed
}

// endedByPower marks what the power cuts among items take away: the injections
// that the agents inside those hosts carry.
func (d *drive) endedByPower(items []plan.Injection) {
	for _, cut := range items {
		if !takesHost(cut) {
			continue
		}
		for _, i := range d.plan.Injections {
			if i.Host == cut.Host && !i.OutOfBand && i.Start < cut.Start {
				d.set(i.ID, func(r *injectionResult) {
					if r.live() {
						r.phase = "ended-by-powerloss"
					}
				})
			}
		}
	}
}

// haltAll tells every agent to revert everything. It needs a context of its own,
// as the run's is over by then, and returns what could not be halted.
func (d *drive) haltAll(ctx context.Context, agents []string) map[string]error {
	failed := map[string]error{}
	for agent, err := range control.Each(agents, func(agent string) error {
		var reply control.RevertReply
		if err := d.agents.Call(ctx, agent, control.VerbHalt, nil, &reply); err != nil {
			return err
		}
		d.mu.Lock()
		for _, e := range reply.Ended {
			d.halted = append(d.halted, string(e.ID))
		}
		d.mu.Unlock()
		return d.ended(reply)
	}) {
		if err != nil {
			failed[agent] = err
		}
	}
	return failed
}

func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// stillLive returns the injections that may be in force somewhere.
func (d *drive) stillLive() []fault.InjectionID {
	return ids(d.keep(d.plan.Injections, (*injectionResult).live))
}
