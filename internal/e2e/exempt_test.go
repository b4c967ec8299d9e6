package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const (
	everybody = `{"to": ["0.0.0.0/0", "::/0"]}`
	webOfN1   = "10.77.1.1:8080"
	sshdOfN1  = "10.77.1.1:22"
	cutLease  = 8 * time.Second
)

// The agent reaches its broker through the very device that a fault cuts off
// from everybody: that connection and sshd are spared, and nothing else.
func TestControlConnectionIsSpared(t *testing.T) {
	beside(t)
	w := standUp(t, filepath.Join(bin, "hostagent"))
	w.cutOff("i1")
	if err := w.commandable("i1"); err != nil {
		t.Errorf("the agent is cut off: %v", err)
	}
	for _, host := range []string{"n2", "clients"} {
		if w.reaches(host, webOfN1) {
			t.Errorf("%s still reaches n1", host)
		}
		if !w.reaches(host, sshdOfN1) {
			t.Errorf("%s does not reach the sshd of n1", host)
		}
	}
	if w.inHost("n1", inHosts+tunnel, "10.77.1.2:22").Run() == nil {
		t.Error("n1 reached another port of n2: more than the control connection is spared")
	}
	var ended control.RevertReply
	w.must(w.call(control.VerbRevert, control.InjectionsRequest{IDs: []fault.InjectionID{"i1"}}, &ended))
	if len(ended.Ended) != 1 || ended.Ended[0].Phase != "reverted" {
		t.Errorf("%+v", ended)
	}
	if !w.reaches("n2", webOfN1) {
		t.Error("reverted, but n2 does not reach n1")
	}
}

// The twin: an agent that does not exempt its broker is cut off like everything
// else, and the lease heals what nobody can command any more.
func TestControlConnectionIsCutWithoutExemption(t *testing.T) {
	beside(t)
	w := standUp(t, twin(t, noExempt))
	w.cutOff("i1")
	began := time.Now()
	if err := w.commandable("i1"); err == nil {
		t.Error("the agent answers through a fault that cuts off everybody")
	}
	if took := time.Since(began); took > cutLease {
		t.Fatalf("the machine is too slow to tell: %s", took)
	}
	w.within(cutLease+3*time.Second, "the lease heals", func() bool { return w.reaches("n2", webOfN1) })
	w.within(20*time.Second, "the agent is back, with nothing live", func() bool {
		var s control.StatusReply
		return w.call(control.VerbStatus, nil, &s) == nil && len(s.Live) == 0
	})
}

// cutOff cuts n1 off from everybody and waits until it is.
func (w *wire) cutOff(id fault.InjectionID) {
	w.t.Helper()
	sent := w.life(w.key, id, cutLease, everybody)
	w.accepted(sent[control.VerbPrepare], sent[control.VerbArm], sent[control.VerbFire])
	w.within(10*time.Second, "n1 is cut off", func() bool { return !w.reaches("n2", webOfN1) })
}

// commandable returns why the live injection can not be observed and renewed.
func (w *wire) commandable(id fault.InjectionID) error {
	ids := []fault.InjectionID{id}
	var o control.ObserveReply
	if err := w.call(control.VerbObserve, control.InjectionsRequest{IDs: ids}, &o); err != nil {
		return err
	}
	if len(o.Observed) != 1 || o.Observed[0].Observation.State != fault.Present {
		return fmt.Errorf("observed %+v", o)
	}
	var ack control.Ack
	if err := w.call(control.VerbRenew, control.RenewRequest{IDs: ids, Lease: cutLease}, &ack); err != nil {
		return err
	}
	if len(ack.Results) != 1 {
		return errors.New("not renewed")
	}
	return ack.Results[0].Error.Err()
}
