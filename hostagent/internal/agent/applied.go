package agent

import (
	"encoding/json"
	"errors"

	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/failpoint"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

var errShort = errors.New("apply: the plugin answered for fewer injections than it was given")

// applyDone takes the outcome of Apply for one injection.
func (a *Agent) applyDone(inj *injection, applied fault.Applied) {
	if applied.Err != nil {
		a.mu.Lock()
		inj.applied = &applied
		a.mu.Unlock()
		a.applyFailed(inj, applied.Err)
		return
	}
	failpoint.Hit(failpoint.BeforeApplied)
	a.mu.Lock()
	// From here on a renewal goes to the kernel: it waits until the start is on record.
	if inj.step == fired {
		inj.step = inside
	}
	inj.applied, inj.abort = &applied, nil
	end, lease := inj.end, inj.lease
	a.mu.Unlock()
	if err := a.journal.Applied(inj.ID, applied, end, lease); err != nil {
		// The intent is on disk, so it will be reverted like any other.
		a.cfg.Logger.Error("record applied", "injection", inj.ID, "error", err)
	}
	failpoint.Hit(failpoint.AfterApplied)
	e := a.eventOf(inj, evidence.AppliedFault)
	e.Data, _ = json.Marshal(applied) // numbers and text only: can't fail
	a.emit(e)
}

// applyFailed has an injection reverted that could not be applied as a whole.
func (a *Agent) applyFailed(inj *injection, cause *fault.Error) {
	a.mu.Lock()
	wanted := inj.step == fired
	inj.abort = nil
	if wanted {
		inj.failure = cause
	}
	a.mu.Unlock()
	if !wanted {
		return // it was cancelled, and whoever did that reverts it
	}
	e := a.eventOf(inj, evidence.Failed)
	e.Message = cause.Error()
	a.emit(e)
	a.endLater(inj, "apply failed")
}
