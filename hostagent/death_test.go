package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/hostagent/internal/mock"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// What is promised is asserted at five times its value: the machine is shared.
const (
	promiseDead    = 5 * time.Second
	promiseStalled = 5 * 4 * time.Second
	hour           = time.Hour
)

func empty(group string) bool {
	b, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	return err != nil || len(b) == 0
}

// plugins lists the plugin processes of the agent.
func (w *world) plugins() []int {
	w.t.Helper()
	var pids []int
	s := w.state()
	for _, dir := range s.Groups {
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		w.must(err)
		for _, f := range strings.Fields(string(b)) {
			pid, err := strconv.Atoi(f)
			w.must(err)
			pids = append(pids, pid)
		}
	}
	for _, p := range s.Plugins {
		pids = append(pids, p.PID)
	}
	return pids
}

func (w *world) past() []journal.Record {
	_, ended, _, err := journal.Read(journal.Path(w.root))
	w.must(err)
	return ended
}

func TestRevertOnOrder(t *testing.T) {
	w := newWorld(t)
	w.start()
	id := w.mustInject(mock.Params{}, hour)
	var reply control.RevertReply
	w.must(w.call(control.VerbRevert, control.InjectionsRequest{IDs: []fault.InjectionID{id}}, &reply))
	if len(reply.Ended) != 1 || reply.Ended[0].Phase != string(journal.Reverted) {
		t.Fatalf("%+v", reply)
	}
	w.reverted(0)
	within(t, time.Second, "the plugin ends", func() bool { return len(w.plugins()) == 0 })
}

func TestAgentKilled(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.mustInject(mock.Params{}, hour)
	began := time.Now()
	w.must(w.agent.Kill())
	w.reverted(promiseDead)
	t.Logf("reverted %s after the agent's death", time.Since(began))
	if by := w.past()[0].By; by != journal.ByGuardian {
		t.Errorf("reverted by %q", by)
	}
	w.start()
	var s control.StatusReply
	w.must(w.call(control.VerbStatus, nil, &s))
	if !s.TookOver {
		t.Error("the new agent does not say that the run lost an injection")
	}
}

func TestPluginKilled(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.mustInject(mock.Params{}, hour)
	for _, pid := range w.plugins() {
		w.must(syscall.Kill(pid, syscall.SIGKILL))
	}
	w.reverted(promiseDead)
	if w.past()[0].Error == nil {
		t.Error("the journal does not say that the plugin died")
	}
}

func TestAgentAndPluginKilled(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.mustInject(mock.Params{}, hour)
	w.must(w.agent.Signal(syscall.SIGSTOP)) // so that it does not react to the plugin's death
	for _, pid := range w.plugins() {
		w.must(syscall.Kill(pid, syscall.SIGKILL))
	}
	w.must(w.agent.Kill())
	w.reverted(promiseDead)
}

func TestAgentStoppedPastTakeOver(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.mustInject(mock.Params{}, hour)
	began := time.Now()
	w.must(w.agent.Signal(syscall.SIGSTOP))
	w.reverted(promiseStalled)
	t.Logf("reverted %s after the agent stopped", time.Since(began))
	_ = w.agent.Signal(syscall.SIGCONT) // it is dead: nothing it could still do
	select {
	case <-w.ended:
		if w.code != 128+int(syscall.SIGKILL) {
			t.Errorf("the agent ended with %d", w.code)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the stopped agent lives")
	}
}

// A stop shorter than the take-over changes nothing.
func TestAgentStoppedShortly(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.mustInject(mock.Params{}, hour)
	w.must(w.agent.Signal(syscall.SIGSTOP))
	time.Sleep(time.Second)
	w.must(w.agent.Signal(syscall.SIGCONT))
	time.Sleep(3 * time.Second)
	if got := w.read(); got != after {
		t.Fatalf("the knob holds %q", got)
	}
}

func TestGuardianKilledIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.mustInject(mock.Params{}, hour)
	old := w.state().Guardian
	w.must(syscall.Kill(old.PID, syscall.SIGKILL))
	within(t, 10*time.Second, "another guardian", func() bool {
		g := w.state().Guardian
		return g != old && g.Alive()
	})
	if got := w.read(); got != after {
		t.Fatalf("the knob holds %q", got)
	}
	w.must(w.agent.Kill())
	w.reverted(promiseDead)
}

// With agent and guardian dead the next start reverts before it serves.
func TestAgentAndGuardianKilled(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.mustInject(mock.Params{}, hour)
	s := w.state()
	w.must(syscall.Kill(s.Guardian.PID, syscall.SIGKILL))
	w.must(w.agent.Kill())
	<-w.ended
	if got := w.read(); got != after {
		t.Fatalf("the knob holds %q: the test shows nothing", got)
	}
	w.start()
	w.reverted(0)
}

func TestLeaseRunsOut(t *testing.T) {
	w := newWorld(t)
	w.start()
	id := w.mustInject(mock.Params{}, 2*time.Second)
	var ack control.Ack
	renew := control.RenewRequest{IDs: []fault.InjectionID{id}, Lease: 3 * time.Second}
	w.must(w.call(control.VerbRenew, renew, &ack))
	time.Sleep(1500 * time.Millisecond)
	if got := w.read(); got != after {
		t.Fatalf("renewed, but the knob holds %q", got)
	}
	w.reverted(promiseDead)
	w.must(w.call(control.VerbRenew, renew, &ack))
	if ack.Results[0].Error == nil {
		t.Error("a lease that had run out was renewed")
	}
}

// A stop that was asked for leaves nothing.
func TestSigtermReverts(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.mustInject(mock.Params{}, hour)
	w.must(w.agent.Signal(syscall.SIGTERM))
	select {
	case <-w.ended:
		if w.code != exitOK {
			t.Errorf("exit code %d", w.code)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the agent does not end")
	}
	w.reverted(0)
}

// Somebody else's value is left, and the injection is stuck.
func TestSomebodyElsesValueIsLeft(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.mustInject(mock.Params{}, hour)
	w.must(os.WriteFile(w.knob, []byte("somebody!\n"), 0o600))
	var reply control.RevertReply
	w.must(w.call(control.VerbHalt, nil, &reply))
	if len(reply.Ended) != 1 || reply.Ended[0].Phase != string(journal.Stuck) {
		t.Errorf("%+v", reply)
	}
	if got := w.read(); got != "somebody!\n" {
		t.Errorf("the knob holds %q", got)
	}
}
