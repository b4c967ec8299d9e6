package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/internal/redfishtest"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// machineWorld is an agent beside a machine that has a management controller; the
// policy of its host is text.
func machineWorld(t *testing.T, text string) (*world, *redfishtest.Controller) {
	t.Helper()
	w := newWorld(t)
	c := redfishtest.New(t, redfishtest.Manners{On: true, Takes: 200 * time.Millisecond, Killed: true})
	w.must(os.MkdirAll(w.root, 0o700))
	w.must(os.WriteFile(filepath.Join(w.root, "policy.yaml"), []byte(text), 0o600))
	w.serve = []string{"--out-of-band", "--hosts", "h1", "--bmc", c.File(t, "h1", "")}
	w.start()
	return w, c
}

const allowMachines = "allow_machine_power: true\n"

func (w *world) switchOff() (fault.InjectionID, error) {
	return w.injectKind("powerloss", json.RawMessage(`{"mode": "machine-redfish"}`), hour)
}

// Without the host's own word no machine is switched, whoever orders it.
func TestMachineNeedsTheHostsWord(t *testing.T) {
	w, c := machineWorld(t, "max_hard_end: 2h\n")
	if _, err := w.switchOff(); err == nil || !strings.Contains(err.Error(), "say allow_machine_power: true") {
		t.Errorf("got %v", err)
	}
	if got := c.Orders(); len(got) > 0 {
		t.Errorf("orders: %v", got)
	}
}

// The agent dies while the machine is off: its guardian switches it on.
func TestAgentKilledWhileMachineIsOff(t *testing.T) {
	w, c := machineWorld(t, allowMachines)
	_, err := w.switchOff()
	w.must(err)
	if c.On() {
		t.Fatal("the machine is on")
	}
	w.must(w.agent.Kill())
	within(t, promiseDead, "the machine is on", c.On)
	within(t, 5*time.Second, "nothing is live in the journal", func() bool { return len(w.live()) == 0 })
	if past := w.past(); past[len(past)-1].By != journal.ByGuardian {
		t.Errorf("reverted by %s", past[len(past)-1].By)
	}
}

// The controller can't be reached at the end: that is said, the injection stays
// live, and it is ended as soon as the controller is there again.
func TestControllerGoneAtTheEnd(t *testing.T) {
	w, c := machineWorld(t, allowMachines)
	id, err := w.switchOff()
	w.must(err)
	c.Set(func(m *redfishtest.Manners) { m.Down = true })
	var reply control.RevertReply
	w.must(w.call(control.VerbRevert, control.InjectionsRequest{IDs: []fault.InjectionID{id}}, &reply))
	if e := reply.Ended[0].Error; e == nil || !strings.Contains(e.Message, "it stays as it is until its controller obeys, or switch it on by hand") {
		t.Errorf("revert without a controller: %+v", reply.Ended)
	}
	if len(w.live()) != 1 || c.On() {
		t.Errorf("%d live, machine on %t", len(w.live()), c.On())
	}
	c.Set(func(m *redfishtest.Manners) { m.Down = false })
	within(t, 10*time.Second, "the machine is on", c.On)
	within(t, 5*time.Second, "nothing is live in the journal", func() bool { return len(w.live()) == 0 })
}
