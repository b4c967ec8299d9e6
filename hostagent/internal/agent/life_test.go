package agent

import (
	"slices"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const (
	soon = 300 * time.Millisecond
	long = time.Hour
)

// Injections of one kind with one start go in one call.
func TestBatch(t *testing.T) {
	b := newBench(t)
	b.ok(b.order("a", "b", "c"))
	b.ok(b.order("a")) // as after a lost reply
	if n := b.fake.count("prepare"); n != 3 {
		t.Errorf("prepared %d times", n)
	}
	b.ok(b.armAt(soon, long, long, "a", "b", "c"))
	b.ok(b.ignite("a", "b", "c"))
	b.ok(b.ignite("a", "b", "c"))
	for _, id := range []fault.InjectionID{"a", "b", "c"} {
		b.await(id, journal.Applied)
	}
	if n := b.fake.count("apply"); n != 1 {
		t.Errorf("applied in %d calls", n)
	}
	if n := len(b.processes); n != 1 {
		t.Errorf("%d plugin processes", n)
	}
	reply := ask[control.RevertReply](b, control.VerbHalt, nil)
	for _, e := range reply.Ended {
		if e.Phase != string(journal.Reverted) {
			t.Errorf("%+v", e)
		}
	}
	if running(b.processes[0]) {
		t.Error("the plugin outlives its last injection")
	}
	again := ask[control.RevertReply](b, control.VerbRevert, control.InjectionsRequest{IDs: []fault.InjectionID{"a"}})
	if again.Ended[0].Phase != string(journal.Reverted) || again.Ended[0].Error != nil {
		t.Errorf("reverted twice: %+v", again)
	}
}

// One injection of a batch can be taken back before its start; the rest goes.
func TestRevertBeforeStart(t *testing.T) {
	b := newBench(t)
	b.ok(b.order("a", "b"))
	b.ok(b.armAt(time.Second, long, long, "a", "b"))
	b.ok(b.ignite("a", "b"))
	ask[control.RevertReply](b, control.VerbRevert, control.InjectionsRequest{IDs: []fault.InjectionID{"a"}})
	b.await("a", journal.Reverted)
	b.await("b", journal.Applied)
	if last := b.fake.calls[len(b.fake.calls)-1]; last.ids != 1 {
		t.Errorf("%d injections were applied", last.ids)
	}
}

// A halt does not wait for a start.
func TestHaltWhileArmed(t *testing.T) {
	b := newBench(t)
	b.ok(b.order("a"))
	b.ok(b.armAt(20*time.Second, long, long, "a"))
	b.ok(b.ignite("a"))
	began := time.Now()
	ask[control.RevertReply](b, control.VerbHalt, nil)
	b.await("a", journal.Reverted)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if b.fake.count("apply") != 0 {
		t.Error("applied after the halt")
	}
}

func TestHardEnd(t *testing.T) {
	b := newBench(t)
	b.ok(b.order("a"))
	b.ok(b.armAt(soon, long, 500*time.Millisecond, "a"))
	b.ok(b.ignite("a"))
	b.await("a", journal.Applied)
	b.await("a", journal.Reverted)
}

// A renewal reaches the kernel's lease, and is refused once it has run out.
func TestLease(t *testing.T) {
	b := newBench(t)
	b.ok(b.order("a"))
	b.ok(b.armAt(soon, 700*time.Millisecond, long, "a"))
	b.ok(b.ignite("a"))
	b.await("a", journal.Applied)
	renew := control.RenewRequest{IDs: []fault.InjectionID{"a"}, Lease: time.Second}
	b.ok(ask[control.Ack](b, control.VerbRenew, renew).Results)
	b.fake.mu.Lock()
	first, second := b.fake.calls[1], b.fake.calls[2]
	b.fake.mu.Unlock()
	if second.verb != "apply" || second.until <= first.until || second.at != 0 {
		t.Errorf("renewed by %+v after %+v", second, first)
	}
	b.await("a", journal.Reverted)
	if ask[control.Ack](b, control.VerbRenew, renew).Results[0].Error == nil {
		t.Error("a lease that ran out was renewed")
	}
	if !slices.Contains(b.events.types(), evidence.LeaseExpired) {
		t.Errorf("no evidence of it: %v", b.events.types())
	}
}

// What could not be applied as a whole is reverted, and the cause is kept.
func TestApplyFails(t *testing.T) {
	b := newBench(t, func(_ *Config, f *fake) { f.refuse = &fault.Error{Code: fault.CodeChanged, Message: "other value"} })
	b.ok(b.order("a"))
	b.ok(b.armAt(soon, long, long, "a"))
	b.ok(b.ignite("a"))
	if r := b.await("a", journal.Reverted); r.Error == nil || r.Error.Code != fault.CodeChanged {
		t.Errorf("%+v", r.Error)
	}
}

// A Revert that says it did and did not leaves the injection live.
func TestRevertIsVerified(t *testing.T) {
	b := newBench(t, func(_ *Config, f *fake) { f.wrong = true })
	b.ok(b.order("a"))
	b.ok(b.armAt(soon, long, long, "a"))
	b.ok(b.ignite("a"))
	b.await("a", journal.Applied)
	reply := ask[control.RevertReply](b, control.VerbHalt, nil)
	if e := reply.Ended[0]; e.Phase != string(journal.Applied) || e.Error == nil {
		t.Errorf("%+v", e)
	}
	if live := b.journal.Live(); len(live) != 1 {
		t.Error("it is not live any more")
	}
}

// The death of a plugin ends its injections, reverted inside the agent.
func TestPluginDies(t *testing.T) {
	b := newBench(t)
	b.ok(b.order("a"))
	b.ok(b.armAt(soon, long, long, "a"))
	b.ok(b.ignite("a"))
	b.await("a", journal.Applied)
	b.processes[0].Kill()
	if r := b.await("a", journal.Reverted); r.Error == nil {
		t.Error("the journal does not say why")
	}
	b.ok(b.order("b"))
	if len(b.processes) != 2 {
		t.Error("no new plugin process")
	}
}

// A plugin that hangs is killed before the agent reverts in its place.
func TestPluginHangs(t *testing.T) {
	b := newBench(t)
	b.ok(b.order("a"))
	b.ok(b.armAt(soon, long, long, "a"))
	b.ok(b.ignite("a"))
	b.await("a", journal.Applied)
	b.patience, b.processes[0].hang = 200*time.Millisecond, true
	reply := ask[control.RevertReply](b, control.VerbHalt, nil)
	if e := reply.Ended[0]; e.Phase != string(journal.Reverted) {
		t.Errorf("%+v", e)
	}
	if running(b.processes[0]) {
		t.Error("reverted beside a plugin that may still act")
	}
}

// Without control groups, whoever fences finds the plugins' pids on disk before
// they may act.
func TestPluginsWithoutGroups(t *testing.T) {
	b := newBench(t)
	b.groups.Remove()
	b.groups = guardian.Groups{}
	b.ok(b.order("a"))
	state, err := guardian.ReadState(b.cfg.Root, b.bootID)
	if err != nil {
		t.Fatal(err)
	}
	if len(state.Groups) != 0 || len(state.Plugins) != 1 || state.Plugins[0].PID != b.processes[0].PID() {
		t.Errorf("%+v", state)
	}
}
