package diskstall

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// mark is where the mark is. It holds when the stall began, on CLOCK_BOOTTIME.
func (c Change) mark() string { return filepath.Join(c.FileSystem.Path, c.Mark) }

// began reads the mark; ok is false if there is none. Reading works while the file
// system is frozen.
func (c Change) began() (at fault.BootTime, ok bool, err error) {
	b, err := os.ReadFile(c.mark())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read mark: %w", err)
	}
	n, _ := strconv.ParseInt(string(b), 10, 64) // nothing yet: Apply was killed before it froze
	return fault.BootTime(n), true, nil
}

// Apply implements fault.Plugin.
func (Plugin) Apply(_ context.Context, _ fault.Target, c Change, _, until fault.BootTime) error {
	if err := c.FileSystem.Check(); err != nil {
		return err
	}
	frozen, err := c.FileSystem.Frozen()
	if err != nil {
		return err
	}
	began, marked, err := c.began()
	if err != nil {
		return err
	}
	now := fault.Now()
	if !marked || began == 0 {
		began = now
	}
	if until == 0 || until.Sub(began) > longest {
		return fault.Refuse("", "the writes of %s would hang for more than %v; end the stage sooner", c.FileSystem.Mount, longest)
	}
	if frozen {
		if !marked {
			return fmt.Errorf("%w: somebody froze %s", fault.ErrChanged, c.FileSystem.Mount)
		}
		return nil // again, or a renewal
	}
	if err := os.WriteFile(c.mark(), []byte(strconv.FormatInt(int64(began), 10)), 0o600); err != nil {
		return errors.Join(fmt.Errorf("write mark: %w", err), c.unmark())
	}
	return c.freeze(until)
}

// freeze takes as long as the disk takes to be flushed. If the stall ended
// meanwhile, whoever reverted found nothing to thaw: then it is thawed here.
func (c Change) freeze(until fault.BootTime) error {
	err := c.FileSystem.Freeze()
	if errors.Is(err, unix.EBUSY) {
		// Not removed before it is thawed: the removal would hang.
		return fmt.Errorf("%w: somebody froze %s this moment", fault.ErrChanged, c.FileSystem.Mount)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("freeze %s: %w", c.FileSystem.Mount, err), c.unmark())
	}
	_, marked, err := c.began()
	if err == nil && marked && fault.Now() < until {
		return nil
	}
	err = errors.Join(fmt.Errorf("freeze %s: it took until the stall was to end", c.FileSystem.Mount), err, c.FileSystem.Thaw())
	return errors.Join(err, c.unmark())
}

// Revert implements fault.Plugin. It thaws before it writes anything.
func (Plugin) Revert(_ context.Context, _ fault.Target, c Change) error {
	if err := c.FileSystem.Check(); err != nil {
		return err
	}
	_, marked, err := c.began()
	if err != nil || !marked {
		return err // never applied, or reverted before
	}
	// EINVAL: it is not frozen.
	if err := c.FileSystem.Thaw(); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("thaw %s: %w", c.FileSystem.Mount, err)
	}
	return c.unmark()
}

// unmark removes the mark of a file system that is not frozen.
func (c Change) unmark() error {
	if err := os.Remove(c.mark()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove mark: %w", err)
	}
	return nil
}

// Observe implements fault.Plugin. Present means that our mark is there and that
// the file system is frozen; that is seen by a write that was held up, so it is
// exercised as well.
func (Plugin) Observe(_ context.Context, _ fault.Target, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{stalled(true)}}
	if err := c.FileSystem.Check(); err != nil {
		return o, err
	}
	began, marked, err := c.began()
	if err != nil {
		return o, err
	}
	frozen, err := c.FileSystem.Frozen()
	if err != nil {
		return o, err
	}
	o.Achieved = []fault.Measure{stalled(frozen)}
	switch {
	case marked && frozen:
		o.State, o.Dose = fault.Present, fault.Exercised
		o.Detail = fmt.Sprintf("writes to %s hang since %v", c.FileSystem.Mount, fault.Now().Sub(began).Round(1e6))
	case marked:
		o.State = fault.Partial
		o.Detail = c.FileSystem.Mount + " takes writes, our mark is still there"
	case frozen:
		o.Detail = c.FileSystem.Mount + " is frozen by somebody else"
	default:
		o.Detail = c.FileSystem.Mount + " takes writes"
	}
	return o, nil
}

func stalled(yes bool) fault.Measure {
	m := fault.Measure{Name: "stalled", Unit: "file systems"}
	if yes {
		m.Value = 1
	}
	return m
}
