package main

import (
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/hostagent/internal/mock"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/failpoint"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// drive brings an injection through its whole life, or until the agent dies.
func (w *world) drive() {
	id, err := w.inject(mock.Params{}, time.Hour)
	if err != nil {
		return
	}
	_ = w.call(control.VerbRevert, control.InjectionsRequest{IDs: []fault.InjectionID{id}}, nil)
}

func (w *world) awaitEnd() {
	w.t.Helper()
	select {
	case <-w.ended:
	case <-time.After(10 * time.Second):
		w.t.Fatal("the agent did not reach the point")
	}
}

// TestAgentDiesAtEachStep: wherever the agent dies, its guardian leaves the
// host as it was found and the journal says so.
func TestAgentDiesAtEachStep(t *testing.T) {
	for _, p := range failpoint.Points() {
		t.Run(string(p), func(t *testing.T) {
			w := newWorld(t)
			w.start(failpoint.Env + "=serve/" + string(p))
			w.drive()
			w.reverted(promiseDead)
			w.awaitEnd()
		})
	}
}

// TestAllDieAtEachStep: wherever agent and guardian die, what is on disk is
// enough for a later process.
func TestAllDieAtEachStep(t *testing.T) {
	for _, p := range []failpoint.Point{failpoint.BeforeRevert, failpoint.AfterRevert, failpoint.BeforeReverted, failpoint.AfterReverted} {
		t.Run(string(p), func(t *testing.T) {
			w := newWorld(t)
			w.start(failpoint.Env + "=" + string(p))
			guard := w.state().Guardian
			w.drive()
			w.awaitEnd()
			within(t, 10*time.Second, "the guardian ends", func() bool { return !guard.Alive() })
			if code := w.run(nil, "revert", "--all"); code != exitOK {
				t.Errorf("revert --all: exit code %d", code)
			}
			w.reverted(0)
		})
	}
}

// TestRevertDiesAtEachStep: revert --all may be killed and run again.
func TestRevertDiesAtEachStep(t *testing.T) {
	for _, p := range []failpoint.Point{failpoint.BeforeRevert, failpoint.AfterRevert, failpoint.BeforeReverted, failpoint.AfterReverted} {
		t.Run(string(p), func(t *testing.T) {
			w := newWorld(t)
			w.start(failpoint.Env + "=guardian/" + string(failpoint.BeforeRevert))
			w.mustInject(mock.Params{}, time.Hour)
			guard := w.state().Guardian
			w.must(w.agent.Kill())
			w.awaitEnd()
			within(t, 10*time.Second, "the guardian ends", func() bool { return !guard.Alive() })
			if got := w.read(); got != after {
				t.Fatalf("the knob holds %q: the test shows nothing", got)
			}
			w.run([]string{failpoint.Env + "=" + string(p)}, "revert", "--all")
			if code := w.run(nil, "revert", "--all"); code != exitOK {
				t.Errorf("revert --all: exit code %d", code)
			}
			w.reverted(0)
			if by := w.past()[0].By; by != journal.ByRevert {
				t.Errorf("reverted by %q", by)
			}
		})
	}
}

// TestRevertRefusesBesideLiveAgent: only --force fences an agent that runs.
func TestRevertRefusesBesideLiveAgent(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.mustInject(mock.Params{}, time.Hour)
	if code := w.run(nil, "revert", "--all"); code != exitRefused {
		t.Errorf("exit code %d", code)
	}
	if got := w.read(); got != after {
		t.Fatalf("the knob holds %q", got)
	}
	if code := w.run(nil, "revert", "--all", "--force"); code != exitOK {
		t.Errorf("with --force: exit code %d", code)
	}
	w.reverted(0)
	w.awaitEnd()
}
