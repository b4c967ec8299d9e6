//go:build soak

package e2e

import (
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

var rounds = flag.Int("rounds", 20, "of TestSoak")

// endings are the ways in which a round ends, in turn.
var endings = []struct {
	name string
	do   func(*testing.T)
}{
	{"partition, to its end", TestNormalRun},
	{"power cut, to its end", powerCut(func(d *drill) int { return 0 })},
	{"power cut, interrupted while dark", powerCut(func(d *drill) int {
		d.signal(syscall.SIGINT, d.cmd.Process.Pid)
		return 130
	})},
	{"power cut, injector killed while dark", powerCut(func(d *drill) int {
		d.signal(syscall.SIGKILL, d.cmd.Process.Pid)
		return -1
	})},
	{"power cut, out-of-band agent killed while dark", powerCut(func(d *drill) int {
		d.signal(syscall.SIGKILL, d.descendants("serve", "--out-of-band")...)
		return 2
	})},
	{"partition, interrupted", TestInterrupt},
	{"partition, injector killed", TestKilledInjector},
	{"partition, agent and plugin killed", func(t *testing.T) {
		d := start(t)
		d.signal(syscall.SIGKILL, append(d.descendants("serve", "--name", "n1"), d.descendants("plugin", "partition")...)...)
		d.endClean(2)
	}},
}

// TestSoak runs round after round, each in a lab of its own, and looks for what
// is left after each.
func TestSoak(t *testing.T) {
	for i := range *rounds {
		e := endings[i%len(endings)]
		if !t.Run(fmt.Sprintf("%03d %s", i+1, e.name), e.do) {
			return // what is left would spoil the rounds to come
		}
	}
}

// powerCut runs the experiment that injector init writes. During the cut disturb
// does something and returns the exit code that calls for.
func powerCut(disturb func(*drill) int) func(*testing.T) {
	return func(t *testing.T) {
		d := startIn(t, func(dir string) error {
			return exec.Command(filepath.Join(bin, "injector"), "init", dir).Run()
		})
		d.endClean(disturb(d))
	}
}

// endClean fails unless the run ends with code and leaves nothing. -1: it was
// killed, and left no report.
func (d *drill) endClean(code int) {
	d.t.Helper()
	began := time.Now()
	if got := d.end(); got != code {
		d.t.Errorf("exit code %d, want %d", got, code)
	}
	if code >= 0 {
		if r := d.report(); r.HostState != "clean" {
			d.t.Errorf("host state %q", r.HostState)
		}
	}
	d.clean()
	d.t.Logf("ended and clean after %v", time.Since(began).Round(time.Millisecond))
}
