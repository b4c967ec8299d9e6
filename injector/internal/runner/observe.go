package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// observeLimit bounds one look: evidence that comes later is of no use.
const observeLimit = 5 * time.Second

// observe asks the agents what is really there. Agents inside dark hosts are
// not asked.
func (d *drive) observe(ctx context.Context, items []plan.Injection) {
	items = slices.DeleteFunc(slices.Clone(items), func(i plan.Injection) bool { return !i.OutOfBand && d.dark(i.Host) })
	ctx, cancel := context.WithTimeout(ctx, observeLimit)
	defer cancel()
	agents, of := d.byAgent(items)
	control.Each(agents, func(agent string) error {
		var reply control.ObserveReply
		err := d.agents.Call(ctx, agent, control.VerbObserve, control.InjectionsRequest{IDs: ids(of[agent])}, &reply)
		for _, o := range reply.Observed {
			d.set(o.ID, func(r *injectionResult) { takeOver(r, o) })
		}
		return err
	})
}

func takeOver(r *injectionResult, o control.Observed) {
	r.observe(o.Observation)
	if o.Applied != nil {
		r.applied, r.err = o.Applied, "" // also when the answer to fire was lost
		if o.Applied.Err != nil {
			r.err = o.Applied.Err.Message
		}
	}
	if o.Error != nil {
		r.err = o.Error.Message
	}
}

// endedByBoot takes the word of an agent that found the record of an injection in
// another boot than its own. Of one that took its own agent away it is the proof,
// as nobody could look before. If the plan did not take that host, nothing that was
// measured since means what it should.
func (d *drive) endedByBoot(id fault.InjectionID) {
	at := slices.IndexFunc(d.plan.Injections, func(i plan.Injection) bool { return i.ID == id })
	if at < 0 {
		return
	}
	i := d.plan.Injections[at]
	cuts := d.keep(d.cuts(i.Host), func(r *injectionResult) bool { return r.fired })
	if i.OutOfBand || len(cuts) == 0 {
		d.doubt(fmt.Sprintf("the host that carried %s was booted anew in the middle of the run, which was not planned", id))
		return
	}
	if !takesAgent(i) {
		return
	}
	once := []fault.Measure{{Name: "restarts", Value: 1, Unit: "restarts"}}
	d.set(id, func(r *injectionResult) {
		r.observe(fault.Observation{State: fault.Present, Dose: fault.Exercised, Asked: once, Achieved: once, Detail: "the agent inside the host found its record in another boot"})
	})
}

// summarise logs one line about the injections of a round. Of those that took
// their agent away it says nothing yet.
func (d *drive) summarise(items []plan.Injection) {
	if items = slices.DeleteFunc(slices.Clone(items), takesAgent); len(items) == 0 {
		return
	}
	count := map[fault.Dose]int{}
	var weak []string
	for _, i := range items {
		d.set(i.ID, func(r *injectionResult) {
			count[r.seen.Dose]++
			if doses[r.seen.Dose] < doses[fault.InForce] {
				weak = append(weak, fmt.Sprintf("%s on %s %s %s", i.Kind, i.Host, fault.NotInForce, r.err))
			}
		})
	}
	if len(weak) > 0 {
		d.log(evidence.Event{Type: evidence.Failed, Stage: items[0].Stage, Message: strings.Join(weak, "; ")})
		return
	}
	text := fmt.Sprintf("%s: in force on %s", items[0].Stage, hosts(items))
	if count[fault.InForce] == 0 {
		text += ", seen to act"
	}
	if spread := d.spread(items); spread > 0 {
		text += fmt.Sprintf(", %.1f ms apart", spread.Seconds()*1000)
	}
	d.log(evidence.Event{Type: evidence.Observed, Stage: items[0].Stage, Message: text})
}

// spread is the time between the first and the last host's first change. Each
// host's clock counts from its own boot, so what is compared is how late each was.
func (d *drive) spread(items []plan.Injection) time.Duration {
	var late []fault.BootTime
	for _, i := range items {
		d.set(i.ID, func(r *injectionResult) {
			if r.applied != nil {
				late = append(late, effect(r.applied))
			}
		})
	}
	if len(late) == 0 {
		return 0
	}
	return time.Duration(slices.Max(late) - slices.Min(late))
}
