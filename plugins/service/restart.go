package service

import (
	"context"
	"time"

	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// prepareRestart refuses a service that does not run, and a repetition that
// systemd itself would end with the service down, systemd.unit(5),
// StartLimitIntervalSec=.
func (c *Change) prepareRestart(ctx context.Context, m *systemd.Manager, u systemd.Unit) error {
	if !u.Running() {
		return fault.Refuse(field, "%s does not run (%s), so there is nothing to restart; start it first", u.Name, u.Active)
	}
	if c.Every > 0 && u.StartLimit > 0 && c.Every*time.Duration(u.StartLimit) <= u.StartLimitInterval {
		return fault.Refuse("every", "is %s, and systemd gives %s up after %d starts in %s (StartLimitBurst=); give more than %s",
			c.Every, u.Name, u.StartLimit, u.StartLimitInterval, u.StartLimitInterval/time.Duration(u.StartLimit))
	}
	_, err := withRequiring(ctx, m, []systemd.Unit{u})
	return err
}

// restart is a round: what runs is restarted; what does not is left, and counts as
// missed.
func (s *Plugin) restart(c Change) (restarted []Life, missed int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	m, u, err := open(ctx, c.Unit)
	if err != nil {
		return nil, 0, err
	}
	defer m.Close()
	if !u.Running() {
		return nil, 1, nil
	}
	if err := spare(u); err != nil {
		return nil, 0, err
	}
	l, err := lifeOf(u)
	if err != nil {
		return nil, 0, err
	}
	if !s.noEffect {
		err = m.Restart(ctx, u.Name)
	}
	return []Life{l}, 0, err
}
