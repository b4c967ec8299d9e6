package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

// renew extends the leases of all live injections until ctx ends.
func (d *drive) renew(ctx context.Context) {
	lost := map[string]bool{}
	for sleep(ctx, renewEvery) {
		live := d.keep(d.plan.Injections, (*injectionResult).live)
		live = slices.DeleteFunc(live, func(i plan.Injection) bool { return !i.OutOfBand && d.dark(i.Host) })
		agents, of := d.byAgent(live)
		failed := control.Each(agents, func(agent string) error {
			ctx, cancel := context.WithTimeout(ctx, renewEvery/3)
			defer cancel()
			return d.agents.Call(ctx, agent, control.VerbRenew, control.RenewRequest{IDs: ids(of[agent]), Lease: lease}, nil)
		})
		for agent, err := range failed {
			if (err != nil) == lost[agent] || ctx.Err() != nil {
				continue
			}
			lost[agent] = err != nil
			if err != nil {
				d.log(evidence.Event{Type: evidence.AgentLost, Agent: agent, Message: "lease not renewed on " + hosts(of[agent]) + ": " + err.Error()})
			}
		}
	}
}

// stepLimit bounds one runbook step: a command that never ends must not keep the
// faults in force for ever.
const stepLimit = time.Minute

// runbook replays one step at its time.
func (d *drive) runbook(ctx context.Context, s plan.Step) {
	if !d.until(ctx, s.Wall) {
		return
	}
	began := time.Now()
	d.log(evidence.Event{Type: evidence.RunbookStep, Stage: s.Name, Message: "people: " + s.Name})
	limited, cancel := context.WithTimeout(ctx, stepLimit)
	output, err := d.step(limited, s)
	if limited.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("not over after %s: %w", stepLimit, err)
	}
	cancel()
	if err != nil {
		d.log(evidence.Event{Type: evidence.Failed, Stage: s.Name, Message: "step " + s.Name + ": " + err.Error()})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps = append(d.steps, stepResult{step: s, began: began, output: output, err: err})
}
