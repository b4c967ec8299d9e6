package powerloss

import (
	"context"
	"errors"
	"fmt"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

func (m workloadMode) apply(ctx context.Context, items []fault.Item[Change], until fault.BootTime) []error {
	errs := make([]error, len(items))
	for i, it := range items {
		errs[i] = m.cut(ctx, it.Target, it.Change, until)
	}
	return errs
}

// cut takes the power, or holds on to a cut that is in place. Once the host is dark
// it goes on to its end whatever happens.
func (m workloadMode) cut(ctx context.Context, t fault.Target, c Change, until fault.BootTime) error {
	w := c.Workload
	if w == nil {
		return errNoWorkload
	}
	if err := process.SameBoot(t); err != nil {
		return err
	}
	s, err := traffic.Reopen(t, w.Network)
	if err != nil {
		return err
	}
	defer s.Close()
	there, err := s.Read(w.Network)
	if err != nil {
		return err
	}
	if there.Present == 0 {
		if err := errors.Join(w.unchanged(t), ctx.Err()); err != nil {
			return err
		}
		if err := w.Units.Hold(); err != nil {
			return err
		}
		var flapped []error
		c.Brownout.run(ctx, func() {
			flapped = append(flapped, m.network.ApplyIn(ctx, s, w.Network, until, nil), w.freeze(t))
			m.pass(Flapped)
		}, func() {
			flapped = append(flapped, w.thaw(t), m.network.RevertIn(s, w.Network))
		})
		if err := errors.Join(flapped...); err != nil {
			return err
		}
	}
	m.mark(ctx, Began)
	if err := m.network.ApplyIn(ctx, s, w.Network, until, nil); err != nil {
		return err
	}
	m.mark(ctx, Dark)
	errs := []error{w.freeze(t)}
	m.mark(ctx, Frozen)
	for _, f := range w.FileSystems {
		errs = append(errs, f.ShutDown())
	}
	m.mark(ctx, Shutdown)
	return errors.Join(errs...)
}

// errNoWorkload says that a record lacks what it must hold.
var errNoWorkload = fmt.Errorf("the change record of mode %s holds no workload", ModeWorkload)

// unchanged compares the host with the record.
func (w *workload) unchanged(t fault.Target) error {
	for _, f := range w.Groups {
		asked, err := f.Asked(t)
		if err != nil {
			return err
		}
		if asked {
			return fmt.Errorf("%w: somebody froze %s", fault.ErrChanged, f.Group.Path)
		}
	}
	for _, f := range w.FileSystems {
		if err := f.Same(); err != nil {
			return err
		}
		holder, err := f.Holder(w.members)
		if err != nil {
			return err
		}
		if holder != "" {
			return fmt.Errorf("%w: %s is also used by %s", fault.ErrChanged, f.Mount, holder)
		}
	}
	return w.Units.Free()
}

func (w *workload) freeze(t fault.Target) error {
	var errs []error
	for _, f := range w.Groups {
		if err := f.Hold(t, freezeLimit); !errors.Is(err, fault.ErrGone) { // killed meanwhile, by a watchdog
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// thaw lets the groups go on; one that is gone has nothing to go on.
func (w *workload) thaw(t fault.Target) error {
	var errs []error
	for _, f := range w.Groups {
		if err := f.Thaw(t); !errors.Is(err, fault.ErrGone) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (m workloadMode) mark(ctx context.Context, phase string) {
	fault.Mark(ctx, phase)
	m.pass(phase)
}

func (m workloadMode) pass(phase string) {
	if m.passed != nil {
		m.passed(phase)
	}
}
