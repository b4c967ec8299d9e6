package runner

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// powerlossKind is the one kind the drive treats on its own: most of its modes
// take hosts, and the agents in them, away.
const powerlossKind fault.Kind = "powerloss"

// takesHost says whether an injection takes its host away.
func takesHost(i plan.Injection) bool { return i.Kind == powerlossKind && !i.HostStays }

// takesAgent says whether an injection takes away the very agent that carries it.
func takesAgent(i plan.Injection) bool { return takesHost(i) && !i.OutOfBand }

// Leases of live injections.
const (
	lease      = 90 * time.Second
	renewEvery = 15 * time.Second
)

// Agents sends one command to one agent; *control.Caller does it.
type Agents interface {
	Call(ctx context.Context, agent string, verb control.Verb, body, out any) error
}

// drive carries out one plan. Its fields are set by the runner; begin starts it.
type drive struct {
	plan   *plan.Plan
	agents Agents
	route  func(plan.Injection) string // the agent that carries an injection
	log    func(evidence.Event)
	step   func(context.Context, plan.Step) (output string, err error)
	// behind names the hosts that cannot be acted on without an agent.
	behind  func(agent string) []string
	missing int // hosts that may be left out
	t0      time.Time

	mu      sync.Mutex
	changed bool // a fire was sent
	results map[fault.InjectionID]*injectionResult
	steps   []stepResult
	halted  []string // injections that haltAll ended
	doubts  []string // why nothing of the layout can be judged
	left    leftOut
	late    []string // agents of hosts that were left out in the first round
}

// run drives the plan from T0 to its end. It returns nil when the whole
// timeline was gone through, a *stopError when the first round was refused, and
// the context's cause when it was halted or interrupted; in the last two cases
// the caller must revert all.
func (d *drive) run(ctx context.Context) error {
	d.reset()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var parts sync.WaitGroup
	var earlier []plan.Injection
	for _, r := range rounds(d.carried()) {
		before := slices.Clone(earlier)
		parts.Go(func() {
			if err := d.round(ctx, r, before); err != nil {
				cancel(err)
			}
		})
		earlier = append(earlier, r.items...)
	}
	for _, e := range endings(d.plan) {
		parts.Go(func() { d.ending(ctx, e) })
	}
	for _, s := range d.plan.Runbook {
		parts.Go(func() { d.runbook(ctx, s) })
	}
	for _, l := range d.plan.Loads {
		for _, s := range l.Surges {
			parts.Go(func() { d.surge(ctx, l.Name, s) })
		}
	}
	parts.Go(func() { d.end(ctx) })
	renewing, stopRenewing := context.WithCancel(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		d.renew(renewing)
	}()
	parts.Wait()
	stopRenewing()
	<-renewed
	return context.Cause(ctx)
}

// reset forgets all results; it must come before anything else of a drive.
func (d *drive) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.results = map[fault.InjectionID]*injectionResult{}
	for _, i := range d.plan.Injections {
		d.results[i.ID] = &injectionResult{}
	}
}

// begun says whether any agent may hold an injection of this plan.
func (d *drive) begun() bool { return !d.t0.IsZero() }

func (d *drive) doubt(why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.doubts = append(d.doubts, why)
}

// until waits for an instant from T0; it returns false when ctx ended first.
func (d *drive) until(ctx context.Context, at time.Duration) bool {
	timer := time.NewTimer(time.Until(d.t0.Add(at)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

func (d *drive) end(ctx context.Context) {
	last := d.plan.End
	for _, i := range d.plan.Injections {
		last = max(last, i.End)
	}
	d.until(ctx, last)
}

// byAgent groups injections by the agent that carries them.
func (d *drive) byAgent(items []plan.Injection) (agents []string, of map[string][]plan.Injection) {
	of = group(items, d.route)
	for agent := range of {
		agents = append(agents, agent)
	}
	return agents, of
}

func ids(items []plan.Injection) []fault.InjectionID {
	out := make([]fault.InjectionID, len(items))
	for n, i := range items {
		out[n] = i.ID
	}
	return out
}
