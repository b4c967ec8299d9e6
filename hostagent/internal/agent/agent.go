// Package agent carries injections on a host: it prepares, applies, renews,
// observes and reverts them through plugin processes, in the order record,
// sync, change. Every injection has a hard end and a lease on CLOCK_BOOTTIME;
// when either has passed it is reverted, whether or not anybody asks. Whatever
// a dead process of this agent left is reverted before a new one does anything.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Plugin is a fault in a process of its own.
type Plugin interface {
	fault.Driver
	PID() int
	StartTime() uint64 // field 22 of /proc/PID/stat
	Done() <-chan struct{}
	Kill()
}

// Config says what an agent is. Fields without a word on zero must be set.
type Config struct {
	Name      string
	Root      string // folder with journal, lock, spool, policy; absolute, only root enters it
	OutOfBand bool
	Hosts     []string // that it acts on; in-band: its own
	Power     string   // fault.Target.Power; out-of-band only
	Version   string
	// Drivers are the built-in faults, to revert inside this process and to know
	// what they are.
	Drivers guardian.Drivers
	// Programs are the plugins that are not built in; nil: none.
	Programs map[fault.Kind]Program
	// Start starts the executable that a record pins, in the control group (empty:
	// none), to revert what a dead process left; nil: only what is built in.
	Start func(ctx context.Context, kind fault.Kind, p journal.Program, group string) (fault.Driver, func(), error)
	// Launch starts the plugin of a kind as a process in the control group
	// (empty: none) and waits until it answers.
	Launch func(ctx context.Context, kind fault.Kind, group string) (Plugin, error)
	// Guard starts the guardian of the agent process; nil: there is none (tests).
	Guard func(self guardian.ProcessID, groups guardian.Groups) (*guardian.Guard, error)
	// Exempt writes into a target the peers of the control connection, which
	// network faults spare; nil: it needs no network.
	Exempt   func(ctx context.Context, t *fault.Target) error
	Digest   func() (control.DigestReply, error) // nil: refused
	Evidence guardian.Recorder                   // nil: none is kept
	Logger   *slog.Logger
}

// Program is a plugin that is an executable of its own.
type Program struct {
	journal.Program
	Info fault.Info
}

// Agent is a running agent. It implements control.Handler.
type Agent struct {
	cfg     Config
	bootID  string
	self    guardian.ProcessID
	lock    *journal.Lock
	journal *journal.Journal
	groups  guardian.Groups
	plugins *pool
	infos   map[fault.Kind]fault.Info
	// patience is how long one attempt at a revert may take.
	patience time.Duration

	mu       sync.Mutex
	live     map[fault.InjectionID]*injection
	guard    *guardian.Guard
	takenFor map[string]bool // runs that lost injections with an earlier agent process
	stopping bool

	work sync.WaitGroup // fires and ends
	stop context.CancelFunc
	kept chan struct{} // closed when the keeper has ended
}

// lockWait bounds how long a start waits for the guardian of the process before it.
const lockWait = 20 * time.Second

// Start takes the lock, ends what is left of an earlier process of this agent
// and reverts it, starts the guardian and the keeper of leases. Only then may
// the caller connect the agent to anything. The caller must Close.
func Start(ctx context.Context, cfg Config) (*Agent, error) {
	bootID, err := guardian.BootID()
	if err != nil {
		return nil, err
	}
	self, err := guardian.Self()
	if err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: cfg, bootID: bootID, self: self,
		live: map[fault.InjectionID]*injection{}, takenFor: map[string]bool{}, infos: map[fault.Kind]fault.Info{},
		kept: make(chan struct{}), patience: revertTimeout,
	}
	for kind, d := range cfg.Drivers {
		if a.infos[kind], err = d.Describe(ctx); err != nil {
			return nil, fmt.Errorf("describe %s: %w", kind, err)
		}
	}
	for kind, p := range cfg.Programs {
		a.infos[kind] = p.Info
	}
	if err := a.open(ctx); err != nil {
		a.release()
		return nil, err
	}
	keep, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = stop
	go a.keep(keep)
	return a, nil
}

// Handle carries out a verified command.
func (a *Agent) Handle(ctx context.Context, c control.Command) (any, error) {
	switch c.Verb {
	case control.VerbPrepare:
		return handle(ctx, c, a.prepare)
	case control.VerbArm:
		return handle(ctx, c, a.arm)
	case control.VerbFire:
		return handle(ctx, c, a.fire)
	case control.VerbObserve:
		return handle(ctx, c, a.observe)
	case control.VerbRenew:
		return handle(ctx, c, a.renew)
	case control.VerbRevert:
		return handle(ctx, c, a.revert)
	case control.VerbHalt:
		return a.haltBy(c), nil
	case control.VerbStatus:
		return a.status(c), nil
	case control.VerbDigest:
		if a.cfg.Digest == nil {
			return nil, errors.New("digest host: not built in")
		}
		return a.cfg.Digest()
	}
	return nil, fmt.Errorf("handle command: unknown verb %q; injector and agent may be of different versions", c.Verb)
}

// Close reverts everything, ends plugins and guardian, and lets go of the lock.
// What cannot be reverted is left to the guardian, and Close says so.
func (a *Agent) Close() error {
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	a.halt("agent stopped")
	a.work.Wait()
	a.stop()
	<-a.kept
	left := a.journal.Live()
	if len(left) > 0 {
		// No bye to the guardian: it takes over when this process ends.
		return fmt.Errorf("close agent: %d injections could not be reverted", len(left))
	}
	a.release()
	return nil
}

// release gives back what open took.
func (a *Agent) release() {
	if a.plugins != nil {
		a.plugins.close()
	}
	if a.guard != nil {
		if err := a.guard.Dismiss(); err != nil {
			a.cfg.Logger.Warn("close agent", "error", err)
		}
	}
	if a.journal != nil {
		_ = a.journal.Close()
	}
	a.groups.Remove()
	if a.lock != nil {
		_ = a.lock.Release()
	}
}
