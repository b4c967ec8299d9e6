// Package kill ends the processes of a service, a control group or an
// executable with a signal, once or again and again.
//
// Processes are named by pid and start time and signalled through pidfds
// (pidfd_send_signal(2)), so that a pid that was given again is never hit. One
// that ends by itself before its signal is no error. Killing loses nothing that
// sits in the page cache: powerloss does that. What was killed can't be given
// back; whatever starts services here may do so at once, and does.
//
// The processes are those that are there when the fault begins. One that is born
// of them in that very moment may escape; every catches it.
package kill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/keep"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/rounds"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Kind is the name of this fault.
const Kind fault.Kind = "kill"

func init() { fault.Register(Kind, fault.NewDriver(New())) }

// leastEvery keeps a repetition from eating a CPU by itself.
const leastEvery = 100 * time.Millisecond

// Params is what an experiment file may set.
type Params struct {
	scope.Selection
	Signal string `json:"signal,omitempty" jsonschema:"enum=KILL,enum=TERM,default=KILL,description=Signal: KILL can't be caught\\, TERM lets programs end in order"`
	Every  string `json:"every,omitempty" jsonschema:"pattern=^([0-9]+([.][0-9]+)?(ms|s|m|h))+$,title=a duration,example=5s,description=Kill again and again at this interval\\, what was started anew too (default: once)"`
}

// Change is the change record.
type Change struct {
	Version   int             `json:"version"`
	Owner     string          `json:"owner"` // names the injection's mark
	Selection scope.Selection `json:"selection"`
	Found     []process.ID    `json:"found"` // when it was prepared
	Signal    unix.Signal     `json:"signal"`
	Every     time.Duration   `json:"every,omitempty"` // 0: once
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// Plugin is the fault.
type Plugin struct {
	runner *rounds.Runner[process.ID]
	// noEffect is a switch of tests: no signal is sent.
	noEffect bool
}

// New returns the plugin.
func New() *Plugin { return &Plugin{runner: rounds.New[process.ID](Kind)} }

var _ fault.Plugin[Params, Change] = (*Plugin)(nil)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Kills the processes of a service, a control group or a program, once or again and again.",
		PluginVersion: "1.0.0",
		Touches:       []string{"processes"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_KILL", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysProcesses,
	}
}

// Prepare implements fault.Plugin.
func (*Plugin) Prepare(_ context.Context, _ fault.Target, p Params) (Change, error) {
	c := Change{Version: changeVersion, Owner: keep.NewOwner(), Signal: unix.SIGKILL,
		Selection: p.Selection}
	switch p.Signal {
	case "", "KILL":
	case "TERM":
		c.Signal = unix.SIGTERM
	default:
		return c, fault.Refuse("signal", "%q is not one of KILL, TERM", p.Signal)
	}
	var err error
	if c.Every, err = rounds.ParseEvery(p.Every, leastEvery); err != nil {
		return c, err
	}
	c.Found, err = c.Selection.Find()
	return c, err
}

// Apply implements fault.Plugin. A host on which all ended meanwhile is as was
// asked for: Observe says that nothing was killed.
func (k *Plugin) Apply(ctx context.Context, t fault.Target, c Change, _, until fault.BootTime) error {
	if err := process.SameBoot(t); err != nil {
		return err
	}
	return k.runner.Apply(k.plan(c), until, fault.Logger(ctx))
}

// Revert implements fault.Plugin. It ends the repetition; what was killed stays
// killed.
func (k *Plugin) Revert(_ context.Context, _ fault.Target, c Change) error {
	return k.runner.Revert(c.Owner)
}

func (k *Plugin) plan(c Change) rounds.Plan[process.ID] {
	return rounds.Plan[process.ID]{
		Owner: c.Owner,
		Every: c.Every,
		Round: func() ([]process.ID, int, error) { return k.round(c) },
		Gone:  ended,
	}
}

// round signals all that are there at its beginning. It looks twice: a process
// may have forked while the first ones were signalled.
func (k *Plugin) round(c Change) (signalled []process.ID, missed int, err error) {
	began := process.Ticks(fault.Now())
	done := map[process.ID]bool{}
	for range 2 {
		list, err := c.Selection.List()
		if err != nil {
			return signalled, missed, fmt.Errorf("list processes: %w", err)
		}
		for _, p := range list {
			if done[p] || p.Start > began {
				continue
			}
			done[p] = true
			switch err := k.signal(p, c.Signal); {
			case errors.Is(err, process.ErrEnded):
				missed++
			case err != nil:
				return signalled, missed, err
			default:
				signalled = append(signalled, p)
			}
		}
	}
	return signalled, missed, nil
}

func (k *Plugin) signal(p process.ID, sig unix.Signal) error {
	if k.noEffect {
		return nil
	}
	return p.Signal(sig)
}

// ended is the meter: the kernel says of each pidfd whether its process ended.
func ended(list []process.ID) (n int, err error) {
	for _, p := range list {
		over, err := p.Ended()
		if err != nil {
			return n, err
		}
		if over {
			n++
		}
	}
	return n, nil
}

// Observe implements fault.Plugin. Present means that all that were signalled
// have ended and, of a repetition, that it goes on.
func (k *Plugin) Observe(_ context.Context, _ fault.Target, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{{Name: "processes ended", Value: float64(len(c.Found)), Unit: "processes"}}}
	t, present, err := k.runner.Observe(k.plan(c))
	if err != nil || !present {
		return o, err
	}
	// Of a repetition, or of a service that grew, more were asked for by now.
	o.Asked[0].Value = max(o.Asked[0].Value, float64(t.Acted))
	o.Achieved = []fault.Measure{
		{Name: "processes ended", Value: float64(t.Gone), Unit: "processes"},
		{Name: "ended by themselves before", Value: float64(t.Missed), Unit: "processes"},
		{Name: "rounds", Value: float64(t.Rounds), Unit: "rounds"},
	}
	o.State, o.Dose = fault.Present, fault.Exercised
	o.Detail = fmt.Sprintf("%d of %d processes that got %s have ended, in %d rounds", t.Gone, t.Acted, unix.SignalName(c.Signal), t.Rounds)
	switch {
	case t.Ended:
		o.State, o.Dose = fault.Partial, fault.NotInForce
		o.Detail += "; the repetition is over " + t.Failed
	case t.Acted == 0:
		o.State, o.Dose = fault.Partial, fault.NotInForce
		o.Detail = "nothing was left to be killed: all ended by themselves"
	case t.Gone < t.Acted:
		o.State, o.Dose = fault.Partial, fault.NotInForce
		if c.Signal == unix.SIGTERM {
			o.Detail += "; the others take their time or ignore it: signal KILL can't be ignored"
		}
	}
	return o, nil
}
