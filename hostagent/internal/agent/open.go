package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// recoverTimeout bounds the reverting at start; then the keeper of the lock is
// asked for by hand (revert --all), and the agent takes no injections.
const recoverTimeout = time.Minute

func (a *Agent) open(ctx context.Context) error {
	lockCtx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	lock, err := journal.TakeLock(lockCtx, journal.LockPath(a.cfg.Root))
	if err != nil {
		return fmt.Errorf("start agent: %w; is another hostagent running on %s?", err, a.cfg.Root)
	}
	a.lock = lock
	// Who holds the lock reverts, also when told to stop meanwhile: nobody else would.
	ctx = context.WithoutCancel(ctx)
	a.groups = guardian.NewGroups(a.cfg.Name, a.cfg.Root)
	a.plugins = newPool(a)
	if err := a.clear(ctx); err != nil {
		return err
	}
	if a.journal, err = journal.Open(journal.Path(a.cfg.Root)); err != nil {
		return err
	}
	if err := a.recover(ctx); err != nil {
		return err
	}
	if err := a.startGuard(); err != nil {
		return err
	}
	return a.saveState()
}

// clear kills what is left of an earlier process of this agent.
func (a *Agent) clear(ctx context.Context) error {
	state, err := guardian.ReadState(a.cfg.Root, a.bootID)
	if err != nil {
		a.cfg.Logger.Error("clear", "error", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	groups := append(a.groups.Leftover(), state.Groups...)
	// The lock is free, so the agent in the state is dead or was never one.
	if err := guardian.Fence(ctx, guardian.ProcessID{}, groups, state.Plugins); err != nil {
		return err
	}
	return nil
}

// recover reverts everything that is live in the journal.
func (a *Agent) recover(ctx context.Context) error {
	live := a.journal.Live()
	ctx, cancel := context.WithTimeout(ctx, recoverTimeout)
	defer cancel()
	r := guardian.Reverter{
		Agent: a.cfg.Name, Journal: a.journal, Drivers: a.cfg.Drivers, Start: a.starter(), By: journal.ByStart,
		BootID: a.bootID, Evidence: a.cfg.Evidence, Logger: a.cfg.Logger,
	}
	left := r.All(ctx)
	for _, rec := range a.journal.Past() {
		if rec.By != journal.ByAgent && rec.Phase != journal.EndedByPowerloss {
			a.takenFor[rec.Run] = true
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("start agent: %d of %d injections of an earlier process could not be reverted; see hostagent status", len(left), len(live))
	}
	return nil
}

// starter starts pinned executables where a fence finds them: nobody may revert
// beside whoever takes over.
func (a *Agent) starter() guardian.Starter {
	if a.cfg.Start == nil {
		return nil
	}
	return func(ctx context.Context, kind fault.Kind, p journal.Program) (fault.Driver, func(), error) {
		return a.cfg.Start(ctx, kind, p, a.groups.Plugins)
	}
}

func (a *Agent) startGuard() error {
	if a.cfg.Guard == nil {
		return nil
	}
	g, err := a.cfg.Guard(a.self, a.groups)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.guard = g
	return nil
}

// saveState tells those who may have to fence this process what to kill.
func (a *Agent) saveState() error { return a.saveStateWith(a.plugins.processes()) }

func (a *Agent) saveStateWith(plugins []guardian.ProcessID) error {
	s := guardian.State{Agent: a.self, BootID: a.bootID, Name: a.cfg.Name, Version: a.cfg.Version}
	if a.groups.Plugins != "" {
		s.Groups = []string{a.groups.Plugins}
	} else {
		s.Plugins = plugins
	}
	a.mu.Lock()
	guard := a.guard
	a.mu.Unlock()
	if guard != nil {
		start, err := proc.StartTime(guard.PID())
		if err == nil {
			s.Guardian = guardian.ProcessID{PID: guard.PID(), Start: start}
		}
	}
	return guardian.WriteState(a.cfg.Root, s)
}
