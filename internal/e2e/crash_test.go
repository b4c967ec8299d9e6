package e2e

import (
	"syscall"
	"testing"
	"time"
)

// The machine is the same before and after, whatever dies in the middle.

func TestNormalRun(t *testing.T) {
	beside(t)
	d := start(t)
	if code := d.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	d.clean()
}

func TestInterrupt(t *testing.T) {
	beside(t)
	d := start(t)
	d.signal(syscall.SIGINT, d.cmd.Process.Pid)
	d.waitFor("everything reverted")
	if code := d.end(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	if r := d.report(); r.Outcome != "interrupted" || r.HostState != "clean" {
		t.Errorf("%+v", r)
	}
	d.clean()
}

func TestKilledInjector(t *testing.T) {
	beside(t)
	d := start(t)
	d.signal(syscall.SIGKILL, d.cmd.Process.Pid)
	d.end()
	d.clean()
}

// Each of these ends the injection on n1: the guardian or the agent reverts,
// the host is clean, and the run proves nothing.
func TestDeathsOnTheHost(t *testing.T) {
	agent := []string{"serve", "--name", "n1"}
	plugin := []string{"plugin", "partition"}
	cases := []struct {
		name string
		do   func(*drill)
	}{
		{"agent", func(d *drill) { d.signal(syscall.SIGKILL, d.descendants(agent...)...) }},
		{"plugin", func(d *drill) { d.signal(syscall.SIGKILL, d.descendants(plugin...)...) }},
		{"agent and plugin", func(d *drill) {
			d.signal(syscall.SIGKILL, append(d.descendants(agent...), d.descendants(plugin...)...)...)
		}},
		{"agent stalled", func(d *drill) {
			pids := d.descendants(agent...)
			d.signal(syscall.SIGSTOP, pids...)
			time.Sleep(5 * time.Second)
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGCONT) // it is dead: the guardian killed it
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			beside(t)
			d := start(t)
			c.do(d)
			code := d.end()
			r := d.report()
			if r.HostState != "clean" {
				t.Errorf("host state %q", r.HostState)
			}
			// A dead plugin leaves its fault in force, held by the kernel's lease and reverted from the journal.
			if c.name != "plugin" && (code != 2 || r.Verdict != "inconclusive") {
				t.Errorf("exit code %d, verdict %q, want inconclusive", code, r.Verdict)
			}
			d.clean()
		})
	}
}
