// Package service stops a service of systemd for a while, or restarts it, once or
// again and again, as a person with systemctl would.
//
// A service that is stopped stays stopped: it is masked until the fault ends, so
// that no Restart=, timer, connection or other unit brings it back. Sockets,
// timers and paths that start it are stopped and masked beside it; units that
// require it stop with it, as systemd has it. What ran before is started again at
// the end, and nothing else. Mask and end both need the manager to read its units
// again (systemctl daemon-reload).
//
// Processes end in order, by the unit's own ExecStop= and signals: kill does it
// by force, and powerloss loses what was not synced.
package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/keep"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/rounds"
)

// Kind is the name of this fault.
const Kind fault.Kind = "service"

func init() { fault.Register(Kind, fault.NewDriver(New())) }

// leastEvery keeps a service from being restarted all the time.
const leastEvery = time.Second

// The values of Params.Action.
const (
	stop    = "stop"
	restart = "restart"
)

// Params is what an experiment file may set.
type Params struct {
	Service string `json:"service" jsonschema:"minLength=1,title=the name of a service of systemd,example=postgresql,description=Service of systemd\\, with or without .service: postgresql or notes@3.service"`
	Action  string `json:"action,omitempty" jsonschema:"enum=stop,enum=restart,default=stop,description=What to do: stop keeps it stopped\\, and what would start it\\, until the fault ends; restart restarts it"`
	Every   string `json:"every,omitempty" jsonschema:"pattern=^([0-9]+([.][0-9]+)?(ms|s|m|h))+$,title=a duration,example=10s,description=With restart: again and again at this interval (default: once)"`
}

// Change is the change record.
type Change struct {
	Version int    `json:"version"`
	Owner   string `json:"owner"` // names the injection's mark
	Unit    string `json:"unit"`
	Action  string `json:"action"`
	Before  Life   `json:"before"`
	File    File   `json:"file"` // the unit was loaded from
	// Masks are the units that a stop masks: the service, and what starts it.
	Masks []string `json:"masks,omitempty"`
	// Ran are the units that ran and that a stop ends, in the order in which they
	// are started again.
	Ran   []string      `json:"ran,omitempty"`
	Every time.Duration `json:"every,omitempty"` // 0: once
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// Plugin is the fault.
type Plugin struct {
	runner *rounds.Runner[Life]
	// noEffect is a switch of tests: the manager is not asked to stop or restart.
	noEffect bool
}

// New returns the plugin.
func New() *Plugin { return &Plugin{runner: rounds.New[Life](Kind)} }

var _ fault.Plugin[Params, Change] = (*Plugin)(nil)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Stops a service of systemd and keeps it stopped, or restarts it, once or again and again.",
		PluginVersion: "1.0.0",
		Touches:       []string{"units of systemd", "processes"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_DAC_OVERRIDE"}, Features: []string{"systemd"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysProcesses,
	}
}

// Prepare implements fault.Plugin.
func (*Plugin) Prepare(ctx context.Context, _ fault.Target, p Params) (Change, error) {
	c := Change{Version: changeVersion, Owner: keep.NewOwner(), Action: p.Action}
	name, err := p.unit()
	if err != nil {
		return c, err
	}
	if c.Every, err = p.check(); err != nil {
		return c, err
	}
	if c.Action == "" {
		c.Action = stop
	}
	if !systemd.Running() {
		return c, fmt.Errorf("%w: systemd is not the service manager of this host; fault kill ends the processes of a service of any host", fault.ErrUnsupported)
	}
	m, err := systemd.Open(ctx)
	if err != nil {
		return c, err
	}
	defer m.Close()
	u, err := settled(ctx, m, name)
	if err != nil {
		return c, err
	}
	if err := refuse(ctx, m, name, u); err != nil {
		return c, err
	}
	c.Unit = u.Name
	if c.Before, err = lifeOf(u); err != nil {
		return c, err
	}
	if c.File, err = identify(u.File); err != nil {
		return c, err
	}
	if c.Action == restart {
		return c, c.prepareRestart(ctx, m, u)
	}
	return c, c.prepareStop(ctx, m, u)
}

// settleTime is how long a unit may have a job: a timer that starts what runs gives
// it one for a moment.
const settleTime = time.Second

// settled reads a unit when it has no job, or after a while.
func settled(ctx context.Context, m *systemd.Manager, name string) (u systemd.Unit, err error) {
	for end := time.Now().Add(settleTime); ; time.Sleep(10 * time.Millisecond) {
		if u, err = m.Unit(ctx, name); err != nil || !u.Busy || time.Now().After(end) {
			return u, err
		}
	}
}

// Apply implements fault.Plugin.
func (s *Plugin) Apply(ctx context.Context, t fault.Target, c Change, _, until fault.BootTime) error {
	if err := process.SameBoot(t); err != nil {
		return err
	}
	m, err := systemd.Open(ctx)
	if err != nil {
		return err
	}
	defer m.Close()
	_, begun, err := s.runner.Observe(s.plan(ctx, c))
	if err != nil {
		return err
	}
	if !begun {
		if err := c.unchanged(ctx, m); err != nil {
			return err
		}
	}
	return s.runner.Apply(s.plan(ctx, c), until, fault.Logger(ctx))
}

// unchanged reads again what Prepare read. A service that was restarted meanwhile
// is as it was.
func (c Change) unchanged(ctx context.Context, m *systemd.Manager) error {
	u, err := m.Unit(ctx, c.Unit)
	switch {
	case err != nil:
		return err
	case u.Load == "not-found":
		return fmt.Errorf("%w: systemd knows no %s any more", fault.ErrGone, c.Unit)
	case u.Load != "loaded":
		return fmt.Errorf("%w: %s is %s, it was loaded", fault.ErrChanged, c.Unit, u.Load)
	case u.Running() != c.Before.running():
		return fmt.Errorf("%w: %s is %s since", fault.ErrChanged, c.Unit, u.Active)
	}
	for _, name := range c.Masks {
		if masked, err := systemd.Masked(name); err != nil || masked {
			return fmt.Errorf("%w: %s has a mask in %s since", fault.ErrChanged, name, systemd.MaskPath(name))
		}
	}
	return spare(u)
}

// Revert implements fault.Plugin. Without a mark of this injection nothing was
// done, or all was undone.
func (s *Plugin) Revert(ctx context.Context, t fault.Target, c Change) error {
	if err := process.SameBoot(t); err != nil {
		return err // the masks went with the boot, which started what it starts
	}
	if c.Action == stop {
		_, begun, err := s.runner.Observe(s.plan(ctx, c))
		if err != nil || !begun {
			return err
		}
		err = c.giveBack(ctx)
		if err != nil && !errors.Is(err, fault.ErrStuck) && !errors.Is(err, fault.ErrGone) {
			return err // to be tried again
		}
		return errors.Join(err, s.runner.Revert(c.Owner))
	}
	return s.runner.Revert(c.Owner)
}

func (s *Plugin) plan(ctx context.Context, c Change) rounds.Plan[Life] {
	p := rounds.Plan[Life]{Owner: c.Owner, Every: c.Every, Gone: func(list []Life) (int, error) { return over(ctx, c.Unit, list) }}
	if c.Action == restart {
		p.Round = func() ([]Life, int, error) { return s.restart(c) }
	} else {
		p.Round = func() ([]Life, int, error) { return s.stop(c) }
	}
	return p
}
