package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/experiments/condition"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

// stopEvery is how often stop conditions are evaluated.
const stopEvery = 250 * time.Millisecond

// HaltedBy is what the context that Run gets is cancelled with, by
// context.WithCancelCause, so that the run halts instead of being interrupted.
// who is named in the report: "a key in the terminal".
func HaltedBy(who string) error {
	return &stopError{outcome: report.Halted, reason: "halted by " + who}
}

// stopping follows one stop condition.
type stopping struct {
	text string
	need time.Duration // how long it must hold
	eval func() (condition.State, error)

	was  condition.State
	held time.Duration // since it was false last; unknown time is not counted
	last time.Time
}

// see evaluates the condition at now and says whether it has held for long
// enough. Only the time between two looks that both found it true counts, and
// no more than twice the pause between looks: while nobody looks, nothing holds.
func (s *stopping) see(now time.Time) (bool, error) {
	state, err := s.eval()
	switch {
	case err != nil || state == condition.Unknown:
	case state == condition.False:
		s.held = 0
	case s.was == condition.True:
		s.held += min(now.Sub(s.last), 2*stopEvery)
	}
	s.was, s.last = state, now
	return err == nil && state == condition.True && s.held >= s.need, err
}

// stoppings compiles the stop conditions over what the clients measure.
func stoppings(e *experiments.Experiment, figures condition.Figures) ([]*stopping, error) {
	var names condition.Names
	for _, h := range e.Hypothesis {
		names.Probes = append(names.Probes, h.Probe)
	}
	for _, l := range e.Ledger {
		names.Ledgers = append(names.Ledgers, l.Name)
	}
	var out []*stopping
	for _, s := range e.Stop {
		c, err := condition.New(s.When, names, figures)
		if err != nil {
			return nil, fmt.Errorf("read stop condition %s: %w", s.When, err)
		}
		out = append(out, &stopping{text: s.When, need: time.Duration(s.For), eval: c.Eval})
	}
	return out, nil
}

// watchStops evaluates the stop conditions from T0 on until the function it
// returns is called; halt is called once when one of them has held long enough.
func (r *layoutRun) watchStops(ctx context.Context, halt func(error)) (end func(), err error) {
	all, err := stoppings(r.exp, r.collector.Figures(r.exp.Hypothesis, bootTime))
	if err != nil || len(all) == 0 {
		return func() {}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if sleep(ctx, time.Until(r.drive.t0)) {
			watchAll(ctx, all, r.rec, halt)
		}
	}()
	return func() {
		cancel()
		<-done
	}, nil
}

// sayer records a line for people.
type sayer interface {
	say(typ evidence.Type, format string, args ...any)
}

func watchAll(ctx context.Context, all []*stopping, log sayer, halt func(error)) {
	broken := map[*stopping]bool{}
	for {
		for _, s := range all {
			stop, err := s.see(time.Now())
			if err != nil && !broken[s] {
				broken[s] = true
				log.say(evidence.Failed, "stop condition: %v", err)
			}
			if stop {
				halt(&stopError{outcome: report.Halted, reason: s.reason()})
				return
			}
		}
		if !sleep(ctx, stopEvery) {
			return
		}
	}
}

func (s *stopping) reason() string {
	if s.need == 0 {
		return fmt.Sprintf("stop condition %s was true", s.text)
	}
	return fmt.Sprintf("stop condition %s held for %s", s.text, s.need)
}
