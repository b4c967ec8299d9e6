package service

import (
	"context"
	"fmt"

	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/rounds"
)

// Observe implements fault.Plugin. Of a stop, present means that systemd holds the
// unit for masked and the kernel has no process of it; exercised, that the kernel
// saw a process end. Of restarts, present means that each ended what ran, on the
// kernel's word, and that the service runs again.
func (s *Plugin) Observe(ctx context.Context, _ fault.Target, c Change) (fault.Observation, error) {
	t, begun, err := s.runner.Observe(s.plan(ctx, c))
	if err != nil {
		return fault.Observation{}, err
	}
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce}
	var u systemd.Unit
	left := 0
	if systemd.Running() {
		if u, err = unitOf(ctx, c.Unit); err != nil {
			return o, err
		}
		if left, err = processes(u.Group); err != nil {
			return o, err
		}
	}
	if c.Action == restart {
		c.observeRestart(&o, t, begun, u)
	} else {
		c.observeStop(&o, t, begun, u, left)
	}
	if why := c.File.changed(); why != "" && begun {
		o.Detail += "; " + why
	}
	return o, nil
}

func unitOf(ctx context.Context, name string) (systemd.Unit, error) {
	m, u, err := open(ctx, name)
	if err == nil {
		m.Close()
	}
	return u, err
}

// open asks the manager for a unit. The caller must Close the manager.
func open(ctx context.Context, name string) (*systemd.Manager, systemd.Unit, error) {
	m, err := systemd.Open(ctx)
	if err != nil {
		return nil, systemd.Unit{}, err
	}
	u, err := m.Unit(ctx, name)
	if err != nil {
		m.Close()
		return nil, u, err
	}
	return m, u, nil
}

func (c Change) observeStop(o *fault.Observation, t rounds.Tally, begun bool, u systemd.Unit, left int) {
	o.Asked = []fault.Measure{processesLeft(0)}
	o.Achieved = []fault.Measure{processesLeft(left)}
	o.Detail = fmt.Sprintf("%s is %s and %s, with %d processes", c.Unit, u.Load, u.Active, left)
	if !begun {
		return
	}
	o.State = fault.Partial
	switch {
	case u.Load == "not-found":
		o.Detail += "; somebody took its file and the mask away"
	case u.Load != "masked":
		o.Detail += "; somebody took the mask away"
	case left == 0 && !u.Running() && u.Active != "deactivating":
		o.State, o.Dose = fault.Present, fault.InForce
	}
	if u.Running() && u.Invocation != c.Before.Invocation {
		o.Detail += fmt.Sprintf("; somebody started it, as invocation %.8s", u.Invocation)
	}
	if o.State == fault.Present && c.Before.Main != nil && t.Acted > 0 && t.Gone == t.Acted {
		o.Dose = fault.Exercised
		o.Detail += fmt.Sprintf("; its main process, %s, has ended", c.Before.Main)
	}
}

func (c Change) observeRestart(o *fault.Observation, t rounds.Tally, begun bool, u systemd.Unit) {
	o.Asked = []fault.Measure{restarts(max(1, t.Rounds))}
	o.Achieved = []fault.Measure{restarts(t.Gone), {Name: "rounds without a service to restart", Value: float64(t.Missed), Unit: "rounds"}}
	o.Detail = fmt.Sprintf("%s was restarted %d times in %d rounds and is %s", c.Unit, t.Gone, t.Rounds, u.Active)
	if !begun {
		return
	}
	o.State = fault.Partial
	switch {
	case t.Ended:
		o.Detail += "; the repetition is over " + t.Failed
	case t.Acted == 0:
		o.Detail += "; somebody stopped it, and nothing was left to be restarted"
	case t.Gone == t.Acted && u.Running():
		o.State, o.Dose = fault.Present, fault.Exercised
	case t.Gone == t.Acted:
		o.Detail += "; it did not come up again (" + u.Result + ")"
	}
}

func processesLeft(n int) fault.Measure {
	return fault.Measure{Name: "processes of the service", Value: float64(n), Unit: "processes"}
}

func restarts(n int) fault.Measure {
	return fault.Measure{Name: "restarts", Value: float64(n), Unit: "restarts"}
}
