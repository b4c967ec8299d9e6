package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// limit is how long a service may take to stop or to start before the fault gives
// up waiting for it.
const limit = 20 * time.Second

// prepareStop notes what has to be masked and what will have to be started again.
func (c *Change) prepareStop(ctx context.Context, m *systemd.Manager, u systemd.Unit) error {
	c.Masks = []string{u.Name}
	var ends []systemd.Unit
	for _, name := range u.TriggeredBy {
		trigger, err := m.Unit(ctx, name)
		switch {
		case err != nil:
			return err
		case trigger.Load != "loaded":
			continue // it starts nothing
		case trigger.RefusesStop || trigger.RefusesStart || trigger.Transient:
			return fault.Refuse(field, "%s is started by %s, which may not be stopped or could not be started again", u.Name, name)
		}
		c.Masks = append(c.Masks, trigger.Name)
		if trigger.Running() {
			ends = append(ends, trigger)
		}
	}
	// systemd refuses a socket whose service runs, and a timer may start that as soon
	// as it is back.
	slices.SortStableFunc(ends, func(a, b systemd.Unit) int { return isSocket(b) - isSocket(a) })
	if u.Running() {
		ends = append(ends, u)
	}
	ends, err := withRequiring(ctx, m, ends)
	for _, end := range ends {
		c.Ran = append(c.Ran, end.Name)
	}
	return err
}

func isSocket(u systemd.Unit) int {
	if strings.HasSuffix(u.Name, ".socket") {
		return 1
	}
	return 0
}

// withRequiring adds the running units that stop with those of a list, because
// they require them. It refuses what must be spared.
func withRequiring(ctx context.Context, m *systemd.Manager, list []systemd.Unit) ([]systemd.Unit, error) {
	seen := map[string]bool{}
	for _, u := range list {
		seen[u.Name] = true
	}
	for i := 0; i < len(list); i++ {
		for _, name := range list[i].Requiring {
			if seen[name] {
				continue
			}
			seen[name] = true
			u, err := m.Unit(ctx, name)
			if err != nil {
				return nil, err
			}
			if !u.Running() {
				continue
			}
			if err := spare(u); err != nil {
				return nil, fault.Refuse(field, "with %s goes %s, which requires it: %v", list[i].Name, name, err)
			}
			list = append(list, u)
		}
	}
	return list, nil
}

// stop masks and stops, in that order.
func (s *Plugin) stop(c Change) (stopped []Life, missed int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	m, u, err := open(ctx, c.Unit)
	if err != nil {
		return nil, 0, err
	}
	defer m.Close()
	l, err := lifeOf(u)
	if err != nil {
		return nil, 0, err
	}
	if err := mask(c.Masks); err != nil {
		return nil, 0, err
	}
	// From here on the mark stays, and with it what Revert has to do.
	stopped = []Life{l}
	if err := m.Reload(ctx); err != nil {
		return stopped, 0, err
	}
	if err := c.masked(ctx, m); err != nil || s.noEffect {
		return stopped, 0, err
	}
	err = m.Stop(ctx, c.Masks...)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %s takes longer than %s to stop (TimeoutStopSec=); fault kill does not wait for it", err, c.Unit, limit)
	}
	return stopped, 0, err
}

// mask masks all units, or none.
func mask(names []string) error {
	for i, name := range names {
		err := systemd.Mask(name)
		if err == nil {
			continue
		}
		for _, done := range names[:i] {
			err = errors.Join(err, systemd.Unmask(done))
		}
		return err
	}
	return nil
}

// masked returns an error unless the manager holds all units for masked.
func (c Change) masked(ctx context.Context, m *systemd.Manager) error {
	for _, name := range c.Masks {
		u, err := m.Unit(ctx, name)
		if err != nil {
			return err
		}
		if u.Load != "masked" {
			return fmt.Errorf("mask unit %s: systemd says it is %s, from %s; take it out of /etc/systemd/system.control", name, u.Load, u.File)
		}
	}
	return nil
}

// giveBack takes the masks away and starts what ran. It takes no notice of how
// far stop came: what runs is not started again.
func (c Change) giveBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var foreign error
	for _, name := range c.Masks {
		err := systemd.Unmask(name)
		if errors.Is(err, systemd.ErrForeign) {
			foreign = fmt.Errorf("%w: %w", fault.ErrStuck, err)
		} else if err != nil {
			return err
		}
	}
	m, err := systemd.Open(ctx)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := c.readAnew(ctx, m); err != nil {
		return err
	}
	if down, err := m.Stopping(ctx); err != nil || down {
		return err // nothing is started any more
	}
	if foreign != nil {
		return foreign
	}
	return c.startAll(ctx, m)
}

// readAnew has the manager read all units again, which takes it long on a large
// host, unless it holds ours for what their files say: nothing was masked, or not
// for the manager.
func (c Change) readAnew(ctx context.Context, m *systemd.Manager) error {
	for _, name := range c.Masks {
		if u, err := m.Unit(ctx, name); err != nil || u.Load != "loaded" || u.Stale {
			return m.Reload(ctx)
		}
	}
	return nil
}

func (c Change) startAll(ctx context.Context, m *systemd.Manager) error {
	if err := c.clearWay(ctx, m); err != nil {
		return err
	}
	for _, name := range c.Ran {
		if err := start(ctx, m, name); err != nil {
			return err
		}
	}
	return nil
}

// clearWay looks for what stands against starting the units: another one that
// somebody started meanwhile and that can't run beside them is left, and a service
// that was not yet stopped when its socket was has to be, or the socket can't have
// its address; with its timers, or one may start it before the socket is back.
func (c Change) clearWay(ctx context.Context, m *systemd.Manager) error {
	service, err := m.Unit(ctx, c.Unit)
	if err != nil {
		return err
	}
	if service.Running() {
		for _, name := range c.Masks[1:] {
			u, err := m.Unit(ctx, name)
			if err != nil {
				return err
			}
			if slices.Contains(c.Ran, name) && !u.Running() {
				return m.Stop(ctx, c.ofOurs()...)
			}
		}
		return nil
	}
	for _, name := range service.Conflicting {
		u, err := m.Unit(ctx, name)
		if err != nil {
			return err
		}
		if u.Running() && slices.Contains(c.Ran, c.Unit) {
			return fmt.Errorf("%w: %s, which can't run beside %s, was started meanwhile", fault.ErrStuck, name, c.Unit)
		}
	}
	return nil
}

// ofOurs are the service and what starts it, as far as these ran before.
func (c Change) ofOurs() []string {
	return slices.DeleteFunc(slices.Clone(c.Masks), func(name string) bool { return name != c.Unit && !slices.Contains(c.Ran, name) })
}

// start starts a unit that ran before. Our own stops and starts count towards its
// start limit, so that is taken back where it was reached.
func start(ctx context.Context, m *systemd.Manager, name string) error {
	err := m.Start(ctx, name)
	switch {
	case errors.Is(err, systemd.ErrMasked):
		return fmt.Errorf("%w: somebody masked %s: %w", fault.ErrStuck, name, err)
	case errors.Is(err, systemd.ErrNoUnit):
		return fmt.Errorf("%w: somebody took %s away: %w", fault.ErrGone, name, err)
	case err == nil:
		return nil
	}
	u, uerr := m.Unit(ctx, name)
	if uerr != nil || u.Result != "start-limit-hit" {
		return errors.Join(err, uerr)
	}
	if err := m.ResetFailed(ctx, name); err != nil {
		return err
	}
	return m.Start(ctx, name)
}
