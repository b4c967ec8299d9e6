package runner

import (
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// injectionResult is what became of one injection.
type injectionResult struct {
	prepared    bool
	fired       bool
	applied     *fault.Applied
	seen        fault.Observation // the strongest dose, with the latest measures
	phase       string            // how it ended, in the journal's words; empty: it has not
	ended       time.Time         // when, by the agent's clock; zero: not told
	err         string            // why it could not be prepared, armed, fired or reverted
	silent      bool              // err says that the agent did not answer
	unsupported bool              // err says that the host lacks what the fault needs
}

// stepResult is what became of one runbook step.
type stepResult struct {
	step   plan.Step
	began  time.Time
	output string
	err    error
}

// live says whether the injection may be in force on its host.
func (r *injectionResult) live() bool { return r.fired && r.phase == "" }

// end records how and when the injection ended; the first word counts.
func (r *injectionResult) end(phase string, at time.Time) {
	if r.ended.IsZero() {
		r.ended = at
	}
	if r.phase == "" {
		r.phase = phase
	}
}

// endWall is when the injection ended, from T0: at its planned end, unless it
// was told to have ended before.
func (d *drive) endWall(i plan.Injection, r *injectionResult) time.Duration {
	if at := r.ended.Sub(d.t0); !r.ended.IsZero() && at < i.End {
		return at
	}
	return i.End
}

var doses = map[fault.Dose]int{"": 0, fault.NotInForce: 1, fault.InForce: 2, fault.Exercised: 3}

// observe takes over an observation: the dose never falls, because a later
// look may find a fault that has ended, and the measures are the newest ones.
func (r *injectionResult) observe(o fault.Observation) {
	if doses[o.Dose] >= doses[r.seen.Dose] {
		r.seen = o
	}
}

// set changes the result of one injection under the drive's lock.
func (d *drive) set(id fault.InjectionID, change func(*injectionResult)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.results[id]; r != nil {
		change(r)
	}
}

// keep returns the items whose result satisfies want.
func (d *drive) keep(items []plan.Injection, want func(*injectionResult) bool) []plan.Injection {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []plan.Injection
	for _, i := range items {
		if want(d.results[i.ID]) {
			out = append(out, i)
		}
	}
	return out
}

// dark says whether a host is without power now, as far as the drive knows.
func (d *drive) dark(host string) bool {
	return len(d.keep(d.cuts(host), (*injectionResult).live)) > 0
}

// cuts are the injections that take a host away.
func (d *drive) cuts(host string) []plan.Injection {
	return slices.DeleteFunc(d.onHost(host, powerlossKind), func(i plan.Injection) bool { return !takesHost(i) })
}

func (d *drive) onHost(host string, kind fault.Kind) []plan.Injection {
	var out []plan.Injection
	for _, i := range d.plan.Injections {
		if i.Host == host && i.Kind == kind {
			out = append(out, i)
		}
	}
	return out
}
