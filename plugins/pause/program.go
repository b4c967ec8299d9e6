package pause

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// program is what is recorded of a program: its processes, and those that descend
// from them, are stopped by SIGSTOP (signal(7)), as it has no freezer of its own.
type program struct {
	Selection scope.Selection `json:"selection"`
	Found     []process.ID    `json:"found"` // when it was prepared
}

func findProgram(s scope.Selection) (*program, error) {
	p := &program{Selection: s}
	_, err := p.Selection.Find()
	if err != nil {
		return nil, err
	}
	p.Found, err = p.members()
	return p, err
}

// String names it for people.
func (p *program) String() string { return "program " + p.Selection.Executable }

// members are the processes that are meant now.
func (p *program) members() ([]process.ID, error) {
	list, err := p.Selection.List()
	if err != nil {
		return nil, err
	}
	return p.Selection.WithDescendants(list)
}

// Watch measures how long the members are on a CPU in a while.
func (p *program) Watch(ctx context.Context, while time.Duration) (processes int, ran time.Duration, err error) {
	list, err := p.members()
	if err != nil {
		return 0, 0, err
	}
	pids := make([]int, 0, len(list))
	for _, m := range list {
		pids = append(pids, m.PID)
	}
	ran, err = group.Watch(ctx, pids, while)
	return len(pids), ran, err
}

// stopped counts the members that stand still.
func (p *program) stopped() (n, of int, err error) {
	list, err := p.members()
	if err != nil {
		return 0, 0, err
	}
	for _, m := range list {
		switch still, err := m.Stopped(); {
		case errors.Is(err, process.ErrEnded):
		case err != nil:
			return n, of, err
		default:
			of++
			if still {
				n++
			}
		}
	}
	return n, of, nil
}

// Asked says whether a member was stopped by somebody; fault.ErrGone if none is left.
func (p *program) Asked(t fault.Target) (bool, error) {
	if err := process.SameBoot(t); err != nil {
		return false, err
	}
	n, of, err := p.stopped()
	if err == nil && of == 0 {
		err = fmt.Errorf("%w: no process runs %s any more", fault.ErrGone, p.Selection.Executable)
	}
	return n > 0, err
}

// Frozen says whether all members stand still.
func (p *program) Frozen() (bool, error) {
	n, of, err := p.stopped()
	return n > 0 && n == of, err
}

// Freeze stops the members, those that began since as well, and waits for at most
// limit until all stand still; else they are let go on again.
func (p *program) Freeze(t fault.Target, limit time.Duration) error {
	if _, err := p.Asked(t); err != nil {
		return err
	}
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		// Again each time: one may have forked before it stood still.
		err := p.signal(unix.SIGSTOP, nil)
		all := false
		if err == nil {
			all, err = p.Frozen()
		}
		if all {
			return nil
		}
		if err == nil && time.Now().After(end) {
			err = fmt.Errorf("stop %s: a process of it does not stop within %v, as it waits in the kernel; see what it waits for", p, limit)
		}
		if err != nil {
			return errors.Join(err, p.Thaw(t))
		}
	}
}

// Thaw lets the members go on, and those of the record that are no members any more.
func (p *program) Thaw(t fault.Target) error {
	if err := process.SameBoot(t); err != nil {
		return err
	}
	return p.signal(unix.SIGCONT, p.Found)
}

// signal sends a signal to the members, and to more, that do not stand as it would
// have them.
func (p *program) signal(sig unix.Signal, more []process.ID) error {
	list, err := p.members()
	errs := []error{err}
	for _, m := range append(list, more...) {
		still, err := m.Stopped()
		if err == nil && still != (sig == unix.SIGSTOP) {
			err = m.Signal(sig)
		}
		if err != nil && !errors.Is(err, process.ErrEnded) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
