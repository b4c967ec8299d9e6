// Package guardian ends the injections of an agent that died or hangs. It is a
// process of its own, started by the agent from the same binary: it holds the
// agent's pidfd and watches its heartbeat. Whoever takes over kills first and
// reverts then: agent and plugins are dead before the journal's lock is taken,
// and nobody reverts without the lock. It reverts inside its own process and
// needs no fork, no socket and no disk space for it; only a plugin that is not
// built in is started for its revert.
package guardian

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const (
	// BeatEvery is the longest time between two beats of a healthy agent.
	BeatEvery = 250 * time.Millisecond
	// StallAfter is how long an agent may go without a beat.
	StallAfter = 3 * time.Second

	fenceTimeout  = 5 * time.Second
	lockTimeout   = 5 * time.Second // longer held: an agent started anew and reverts
	revertTimeout = time.Minute
	maxDelayed    = 1024 // events
)

// Config says whom to guard.
type Config struct {
	Name    string // of the agent
	Root    string
	Agent   ProcessID
	Group   string   // own group, entered at start; empty: none
	Plugins []string // groups to kill
	BootID  string
	Drivers Drivers
	Start   Starter // of plugins that are not built in
	// Spool opens the agent's evidence once the agent is dead; nil: none is kept.
	Spool  func() (Recorder, error)
	Logger *slog.Logger
}

// Run guards until the agent dismisses it or it has taken over. An error says
// what is still live.
func Run(ctx context.Context, c Config) error {
	heart, err := mapHeartbeat(os.NewFile(fdHeartbeat, "heartbeat"))
	if err != nil {
		return err
	}
	pidfd, err := proc.OpenPidfd(c.Agent.PID, c.Agent.Start)
	if err != nil && !errors.Is(err, proc.ErrGone) {
		return err
	}
	if err := enterGroup(c.Group); err != nil {
		c.Logger.Warn("guard", "error", err)
	}
	defer leaveGroup(c.Group)
	harden()
	reason := "agent died"
	if pidfd != nil {
		// Also keeps the descriptor from the garbage collector, to which the
		// number in watch says nothing.
		defer func() { _ = pidfd.Close() }()
		w := watch{pidfd: int32(pidfd.Fd()), heart: heart, seen: heart.last(), polled: fault.Now()}
		if reason, err = w.run(); err != nil || reason == "" {
			return err
		}
	}
	return takeOver(ctx, c, reason)
}

// takeOver kills, then reverts.
func takeOver(ctx context.Context, c Config, reason string) error {
	c.Logger.Warn("guardian takes over", "reason", reason)
	fenceCtx, cancel := context.WithTimeout(ctx, fenceTimeout)
	defer cancel()
	// Without the lock nothing is reverted; with it, the fence held well enough.
	state, err := ReadState(c.Root, c.BootID)
	if err != nil {
		c.Logger.Error("guardian", "error", err)
	}
	if err := Fence(fenceCtx, c.Agent, c.Plugins, state.Plugins); err != nil {
		c.Logger.Error("guardian", "error", err)
	}
	lock, err := takeLock(ctx, c)
	if lock == nil || err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()
	return revert(ctx, c, reason)
}

// takeLock waits for the journal's lock as long as the agent, which SIGKILL has
// been sent, still holds it: in an uninterruptible sleep or a frozen group that
// may be long. Nil without an error: somebody else has taken over.
func takeLock(ctx context.Context, c Config) (*journal.Lock, error) {
	for {
		lockCtx, cancel := context.WithTimeout(ctx, lockTimeout)
		lock, err := journal.TakeLock(lockCtx, journal.LockPath(c.Root))
		cancel()
		switch {
		case !errors.Is(err, journal.ErrLocked):
			return lock, err
		case ctx.Err() != nil:
			return nil, fmt.Errorf("guardian: %w", ctx.Err())
		case !c.Agent.Alive():
			c.Logger.Info("guardian: another process has taken over")
			return nil, nil
		}
		c.Logger.Warn("guardian: the agent does not die and holds the lock; trying again", "pid", c.Agent.PID)
	}
}

func revert(ctx context.Context, c Config, reason string) error {
	j, err := journal.Open(journal.Path(c.Root))
	if err != nil {
		return err
	}
	defer func() { _ = j.Close() }()
	live := j.Live()
	r := &Reverter{Agent: c.Name, Journal: j, Drivers: c.Drivers, Start: c.Start, By: journal.ByGuardian, BootID: c.BootID, Logger: c.Logger}
	late := delayed{events: make(chan evidence.Event, maxDelayed)}
	r.Evidence = late // the spool is opened after the host is reverted
	ctx, cancel := context.WithTimeout(ctx, revertTimeout)
	defer cancel()
	left := r.All(ctx)
	r.record(tookOver(reason, live))
	late.flush(c)
	if len(left) > 0 {
		return fmt.Errorf("guardian: %d injections are still live; run hostagent revert --all", len(left))
	}
	return nil
}

func tookOver(reason string, live []journal.Record) evidence.Event {
	e := evidence.Event{
		Wall: time.Now(), Boot: int64(fault.Now()), Type: evidence.TookOver,
		Message: fmt.Sprintf("%s; %d injections were live", reason, len(live)),
	}
	e.Data, _ = json.Marshal(evidence.Takeover{Live: len(live)}) // a number always encodes
	if len(live) > 0 {
		e.Run = live[len(live)-1].Run
	}
	return e
}

// delayed keeps evidence until there is time to store it.
type delayed struct{ events chan evidence.Event }

func (d delayed) Append(e evidence.Event) error {
	select {
	case d.events <- e:
		return nil
	default:
		return errors.New("too many events")
	}
}

func (d delayed) flush(c Config) {
	if c.Spool == nil {
		return
	}
	spool, err := c.Spool()
	for err == nil && len(d.events) > 0 {
		err = spool.Append(<-d.events)
	}
	if err != nil {
		c.Logger.Warn("guardian: keep evidence", "error", err)
	}
}

// ready tells the agent that the guardian watches.
func ready() error {
	if _, err := unix.Write(fdSocket, []byte{msgReady}); err != nil {
		return fmt.Errorf("tell agent: %w", err)
	}
	return nil
}
