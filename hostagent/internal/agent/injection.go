package agent

import (
	"context"
	"encoding/json"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// step is how far this process has brought an injection.
type step int

const (
	prepared step = iota
	armed
	fired  // waits for its instant, or is being applied
	inside // applied
	ending // being reverted; it never goes back
)

// injection is one live fault. The fields above mu's line never change; those
// below are guarded by Agent.mu.
type injection struct {
	control.Injection
	run     string
	target  fault.Target
	change  json.RawMessage
	info    fault.Info
	program *journal.Program // nil: built in
	plugin  Plugin
	created fault.BootTime
	op      chan struct{} // one element: held by whoever changes the host for it

	// guarded by Agent.mu
	step       step
	at, end    fault.BootTime
	lease      time.Duration
	unattended time.Duration
	leaseEnd   fault.BootTime
	applied    *fault.Applied
	failure    *fault.Error       // why it is being ended, if that was not asked for
	abort      context.CancelFunc // of the Apply it is part of
	dropped    chan struct{}      // closed when it must not fire any more
	retryAt    fault.BootTime     // when to try again to revert it
}

func newInjection(order control.Injection, run string) *injection {
	return &injection{
		Injection: order, run: run, created: fault.Now(),
		op: make(chan struct{}, 1), dropped: make(chan struct{}),
	}
}

// reach is how long the injection may go without a renewal.
func (i *injection) reach() time.Duration { return max(i.lease, i.unattended) }

// holdsLease says whether kernel or plugin know the lease, so that a renewal
// has to reach them.
func (i *injection) holdsLease() bool {
	for _, p := range i.info.Protection {
		if p == fault.ProtectKernelLease || p == fault.ProtectPluginTimer {
			return true
		}
	}
	return false
}

// until is the end that the plugin is told.
func (i *injection) until() fault.BootTime { return i.untilOf(i.leaseEnd) }

func (i *injection) untilOf(leaseEnd fault.BootTime) fault.BootTime {
	if i.holdsLease() && leaseEnd < i.end {
		return leaseEnd
	}
	return i.end
}

func (i *injection) item() fault.RawItem {
	return fault.RawItem{ID: i.ID, Target: i.target, Change: i.change}
}

// record is the injection as the journal knows it.
func (i *injection) record(bootID string) journal.Record {
	target := i.target
	return journal.Record{
		ID: i.ID, Plugin: i.info.PluginVersion, Kind: i.Kind, Run: i.run, Stage: i.Stage,
		BootID: bootID, Target: &target, Change: i.change, Program: i.program,
	}
}

// drop keeps a waiting injection from firing.
func (i *injection) drop() {
	select {
	case <-i.dropped:
	default:
		close(i.dropped)
	}
}
