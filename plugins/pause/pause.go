// Package pause stops all processes of a control group where they stand and
// lets them go on later: a service that hangs, with its connections open and its
// memory in place.
//
// It uses the freezer of cgroup v2 (cgroup.freeze) or, where the group is not
// there, that of v1 (freezer.state), in place. No signal is sent, so that a
// program can't notice, refuse or outlive it, and processes that start meanwhile
// stop as well. Timers of the processes go on: what ran out is late, all at once.
// On v1 a stopped process does not even die by SIGKILL until it is let go.
//
// A program that is named by its executable has no freezer of its own: its processes
// and those that descend from them get SIGSTOP, which their parents can see, and
// anybody may let them go on. Those that begin meanwhile stop with the next renewal.
package pause

import (
	"context"
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Kind is the name of this fault.
const Kind fault.Kind = "pause"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

// stopTime is how long the processes may take to stand still: the kernel stopped
// 5,000 in 46 ms; one that waits for a disk stops when the disk has answered.
const stopTime = 2 * time.Second

// window is how long the processes are watched for CPU time.
const window = 100 * time.Millisecond

// Params is what an experiment file may set.
type Params struct {
	scope.Selection
}

// Change is the change record, of a group or of a program. Nothing of it stood still
// before: what did is refused.
type Change struct {
	Version int           `json:"version"`
	Freezer group.Freezer `json:"freezer,omitzero"`
	Program *program      `json:"program,omitempty"`
}

// pausable is what is stopped, of either kind.
type pausable interface {
	fmt.Stringer
	Asked(fault.Target) (bool, error)
	Frozen() (bool, error)
	Freeze(t fault.Target, limit time.Duration) error
	Thaw(fault.Target) error
	// Watch measures how long its processes are on a CPU in a while.
	Watch(ctx context.Context, while time.Duration) (processes int, ran time.Duration, err error)
}

func (c Change) pausable() pausable {
	if c.Program != nil {
		return c.Program
	}
	return c.Freezer
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// Plugin is the fault. The zero value is ready.
type Plugin struct{}

var _ fault.Plugin[Params, Change] = Plugin{}

// Describe implements fault.Plugin.
func (Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Stops the processes of a service, a control group or a program, and lets them go on.",
		PluginVersion: "1.0.0",
		Touches:       []string{"the freezer of a control group", "processes"},
		ConflictKeys:  []string{"freezer"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SYS_PTRACE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysNothing,
	}
}

// Prepare implements fault.Plugin.
func (Plugin) Prepare(_ context.Context, t fault.Target, p Params) (Change, error) {
	c := Change{Version: changeVersion}
	var err error
	if p.Executable != "" {
		c.Program, err = findProgram(p.Selection)
	} else {
		c.Freezer, err = group.FindFreezer(p.Scope)
	}
	if err != nil {
		return c, err
	}
	f := c.pausable()
	asked, err := f.Asked(t)
	if err != nil {
		return c, err
	}
	stopped, err := f.Frozen()
	if err != nil {
		return c, fmt.Errorf("read what of %s stands still: %w", f, err)
	}
	if asked || stopped {
		return c, fault.Refuse(p.Field(), "somebody stopped %s, or a group above it, already; let it go on first", f)
	}
	return c, nil
}

// Apply implements fault.Plugin.
func (Plugin) Apply(_ context.Context, t fault.Target, c Change, _, _ fault.BootTime) error {
	return c.pausable().Freeze(t, stopTime)
}

// Revert implements fault.Plugin.
func (Plugin) Revert(_ context.Context, t fault.Target, c Change) error { return c.pausable().Thaw(t) }

// Observe implements fault.Plugin. Present means that the group is asked to stop, or
// a process of the program stands still; in force, that all processes do by the kernel's count; exercised, that
// there are some and that none of them was on a CPU for a while.
func (Plugin) Observe(ctx context.Context, t fault.Target, c Change) (fault.Observation, error) {
	f := c.pausable()
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{frozen(true)}}
	asked, err := f.Asked(t)
	if err != nil {
		return o, err
	}
	stopped, err := f.Frozen()
	if err != nil {
		return o, fmt.Errorf("read what of %s stands still: %w", f, err)
	}
	o.Achieved = []fault.Measure{frozen(stopped)}
	if !asked {
		o.Detail = f.String() + " goes on"
		return o, nil
	}
	o.State = fault.Present
	pids, ran, err := f.Watch(ctx, window)
	if err != nil {
		return o, err
	}
	if stopped {
		o.Dose = fault.InForce
		if pids > 0 && ran == 0 {
			o.Dose = fault.Exercised
		}
	}
	o.Achieved = append(o.Achieved,
		fault.Measure{Name: "processes held", Value: float64(pids), Unit: "processes"},
		fault.Measure{Name: "cpu time meanwhile", Value: float64(ran.Microseconds()), Unit: "µs"})
	o.Detail = fmt.Sprintf("%s holds %d processes, which used %v of CPU in %v", f, pids, ran, window)
	return o, nil
}

func frozen(yes bool) fault.Measure {
	m := fault.Measure{Name: "frozen", Unit: "groups"}
	if yes {
		m.Value = 1
	}
	return m
}
