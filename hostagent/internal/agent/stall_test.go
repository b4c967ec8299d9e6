package agent

import (
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// slowDisk keeps evidence of arming until it is let go.
type slowDisk struct{ reached, release chan struct{} }

func (s slowDisk) Append(e evidence.Event) error {
	if e.Type == evidence.Armed {
		close(s.reached)
		<-s.release
	}
	return nil
}

// A disk that hangs under the evidence does not stop the heartbeat.
func TestSlowDiskDoesNotStall(t *testing.T) {
	disk := slowDisk{make(chan struct{}), make(chan struct{})}
	b := newBench(t, func(c *Config, _ *fake) { c.Evidence = disk })
	b.ok(b.order("a"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.armAt(time.Second, long, long, "a")
	}()
	<-disk.reached
	free := b.mu.TryLock()
	if free {
		b.mu.Unlock()
	}
	close(disk.release)
	<-done
	if !free {
		t.Error("the agent's lock is held while evidence is written")
	}
}

// Neither arming nor a renewal gets past the time without a renewal that the host allows.
func TestPolicyBoundsLeases(t *testing.T) {
	b := newBench(t)
	b.policy("max_unattended: 2s\n")
	b.ok(b.order("a"))
	b.ok(b.armAt(soon, long, long, "a"))
	b.ok(b.ignite("a"))
	b.await("a", journal.Applied)
	b.ok(ask[control.Ack](b, control.VerbRenew, control.RenewRequest{IDs: []fault.InjectionID{"a"}, Lease: long}).Results)
	b.mu.Lock()
	left := b.live["a"].leaseEnd.Sub(fault.Now())
	b.mu.Unlock()
	if left > 2*time.Second {
		t.Errorf("the lease reaches %s", left)
	}
}

// A renewal that the kernel did not take leaves the lease as it was.
func TestFailedRenewalGrantsNothing(t *testing.T) {
	b := newBench(t)
	b.ok(b.order("a"))
	b.ok(b.armAt(soon, time.Second, long, "a"))
	b.ok(b.ignite("a"))
	b.await("a", journal.Applied)
	b.fake.mu.Lock()
	b.fake.refuse = &fault.Error{Code: fault.CodeChanged, Message: "no"}
	b.fake.mu.Unlock()
	b.mu.Lock()
	before := b.live["a"].leaseEnd
	b.mu.Unlock()
	if ask[control.Ack](b, control.VerbRenew, control.RenewRequest{IDs: []fault.InjectionID{"a"}, Lease: time.Minute}).Results[0].Error == nil {
		t.Error("the renewal failed and says it did not")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if inj := b.live["a"]; inj != nil && inj.leaseEnd != before {
		t.Error("the lease is longer")
	}
}
