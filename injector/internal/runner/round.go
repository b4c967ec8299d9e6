package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// round prepares and arms all injections of one instant, then fires them. It
// refuses the run when one of the first round could not be armed in time: nothing
// has been changed yet. Later the others are fired all the same, also while the
// first round is still on its way. earlier are the injections of the rounds
// before: the first is the one before which all were left out.
func (d *drive) round(ctx context.Context, r round, earlier []plan.Injection) error {
	if !d.until(ctx, r.prepare) {
		return nil
	}
	items := d.present(r.items)
	deadline, cancel := context.WithDeadline(ctx, d.t0.Add(r.start-fireLead/2))
	defer cancel()
	agents, of := d.byAgent(items)
	control.Each(agents, func(agent string) error { // each at its own pace: a silent one must not use up the others' time
		return errors.Join(d.prepare(deadline, agent, of[agent]), d.arm(deadline, agent, of[agent]))
	})
	if ctx.Err() != nil {
		return nil
	}
	first := len(d.present(earlier)) == 0
	d.pardon(items, first)
	items = d.present(items)
	ready := d.keep(items, func(r *injectionResult) bool { return r.err == "" })
	refused := d.refusals(items)
	if len(refused) > 0 && first {
		return refuse("stage %s: %s; nothing was changed: correct the stage, or make its hosts able", refused[0].Stage, refused[0].Message)
	}
	for _, e := range refused {
		d.log(e)
	}
	if !d.until(ctx, r.start-fireLead) {
		return nil
	}
	// A host may have been left out meanwhile, by the round before.
	if ready = d.present(ready); len(ready) == 0 {
		return nil
	}
	fired := d.fire(ctx, r, ready)
	if !d.until(ctx, r.start) {
		return nil
	}
	d.announce(ready)
	<-fired
	d.endedByPower(ready)
	if d.until(ctx, r.start+observeLag) {
		d.observe(ctx, ready)
		d.summarise(ready)
	}
	return nil
}

func (d *drive) prepare(ctx context.Context, agent string, items []plan.Injection) error {
	var request control.PrepareRequest
	for _, i := range items {
		request.Injections = append(request.Injections,
			control.Injection{ID: i.ID, Kind: i.Kind, Host: i.Host, Stage: i.Stage, Params: i.Params})
	}
	var reply control.PrepareReply
	err := d.agents.Call(ctx, agent, control.VerbPrepare, request, &reply)
	d.note(items, reply.Results, err, func(r *injectionResult) { r.prepared = true })
	return err
}

// arm sets start and end of what is prepared; each end needs a request of its own.
func (d *drive) arm(ctx context.Context, agent string, items []plan.Injection) error {
	items = d.keep(items, func(r *injectionResult) bool { return r.prepared && r.err == "" })
	for end, same := range group(items, func(i plan.Injection) time.Duration { return i.End }) {
		request := control.ArmRequest{IDs: ids(same), At: d.t0.Add(same[0].Start), End: d.t0.Add(end),
			Lease: lease, Unattended: d.unattended(same[0].Stage)}
		var reply control.ArmReply
		err := d.agents.Call(ctx, agent, control.VerbArm, request, &reply)
		d.note(same, reply.Results, err, func(*injectionResult) {})
	}
	return nil
}

// fire sends what is armed on its way; the channel closes when all have answered.
func (d *drive) fire(ctx context.Context, r round, items []plan.Injection) <-chan struct{} {
	d.mu.Lock()
	d.changed = true
	d.mu.Unlock()
	// An answer that is lost may still have fired: what is sent is live.
	for _, i := range items {
		d.set(i.ID, func(r *injectionResult) { r.fired = true })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithDeadline(ctx, d.t0.Add(r.start+fireLimit))
		defer cancel()
		d.fireAll(ctx, items)
	}()
	return done
}

func (d *drive) fireAll(ctx context.Context, items []plan.Injection) {
	agents, of := d.byAgent(items)
	control.Each(agents, func(agent string) error {
		var reply control.Ack
		err := d.agents.Call(ctx, agent, control.VerbFire, control.FireRequest{IDs: ids(of[agent])}, &reply)
		d.note(of[agent], reply.Results, err, func(*injectionResult) {})
		return err
	})
}

func (d *drive) hasChanged() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

func (d *drive) unattended(stage string) time.Duration {
	for _, s := range d.plan.Stages {
		if s.Name == stage {
			return s.Unattended
		}
	}
	return 0
}

// note takes over the results of one call: ok runs for each that succeeded.
func (d *drive) note(items []plan.Injection, results []control.Result, err error, ok func(*injectionResult)) {
	for _, i := range items {
		at := slices.IndexFunc(results, func(r control.Result) bool { return r.ID == i.ID })
		d.set(i.ID, func(r *injectionResult) {
			switch {
			case err != nil:
				r.err, r.silent = err.Error(), errors.Is(err, control.ErrUnreachable)
			case at >= 0 && results[at].Error != nil:
				r.err, r.unsupported = results[at].Error.Message, errors.Is(results[at].Error, fault.ErrUnsupported)
			default:
				ok(r)
			}
		})
	}
}

// refusals returns one event for each injection that is not ready.
func (d *drive) refusals(items []plan.Injection) []evidence.Event {
	var out []evidence.Event
	for _, i := range d.keep(items, func(r *injectionResult) bool { return r.err != "" }) {
		var why string
		d.set(i.ID, func(r *injectionResult) { why = r.err })
		out = append(out, evidence.Event{Type: evidence.Refused, Host: i.Host, Stage: i.Stage, Injection: string(i.ID),
			Fault: string(i.Kind), Message: fmt.Sprintf("%s on %s is refused: %s", i.Kind, i.Host, strings.TrimPrefix(why, "refused: "))})
	}
	return out
}

// announce logs what begins now, one line a stage and kind.
func (d *drive) announce(items []plan.Injection) {
	type key struct {
		stage string
		kind  fault.Kind
	}
	for k, same := range group(items, func(i plan.Injection) key { return key{i.Stage, i.Kind} }) {
		d.log(evidence.Event{Type: evidence.StageStarted, Stage: k.stage, Fault: string(k.kind),
			Message: fmt.Sprintf("%s: %s on %s", k.stage, k.kind, hosts(same))})
	}
}

func hosts(items []plan.Injection) string {
	var out []string
	for _, i := range items {
		out = append(out, i.Host)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}
