package powerloss

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// window is how long the processes are watched for CPU time.
const window = 100 * time.Millisecond

// seen is what is there of a cut.
type seen struct {
	frozen    int // groups, by the kernel's count of their processes
	asked     int // groups that were told to stand still
	processes int
	ran       time.Duration // CPU time of them in window
	live      int           // file systems that reach their disk
}

func (w *workload) look(ctx context.Context, t fault.Target, dark bool) (s seen, err error) {
	for _, f := range w.Groups {
		asked, err := f.Asked(t)
		if errors.Is(err, fault.ErrGone) {
			continue
		}
		if err != nil {
			return s, err
		}
		stopped, err := f.Frozen()
		if err != nil {
			return s, fmt.Errorf("read freezer of %s: %w", f.Group.Path, err)
		}
		if asked {
			s.asked++
		}
		if asked && stopped {
			s.frozen++
			n, ran, err := f.Group.Watch(ctx, window)
			if err != nil {
				return s, err
			}
			s.processes, s.ran = s.processes+n, s.ran+ran
		}
	}
	for _, f := range w.FileSystems {
		live, err := f.Live(dark && s.asked > 0)
		if err != nil {
			return s, err
		}
		s.live += count(live)
	}
	return s, nil
}

// observe reads all from the kernel: canaries meter the darkness, the CPU time of
// the processes that they stand still.
func (m workloadMode) observe(ctx context.Context, t fault.Target, c Change) (fault.Observation, error) {
	w := c.Workload
	if w == nil {
		return fault.Observation{}, errNoWorkload
	}
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Called: w.called(), Asked: w.measures(len(w.Groups), 0)}
	if err := process.SameBoot(t); err != nil {
		o.Detail = err.Error()
		return o, nil
	}
	network, err := m.network.Observe(t, w.Network, 1)
	if err != nil {
		return o, err
	}
	s, err := w.look(ctx, t, network.Present > 0)
	if err != nil {
		return o, err
	}
	o.Achieved = append(w.measures(s.frozen, s.live),
		fault.Measure{Name: "packets cut", Value: float64(network.Acted), Unit: "packets"},
		fault.Measure{Name: "cpu time meanwhile", Value: float64(s.ran.Microseconds()), Unit: "µs"})
	o.Detail = fmt.Sprintf("%s; %d of %d groups stand still with %d processes, which used %v of CPU in %v; %d of %d file systems reach their disk",
		network.Detail("cut"), s.frozen, len(w.Groups), s.processes, s.ran, window, s.live, len(w.FileSystems))
	if len(w.FileSystems) == 0 {
		o.Detail += "; none was named, so that nothing unsynced is lost"
	}
	whole := network.State() == fault.Present && s.asked == len(w.Groups) && s.live == 0
	switch {
	case whole:
		o.State = fault.Present
	case network.State() != fault.Absent || s.asked > 0 || s.live < len(w.FileSystems) || w.Units.Held():
		o.State = fault.Partial
	}
	if whole && network.Dose() != fault.NotInForce && s.frozen == len(w.Groups) && s.processes > 0 {
		o.Dose = fault.InForce
		if network.Dose() == fault.Exercised && s.ran == 0 {
			o.Dose = fault.Exercised
		}
	}
	return o, nil
}

func (w *workload) measures(frozen, live int) []fault.Measure {
	return []fault.Measure{
		{Name: "groups that stand still", Value: float64(frozen), Unit: "groups"},
		{Name: "file systems with a disk", Value: float64(live), Unit: "file systems"},
	}
}
