package agent

import (
	"context"
	"time"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const (
	// fireGrace is how long after its start an armed injection may go unfired.
	fireGrace = 10 * time.Second
	// armGrace is how long a prepared injection may go unarmed.
	armGrace = 30 * time.Minute
	// guardRetry is the pause between two tries to start a guardian.
	guardRetry = 2 * time.Second
)

// keep beats for the guardian and ends what has run out. One beat proves that
// the agent's lock is free, so a deadlock counts as a stall.
func (a *Agent) keep(ctx context.Context) {
	defer close(a.kept)
	t := time.NewTimer(0)
	defer t.Stop()
	var guardAt fault.BootTime
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		next, events := a.tick()
		t.Reset(next)
		for _, e := range events {
			a.emit(e) // not under the lock: a slow disk must not look like a hanging agent
		}
		if now := fault.Now(); now >= guardAt && a.guardLost() {
			guardAt = now.Add(guardRetry)
			a.work.Go(a.replaceGuard)
		}
	}
}

// beatEvery leaves room for a busy host.
const beatEvery = guardian.BeatEvery - 50*time.Millisecond

// tick beats, ends what is due and returns when to look again.
func (a *Agent) tick() (time.Duration, []evidence.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.guard != nil {
		a.guard.Beat()
	}
	if a.stopping { // Close ends everything itself
		return beatEvery, nil
	}
	now := fault.Now()
	next := now.Add(beatEvery)
	var events []evidence.Event
	for _, inj := range a.live {
		why, at := inj.due(now)
		if why == "" {
			next = min(next, at)
			continue
		}
		inj.retryAt = now.Add(revertTimeout) // one end at a time; a failed one sets it anew
		inj.step = ending
		if why == leaseRanOut {
			events = append(events, a.eventOf(inj, evidence.LeaseExpired))
		}
		if why == pluginDied {
			inj.failure = &fault.Error{Code: fault.CodeInternal, Message: why}
			e := a.eventOf(inj, evidence.Failed)
			e.Message = why
			events = append(events, e)
		}
		a.endLater(inj, why)
	}
	return max(next.Sub(fault.Now()), time.Millisecond), events
}

// Why an injection ends without being asked to.
const (
	leaseRanOut = "lease ran out"
	hardEnd     = "hard end"
	notFired    = "not fired"
	pluginDied  = "plugin process died"
	triedAgain  = "reverted at a further try"
)

// due says why inj must be ended now; empty: it need not be before at.
func (i *injection) due(now fault.BootTime) (why string, at fault.BootTime) {
	soon := now.Add(time.Hour)
	switch {
	case i.step == ending:
		if i.retryAt == 0 || now < i.retryAt {
			return "", soon
		}
		return triedAgain, 0
	case !running(i.plugin):
		return pluginDied, 0
	case i.step == prepared:
		return over(notFired, i.created.Add(armGrace), now)
	case i.step == armed:
		return over(notFired, i.at.Add(fireGrace), now)
	case i.leaseEnd < i.end:
		return over(leaseRanOut, i.leaseEnd, now)
	}
	return over(hardEnd, i.end, now)
}

func over(why string, at, now fault.BootTime) (string, fault.BootTime) {
	if now >= at {
		return why, 0
	}
	return "", at
}

func (a *Agent) guardLost() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cfg.Guard != nil && !a.stopping && (a.guard == nil || !a.guard.Alive())
}

// replaceGuard starts a guardian in place of one that died. Until there is one,
// no injection is taken.
func (a *Agent) replaceGuard() {
	a.mu.Lock()
	old := a.guard
	a.guard = nil
	a.mu.Unlock()
	if old != nil {
		old.Close()
		a.emit(evidence.Event{Type: evidence.Note, Message: "the guardian died; it is started anew"})
	}
	err := a.startGuard()
	if err == nil {
		err = a.saveState()
	}
	if err != nil {
		a.cfg.Logger.Error("start guardian anew", "error", err)
	}
}
