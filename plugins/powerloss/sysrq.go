package powerloss

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// sysrqMode restarts the machine from inside: the kernel is told to reset it at
// once, without a sync (sysrq b, Documentation/admin-guide/sysrq.rst). The agent
// goes down with it. The host is dark for as long as it takes to boot, not until
// the end of the injection; the agent of the next boot finds the record and knows
// from the boot id what has happened.
type sysrqMode struct {
	trigger string // /proc/sysrq-trigger, or a file of the test
	ns      uint64 // inode of the machine's own pid namespace, or one of the test
}

const (
	sysrqTrigger = "/proc/sysrq-trigger"
	// firstPIDNS is the inode of the pid namespace that the kernel starts in,
	// PROC_PID_INIT_INO of linux/proc_ns.h. A host of the lab and a container have
	// another one: there the trigger would restart the machine that carries them.
	firstPIDNS = 0xEFFFFFFC
	// resetLimit is how long a machine may go on running after the order.
	resetLimit = 5 * time.Second
)

func (sysrqMode) describe() fault.Mode { return fault.Mode{Machine: true} }

func (m sysrqMode) prepare(_ context.Context, t fault.Target, p Params, _ *Change) error {
	if err := p.wholeMachine(ModeSysrq); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return fmt.Errorf("find pid namespace: %w", err)
	}
	switch {
	case st.Ino != m.ns:
		return fault.Refuse("mode", "host %s is no machine of its own: it shares a kernel with others, which would be restarted too", t.Host)
	case t.BootID == "":
		return fault.Refuse("", "the agent does not say which boot of host %s this is; give agent and plugin the same version", t.Host)
	}
	f, err := os.OpenFile(m.trigger, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("%w: %w; the kernel needs CONFIG_MAGIC_SYSRQ", fault.ErrUnsupported, err)
	}
	return f.Close()
}

// apply does not return if it goes well. The record is on disk by then: the agent
// synced it before.
func (m sysrqMode) apply(ctx context.Context, items []fault.Item[Change], _ fault.BootTime) []error {
	errs := make([]error, len(items))
	for i, it := range items {
		errs[i] = errors.Join(process.SameBoot(it.Target), ctx.Err())
		if errs[i] == nil {
			fault.Mark(ctx, Began)
			errs[i] = m.reset(ctx, it.Target.Host)
		}
	}
	return errs
}

func (m sysrqMode) reset(ctx context.Context, host string) error {
	f, err := os.OpenFile(m.trigger, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("restart host %s: %w", host, err)
	}
	defer f.Close()
	if _, err := f.WriteString("b"); err != nil {
		return fmt.Errorf("restart host %s: %w", host, err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(resetLimit):
	}
	return fmt.Errorf("restart host %s: it still runs after the kernel took the order", host)
}

// observe: while this boot lasts there is nothing to see, and in the next one it is
// over. What proves it is that the agent's record is of another boot.
func (sysrqMode) observe(_ context.Context, t fault.Target, _ Change) (fault.Observation, error) {
	since := errors.Is(process.SameBoot(t), fault.ErrGone)
	restarts := func(n int) []fault.Measure {
		return []fault.Measure{{Name: "restarts", Value: float64(n), Unit: "restarts"}}
	}
	return fault.Observation{
		State: fault.Absent, Dose: fault.NotInForce, Asked: restarts(1), Achieved: restarts(count(since)),
		Detail: fmt.Sprintf("the host was booted since: %t", since),
	}, nil
}

// revert has nothing to do: a machine that restarts comes back by itself.
func (sysrqMode) revert(context.Context, fault.Target, Change) error { return nil }
