package conformance

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// History is a sequence of steps an agent can put a plugin through. Every one
// must leave the host as it was found.
type History struct {
	Name  string
	steps func(*trial)
}

// Histories returns all of them.
func Histories() []History { return slices.Clone(histories) }

// Untried says why c cannot be put through h; empty if it can.
func (h History) Untried(c Case) string {
	if h.Name == byAnother && c.Disturb == nil && c.Strange {
		return "nobody says who else turns its knob; a Go test of it can"
	}
	return ""
}

const byAnother = "disturbed by another owner"

var histories = []History{
	{"prepare only", func(tr *trial) { tr.prepare(); tr.unchanged() }},
	{"apply, revert", func(tr *trial) {
		tr.prepare()
		tr.apply()
		tr.present()
		tr.revert()
		tr.absent()
		tr.unchanged()
	}},
	{"apply twice", func(tr *trial) {
		tr.prepare()
		tr.apply()
		tr.apply()
		tr.present()
		tr.revert()
		tr.unchanged()
	}},
	{"revert twice", func(tr *trial) { tr.prepare(); tr.apply(); tr.revert(); tr.revert(); tr.unchanged() }},
	{"revert without apply", func(tr *trial) { tr.prepare(); tr.revert(); tr.absent(); tr.unchanged() }},
	{"revert in a new process", func(tr *trial) {
		tr.prepare()
		tr.apply()
		tr.restart()
		tr.outlived()
		tr.revert()
		tr.absent()
		tr.unchanged()
	}},
	{"killed between all calls", killedBetween},
	{"killed during apply", killedDuringApply},
	{"stopped over its end", stopped},
	{"cancelled", cancelled},
	{byAnother, disturbed},
	{"renewed", renewed},
	{"hard end passed with the agent gone", agentGone},
	{"hostile parameters", hostileParameters},
}

// killedBetween has every call answered by a process that knows nothing of the
// calls before.
func killedBetween(tr *trial) {
	tr.prepare()
	tr.restart()
	tr.apply()
	tr.restart()
	tr.outlived()
	tr.restart()
	tr.revert()
	tr.restart()
	tr.revert()
	tr.absent()
	tr.unchanged()
}

// stopped has the plugin stand still, as under SIGSTOP or a debugger: over its
// start and its end, after which it must not bring the fault, and under a live
// fault, which another process then reverts.
func stopped(tr *trial) {
	tr.prepare()
	ctx, cancel := bounded()
	defer cancel()
	at := fault.Now().Add(600 * time.Millisecond)
	until := at.Add(300 * time.Millisecond)
	answer := tr.inApplyUntil(ctx, at, until)
	time.Sleep(100 * time.Millisecond)
	tr.must("stop plugin", tr.agent.signal(ctx, syscall.SIGSTOP))
	time.Sleep(until.Add(200 * time.Millisecond).Sub(fault.Now()))
	tr.must("let plugin go on", tr.agent.signal(ctx, syscall.SIGCONT))
	if err := answer(); err == nil {
		tr.failf("apply that came to itself after the end: said that it applied")
	}
	tr.absent()
	tr.unchanged()

	tr.apply()
	tr.must("stop plugin", tr.agent.signal(ctx, syscall.SIGSTOP))
	tr.restart()
	tr.outlived()
	tr.revert()
	tr.absent()
	tr.unchanged()
}

// killDelays are the moments after the start at which a plugin is killed: most
// faults take less than a millisecond, a power cut takes tens.
var killDelays = []time.Duration{0, 200 * time.Microsecond, time.Millisecond, 20 * time.Millisecond}

func killedDuringApply(tr *trial) {
	for _, delay := range killDelays {
		tr.prepare()
		ctx, cancel := bounded()
		at := fault.Now().Add(100 * time.Millisecond)
		answer := tr.inApply(ctx, at)
		err := tr.agent.killPlugin(ctx, at.Add(delay))
		_ = answer() // an error as a rule; it may have been quicker
		cancel()
		tr.must("kill plugin", err)
		tr.launch()
		tr.revert()
		tr.absent()
		tr.unchanged()
	}
}

// cancelled calls a start off while it is waited for, and at its very instant.
func cancelled(tr *trial) {
	tr.prepare()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	began := time.Now()
	err := tr.inApply(ctx, fault.Now().Add(callTime))()
	cancel()
	if err == nil || time.Since(began) > 2*time.Second {
		tr.failf("apply cancelled while it waited: error %v after %v", err, time.Since(began))
	}
	tr.absent()
	tr.unchanged()

	ctx, cancel = context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_ = tr.inApply(ctx, fault.Now().Add(100*time.Millisecond))() // either way is right
	tr.revert()
	tr.absent()
	tr.unchanged()
}

// disturbed lets another owner change the knob: theirs stays, and the plugin
// says what is there now, not what it once did.
func disturbed(tr *trial) {
	d := tr.c.Disturb
	if d == nil {
		if tr.c.Alone == "" {
			tr.failf("the case has neither Disturb nor a reason in Alone")
		}
		return
	}
	tr.prepare()
	tr.apply()
	tr.present()
	tr.must("disturb", d.Change(tr.place.host))
	tr.metered()
	switch err := tr.reverted(); {
	case d.Stuck && !errors.Is(err, fault.ErrStuck):
		tr.failf("revert of a disturbed fault: error %v, want %v", err, fault.ErrStuck)
	case err != nil && !errors.Is(err, fault.ErrStuck) && !errors.Is(err, fault.ErrGone):
		tr.failf("revert of a disturbed fault: %v", err)
	}
	if err := d.Kept(tr.place.host); err != nil {
		tr.failf("the other owner's change was not kept: %v", err)
	}
	tr.must("undo the disturbance", d.Undo(tr.place.host))
	if err := tr.reverted(); err != nil && !errors.Is(err, fault.ErrGone) {
		tr.failf("revert after the other owner: %v", err)
	}
	tr.unchanged()
}

// renewed outlives the first end by a renewal, on the kernel's word.
func renewed(tr *trial) {
	tr.prepare()
	first := fault.Now().Add(1500 * time.Millisecond)
	tr.applyUntil(first)
	tr.applyUntil(fault.Now().Add(lease))
	time.Sleep(first.Add(300 * time.Millisecond).Sub(fault.Now()))
	tr.present()
	tr.revert()
	tr.absent()
	tr.unchanged()
}

// agentGone kills the agent under a live fault: the plugin or the kernel ends it.
func agentGone(tr *trial) {
	tr.prepare()
	end := fault.Now().Add(time.Second)
	tr.applyUntil(end)
	tr.agent.die()
	// What a fault does in a container's network is no difference of the host's, and
	// the next agent takes the lock, without which the plugin does not revert.
	time.Sleep(end.Add(500 * time.Millisecond).Sub(fault.Now()))
	diff, err := tr.place.changed(tr.before, tr.place.settles(tr.c))
	tr.must("list host", err)
	if len(diff) > 0 {
		tr.failf("nobody ended the fault of a dead agent: %v", diff)
	}
	tr.begin()
	tr.absent()
	tr.revert()
	tr.unchanged()
}
