package agent

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/failpoint"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const (
	// handOver is how long before its instant an injection is given to its
	// plugin, which does the exact waiting. Until then it can be dropped alone.
	handOver = 250 * time.Millisecond
	// maxLate is how late an injection may be fired. Later it is refused.
	maxLate = 2 * time.Second
	// applyTimeout bounds Apply from its instant on.
	applyTimeout = 30 * time.Second
)

// batchKey groups what is applied in one call: one kind, one instant, one end.
type batchKey struct {
	kind   fault.Kind
	plugin Plugin
	at     fault.BootTime
	until  fault.BootTime
}

func (a *Agent) fire(_ context.Context, _ control.Command, r control.FireRequest) (control.Ack, error) {
	var ack control.Ack
	batches := map[batchKey][]*injection{}
	for _, id := range r.IDs {
		inj, until, err := a.ignite(id)
		ack.Results = append(ack.Results, control.Result{ID: id, Error: fault.AsError(err)})
		if inj != nil {
			key := batchKey{inj.Kind, inj.plugin, inj.at, until}
			batches[key] = append(batches[key], inj)
		}
	}
	for key, batch := range batches {
		slices.SortFunc(batch, func(x, y *injection) int { return cmp.Compare(x.ID, y.ID) })
		a.work.Go(func() { a.burn(key, batch) })
	}
	return ack, nil
}

// ignite marks an armed injection as fired. It returns none for one that was
// fired before, as after a lost reply. The end is read here, as a renewal may
// move it at any time.
func (a *Agent) ignite(id fault.InjectionID) (*injection, fault.BootTime, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	inj := a.live[id]
	switch {
	case inj == nil:
		return nil, 0, refusal("injection %s is not prepared", id)
	case a.stopping:
		return nil, 0, refusal("the agent is stopping")
	case inj.step == fired || inj.step == inside:
		return nil, 0, nil
	case inj.step != armed:
		return nil, 0, refusal("injection %s is not armed", id)
	}
	if late := fault.Now().Sub(inj.at); late > maxLate {
		return nil, 0, refusal("injection %s was to start %s ago", id, late)
	}
	inj.step = fired
	return inj, inj.until(), nil
}

// burn waits for the instant of a batch and applies what was not dropped.
func (a *Agent) burn(key batchKey, batch []*injection) {
	for _, inj := range batch {
		for {
			left := key.at.Sub(fault.Now()) - handOver
			if left <= 0 || a.wait(inj, min(left, time.Second)) {
				break // in time, or dropped: then another one's wait goes on below
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), max(key.at.Sub(fault.Now()), 0)+applyTimeout)
	defer cancel()
	batch = a.admit(batch, cancel)
	if len(batch) == 0 {
		return
	}
	defer func() {
		for _, inj := range batch {
			<-inj.op
		}
	}()
	failpoint.Hit(failpoint.BeforeApply)
	applied, err := key.plugin.Apply(ctx, items(batch), key.at, key.until)
	failpoint.Hit(failpoint.AfterApply)
	for n, inj := range batch {
		if err != nil || n >= len(applied) {
			a.applyFailed(inj, fault.AsError(cmp.Or(err, errShort)))
			continue
		}
		a.applyDone(inj, applied[n])
	}
}

// wait waits for d; it returns true at once if inj is dropped.
func (a *Agent) wait(inj *injection, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-inj.dropped:
		return true
	case <-t.C:
		return false
	}
}

// admit takes the injections that are still wanted, each with its op held.
func (a *Agent) admit(batch []*injection, cancel context.CancelFunc) []*injection {
	a.mu.Lock()
	defer a.mu.Unlock()
	var in []*injection
	for _, inj := range batch {
		if inj.step != fired {
			continue
		}
		select {
		case inj.op <- struct{}{}:
			inj.abort = cancel
			in = append(in, inj)
		default: // it is being reverted
		}
	}
	return in
}

func items(batch []*injection) []fault.RawItem {
	out := make([]fault.RawItem, len(batch))
	for n, inj := range batch {
		out[n] = inj.item()
	}
	return out
}
