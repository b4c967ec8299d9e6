package e2e

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Somebody at another terminal halts the run: it reverts, and both sides say
// what was done and who asked.
func TestHaltFromAnotherTerminal(t *testing.T) {
	beside(t)
	d := start(t)
	runs, err := filepath.Glob(filepath.Join(d.dir, "runs", "*"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("%v, %v: want one run", runs, err)
	}
	run := filepath.Base(runs[0])
	out, err := exec.Command(filepath.Join(bin, "injector"), "halt", run).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "reverted cut/partition/n1\n") {
		t.Errorf("injector halt: %v\n%s", err, out)
	}
	if code := d.end(); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	r := d.report()
	if r.Outcome != "halted" || r.HostState != "clean" || !strings.HasPrefix(r.Reason, "halted by root (injector halt, pid ") {
		t.Errorf("%+v", r)
	}
	d.clean()

	out, err = exec.Command(filepath.Join(bin, "injector"), "halt", run).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 5 || !strings.Contains(string(out), "no run") {
		t.Errorf("halt of a run that is over: %v\n%s", err, out)
	}
}
