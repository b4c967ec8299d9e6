package agent

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/failpoint"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// prepareTimeout bounds one call of a plugin's Prepare.
const prepareTimeout = 20 * time.Second

func (a *Agent) prepare(ctx context.Context, c control.Command, r control.PrepareRequest) (control.PrepareReply, error) {
	var reply control.PrepareReply
	for _, order := range r.Injections {
		err := a.prepareOne(ctx, order, c.Run)
		if err != nil {
			a.emit(evidence.Event{Type: evidence.Refused, Run: c.Run, Host: order.Host, Stage: order.Stage,
				Injection: string(order.ID), Fault: string(order.Kind), Message: err.Error()})
		}
		reply.Results = append(reply.Results, control.Result{ID: order.ID, Error: fault.AsError(err)})
	}
	return reply, nil
}

func (a *Agent) prepareOne(ctx context.Context, order control.Injection, run string) error {
	if known, err := a.repeated(order); known || err != nil {
		return err
	}
	info, ok := a.infos[order.Kind]
	if !ok {
		return refusal("this agent has no plugin for %q", order.Kind)
	}
	policy, err := ReadPolicy(a.cfg.Root)
	if err != nil {
		return refusal("%v", err)
	}
	info = info.In(order.Params)
	if err := policy.allows(order, info, time.Now()); err != nil {
		return err
	}
	if err := a.fit(); err != nil {
		return err
	}
	inj := newInjection(order, run)
	inj.info = info
	if p, ok := a.cfg.Programs[order.Kind]; ok {
		inj.program = &p.Program
	}
	if inj.target, err = a.target(ctx, order.Host, info); err != nil {
		return err
	}
	if inj.plugin, err = a.plugins.get(ctx, order.Kind); err != nil {
		return err
	}
	if err := a.journalIntent(ctx, inj); err != nil {
		a.plugins.put(inj.plugin)
		return err
	}
	e := a.eventOf(inj, evidence.Prepared)
	e.Data = inj.change
	a.emit(e)
	return nil
}

// repeated says whether order was prepared already, as after a lost reply.
func (a *Agent) repeated(order control.Injection) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	inj := a.live[order.ID]
	if inj == nil {
		return false, nil
	}
	if inj.Kind != order.Kind || inj.Host != order.Host || !bytes.Equal(inj.Params, order.Params) {
		return true, refusal("injection %s is live with other content", order.ID)
	}
	return true, nil
}

// fit says why this agent takes no new injections now; nil if it does.
func (a *Agent) fit() error {
	if err := a.journal.Err(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		return refusal("the agent is stopping")
	}
	if a.cfg.Guard != nil && (a.guard == nil || !a.guard.Alive()) {
		return refusal("the guardian is not running; it is being started anew")
	}
	return nil
}

// journalIntent asks the plugin what it will change and makes that durable.
func (a *Agent) journalIntent(ctx context.Context, inj *injection) error {
	callCtx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	change, err := inj.plugin.Prepare(callCtx, inj.target, inj.Params)
	if err != nil {
		return err
	}
	inj.change = change
	failpoint.Hit(failpoint.BeforeIntent)
	if err := a.journal.Intent(inj.record(a.bootID)); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	failpoint.Hit(failpoint.AfterIntent)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.live[inj.ID] = inj
	return nil
}
