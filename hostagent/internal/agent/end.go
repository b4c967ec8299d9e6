package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/failpoint"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const (
	revertTimeout = 30 * time.Second // one attempt
	revertRetry   = 2 * time.Second  // until the keeper tries again
	deathNotice   = 200 * time.Millisecond
)

func (a *Agent) revert(_ context.Context, _ control.Command, r control.InjectionsRequest) (control.RevertReply, error) {
	return a.endAll(r.IDs, "asked for"), nil
}

// haltBy carries out a halt. One that names who halts came from elsewhere: the
// run's injector learns of it, also when nothing was live here.
func (a *Agent) haltBy(c control.Command) control.RevertReply {
	var request control.HaltRequest
	if json.Unmarshal(c.Body, &request) != nil || request.By == "" {
		return a.halt("halted")
	}
	a.emit(evidence.Event{Type: evidence.Halted, Message: "halted by " + request.By})
	return a.halt("halted by " + request.By)
}

// halt reverts everything.
func (a *Agent) halt(why string) control.RevertReply {
	a.mu.Lock()
	var ids []fault.InjectionID
	for id, inj := range a.live {
		ids = append(ids, id)
		inj.step = ending // none of them may be admitted from here on
		inj.drop()
		if inj.abort != nil {
			inj.abort() // a batch that is being applied is given up as a whole
		}
	}
	a.mu.Unlock()
	return a.endAll(ids, why)
}

// endAll reverts injections at the same time.
func (a *Agent) endAll(ids []fault.InjectionID, why string) control.RevertReply {
	reply := control.RevertReply{Ended: make([]control.Ended, len(ids))}
	var wg sync.WaitGroup
	for n, id := range ids {
		wg.Go(func() { reply.Ended[n] = a.endOne(id, why) })
	}
	wg.Wait()
	return reply
}

func (a *Agent) endOne(id fault.InjectionID, why string) control.Ended {
	a.mu.Lock()
	inj := a.live[id]
	a.mu.Unlock()
	if inj == nil {
		return a.endedBefore(id)
	}
	return a.end(inj, why)
}

// endedBefore answers for an injection that is not live.
func (a *Agent) endedBefore(id fault.InjectionID) control.Ended {
	rec, ok := a.journal.Find(id)
	if !ok {
		return control.Ended{ID: id, Error: fault.AsError(refusal("injection %s is unknown to this agent", id))}
	}
	return control.Ended{ID: id, Phase: string(rec.Phase), Error: rec.Error}
}

// endLater reverts inj without anybody waiting for it.
func (a *Agent) endLater(inj *injection, why string) {
	a.work.Go(func() { a.end(inj, why) })
}

// end reverts one injection. From here on it never becomes live again: if it
// can't be reverted now, the keeper tries again.
func (a *Agent) end(inj *injection, why string) control.Ended {
	a.mu.Lock()
	inj.step = ending
	inj.drop()
	a.mu.Unlock()
	inj.op <- struct{}{} // waits for an Apply that runs
	defer func() { <-inj.op }()
	a.mu.Lock()
	over := a.live[inj.ID] != inj
	a.mu.Unlock()
	if over {
		return a.endedBefore(inj.ID)
	}
	failpoint.Hit(failpoint.BeforeRevert)
	phase, err := a.undo(inj)
	failpoint.Hit(failpoint.AfterRevert)
	if phase == "" {
		return a.notReverted(inj, err)
	}
	a.ended(inj, phase, err, why)
	return control.Ended{ID: inj.ID, Phase: string(phase), Error: fault.AsError(err)}
}

// undo reverts through the plugin process. If that is gone, or hangs and is
// killed for it, this process reverts itself.
func (a *Agent) undo(inj *injection) (journal.Phase, error) {
	var first error
	if running(inj.plugin) {
		phase, err := a.undoBy(inj.plugin, inj)
		if phase != "" {
			return phase, err
		}
		if first = err; errors.Is(err, context.DeadlineExceeded) {
			inj.plugin.Kill() // kill, then revert
		}
		if !endedWithin(inj.plugin, deathNotice) {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.patience)
	defer cancel()
	d, stop, err := guardian.DriverOf(ctx, a.cfg.Drivers, a.relaunch(), inj.record(a.bootID))
	if err != nil {
		return "", errors.Join(first, fmt.Errorf("revert %s: %w", inj.Kind, err))
	}
	defer stop()
	phase, err := a.undoBy(d, inj)
	if phase == "" {
		err = errors.Join(first, err)
	}
	return phase, err
}

// relaunch starts the plugin of a live injection anew, known to whoever fences.
func (a *Agent) relaunch() guardian.Starter {
	return func(ctx context.Context, kind fault.Kind, _ journal.Program) (fault.Driver, func(), error) {
		p, err := a.plugins.get(ctx, kind)
		if err != nil {
			return nil, nil, err
		}
		return p, func() { a.plugins.put(p) }, nil
	}
}

func (a *Agent) undoBy(d fault.Driver, inj *injection) (journal.Phase, error) {
	ctx, cancel := context.WithTimeout(context.Background(), a.patience)
	defer cancel()
	phase, err := guardian.Undo(ctx, d, inj.target, inj.change, false)
	if phase == "" && ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	return phase, err
}

// endedWithin says whether the plugin process has ended, which is noticed a
// little later than its connection breaks.
func endedWithin(p Plugin, d time.Duration) bool {
	select {
	case <-p.Done():
		return true
	case <-time.After(d):
		return false
	}
}

func (a *Agent) notReverted(inj *injection, err error) control.Ended {
	a.cfg.Logger.Error("revert", "injection", inj.ID, "error", err)
	e := a.eventOf(inj, evidence.Failed)
	e.Message = err.Error()
	a.emit(e)
	// Before the lock: it waits while another record is synced.
	rec, _ := a.journal.Find(inj.ID)
	a.mu.Lock()
	defer a.mu.Unlock()
	inj.retryAt = fault.Now().Add(revertRetry)
	return control.Ended{ID: inj.ID, Phase: string(rec.Phase), Error: fault.AsError(err)}
}

// ended records how inj ended and forgets it.
func (a *Agent) ended(inj *injection, phase journal.Phase, cause error, why string) {
	a.mu.Lock()
	reason := inj.failure
	a.mu.Unlock()
	if cause != nil {
		reason = fault.AsError(cause)
	}
	failpoint.Hit(failpoint.BeforeReverted)
	if err := a.journal.Ended(inj.ID, phase, journal.ByAgent, reason); err != nil {
		a.cfg.Logger.Error("the host is reverted, but that could not be recorded", "injection", inj.ID, "error", err)
	}
	failpoint.Hit(failpoint.AfterReverted)
	a.mu.Lock()
	delete(a.live, inj.ID)
	a.mu.Unlock()
	e := guardian.Event(phase, inj.record(a.bootID), cause)
	if e.Message == "" {
		e.Message = why
	}
	a.emit(e)
	a.plugins.put(inj.plugin)
}
