package runner

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/need"
)

// haltHosts runs injector halt against the agents of o's hosts.
func haltHosts(o Options) (string, error) {
	out, err := exec.Command("../../../bin/injector", "halt", "--nats", o.NATS, "--keys", o.Keys, "--inventory", o.Inventory).CombinedOutput()
	return string(out), err
}

// Agents are halted directly: the host that was dark has its power again, and
// the injector, which was not asked, halts too and says who did it.
func TestHaltAgentsDirectly(t *testing.T) {
	if _, err := os.Stat("../../../bin/injector"); err != nil {
		t.Skip(need.Prefix + string(need.Tools))
	}
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	var o Options
	out := &output{t: t, want: "in force on h1", seen: func() {
		go func() {
			text, err := haltHosts(o)
			answers <- answer{text, err}
		}()
	}}
	l, _, o2 := standingHosts(t, out)
	o = o2
	run, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if out.seen != nil {
		t.Fatalf("the fault was never in force\n%s", out)
	}
	a := <-answers
	if a.err != nil || !strings.Contains(a.text, "reverted oob-r1: dark/powerloss/h1 reverted") || !strings.Contains(a.text, "3 of 3 agents have nothing in force: h1 h2 oob-r1") {
		t.Errorf("injector halt: %v\n%s", a.err, a.text)
	}
	if run.Outcome != report.Halted || run.HostState != report.Clean || !strings.HasPrefix(run.Reason, "halted by root@") {
		t.Errorf("outcome %s, hosts %s, %q\n%s", run.Outcome, run.HostState, run.Reason, out)
	}
	if s, err := l.Power().Status(t.Context(), "h1"); err != nil || !s.On {
		t.Errorf("h1 after the halt: %+v, %v", s, err)
	}

	// With no injector at all, and nothing to revert.
	if text, err := haltHosts(o); err != nil || strings.Contains(text, "reverted ") {
		t.Errorf("second halt: %v\n%s", err, text)
	}
}

// A context that is cancelled by HaltedBy halts the run.
func TestHaltByContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	out := &output{t: t, want: "in force on h1", seen: func() { cancel(HaltedBy("a key")) }}
	run, err := Run(ctx, options(t, "http://h2:8080/", out))
	if err != nil {
		t.Fatal(err)
	}
	if run.Outcome != report.Halted || run.HostState != report.Clean || run.Reason != "halted by a key" {
		t.Errorf("outcome %s, hosts %s, %q\n%s", run.Outcome, run.HostState, run.Reason, out)
	}
	if f := run.Layouts[0].Faults[0]; f.Ended != "reverted" {
		t.Errorf("fault ended as %q\n%s", f.Ended, out)
	}
}
