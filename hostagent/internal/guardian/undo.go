package guardian

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/failpoint"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Drivers are the faults that can be reverted inside this process.
type Drivers map[fault.Kind]fault.Driver

// Starter starts the executable that a record pins and returns its driver; the
// caller must call stop. It fails if the executable is another one by now.
type Starter func(ctx context.Context, kind fault.Kind, p journal.Program) (d fault.Driver, stop func(), err error)

// errNoPlugin says that nobody here can revert a record.
var errNoPlugin = errors.New("no built-in plugin of this kind, and the record pins no executable")

// DriverOf returns what can revert and observe rec when no plugin process of it
// runs: the built-in fault, inside this process, or the executable that the
// record pins. The caller must call stop.
func DriverOf(ctx context.Context, drivers Drivers, start Starter, rec journal.Record) (d fault.Driver, stop func(), err error) {
	if rec.Program != nil && start != nil {
		return start(ctx, rec.Kind, *rec.Program)
	}
	if d = drivers[rec.Kind]; d == nil || rec.Program != nil {
		return nil, nil, errNoPlugin
	}
	return d, func() {}, nil
}

// Recorder takes evidence.
type Recorder interface {
	Append(evidence.Event) error
}

// Reverter reverts what a journal says is live. It needs no network, no agent
// and no other process. Its caller holds the journal's lock.
type Reverter struct {
	Agent    string // name of the agent whose journal it is
	Journal  *journal.Journal
	Drivers  Drivers
	Start    Starter // nil: only what is built in
	By       journal.By
	BootID   string
	Evidence Recorder // nil: none is kept
	Logger   *slog.Logger
}

const (
	undoTimeout = 20 * time.Second       // one attempt at one injection
	undoRetry   = 200 * time.Millisecond // between attempts
)

// Undo reverts one injection and looks whether it is absent. rebooted says that
// the host was booted since: what did not outlive that is ended by the power
// loss. It returns how the injection ended, or an error if it is still live.
func Undo(ctx context.Context, d fault.Driver, t fault.Target, change []byte, rebooted bool) (journal.Phase, error) {
	done, gone := journal.Reverted, journal.Gone
	if rebooted {
		done, gone = journal.EndedByPowerloss, journal.EndedByPowerloss
	}
	err := d.Revert(ctx, t, change)
	switch {
	case errors.Is(err, fault.ErrGone):
		return gone, nil
	case errors.Is(err, fault.ErrStuck):
		return journal.Stuck, err
	case err != nil:
		return "", fmt.Errorf("revert: %w", err)
	}
	seen, err := d.Observe(ctx, t, change)
	switch {
	case errors.Is(err, fault.ErrGone):
		return gone, nil
	case err != nil:
		return "", fmt.Errorf("observe after revert: %w", err)
	case seen.State != fault.Absent:
		return "", fmt.Errorf("observe after revert: the change is still %s: %s", seen.State, seen.Detail)
	}
	return done, nil
}

// All reverts everything live, hosts at the same time, the newest injection of
// a host first, and tries again until ctx ends. It returns what is still live.
func (r *Reverter) All(ctx context.Context) []journal.Record {
	for {
		var wg sync.WaitGroup
		for _, records := range byHost(r.Journal.Live()) {
			wg.Go(func() {
				for i := len(records) - 1; i >= 0; i-- {
					r.one(ctx, records[i])
				}
			})
		}
		wg.Wait()
		live := r.Journal.Live()
		if len(live) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return live
		case <-time.After(undoRetry):
		}
	}
}

func byHost(live []journal.Record) map[string][]journal.Record {
	hosts := map[string][]journal.Record{}
	for _, rec := range live {
		host := ""
		if rec.Target != nil {
			host = rec.Target.Host
		}
		hosts[host] = append(hosts[host], rec)
	}
	return hosts
}

func (r *Reverter) one(ctx context.Context, rec journal.Record) {
	log := r.Logger.With("injection", rec.ID, "fault", rec.Kind)
	if rec.Target == nil {
		log.Error("revert: the record has no target")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, undoTimeout)
	defer cancel()
	d, stop, err := DriverOf(ctx, r.Drivers, r.Start, rec)
	if err != nil {
		log.Error("revert", "error", err)
		return
	}
	defer stop()
	failpoint.Hit(failpoint.BeforeRevert)
	phase, err := Undo(ctx, d, *rec.Target, rec.Change, rec.BootID != r.BootID)
	failpoint.Hit(failpoint.AfterRevert)
	if phase == "" {
		log.Error("revert", "error", err)
		return
	}
	failpoint.Hit(failpoint.BeforeReverted)
	if err := r.Journal.Ended(rec.ID, phase, r.By, fault.AsError(err)); err != nil {
		log.Error("the host is reverted, but that could not be recorded", "error", err)
	}
	failpoint.Hit(failpoint.AfterReverted)
	log.Info("injection ended", "phase", phase)
	r.record(Event(phase, rec, err))
}

func (r *Reverter) record(e evidence.Event) {
	if r.Evidence == nil {
		return
	}
	e.Agent, e.Source = r.Agent, evidence.FromAgent
	if r.By == journal.ByGuardian {
		e.Source = evidence.FromGuardian
	}
	if err := r.Evidence.Append(e); err != nil {
		r.Logger.Warn("keep evidence", "error", err)
	}
}

// Event is the evidence that an injection ended in phase.
func Event(phase journal.Phase, rec journal.Record, cause error) evidence.Event {
	e := evidence.Event{
		Wall: time.Now(), Boot: int64(fault.Now()), Run: rec.Run, Stage: rec.Stage,
		Injection: string(rec.ID), Fault: string(rec.Kind), Type: evidence.Reverted,
	}
	if rec.Target != nil {
		e.Host = rec.Target.Host
	}
	switch phase {
	case journal.Gone:
		e.Type = evidence.Gone
	case journal.Stuck:
		e.Type = evidence.Stuck
	case journal.EndedByPowerloss:
		e.Type = evidence.EndedByPower
	}
	if cause != nil {
		e.Message = cause.Error()
	}
	return e
}
