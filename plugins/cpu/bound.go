package cpu

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// bound is a thread that may run on fewer CPUs than its group, by
// sched_setaffinity(2).
type bound struct {
	TID   int     `json:"tid"`
	Start uint64  `json:"start"` // field 22 of proc_pid_stat(5): a tid is given again
	CPUs  cpuList `json:"cpus"`
}

// findBound lists the threads of a group that do not run on all its CPUs.
func findBound(g group.Group, all cpuList) (found []bound, err error) {
	tids, err := threads(g)
	if err != nil {
		return nil, err
	}
	for _, tid := range tids {
		cpus, err := affinity(tid)
		if err != nil || slices.Equal(cpus, all) {
			continue // ended, or as its group
		}
		if start, err := process.Started(tid); err == nil {
			found = append(found, bound{TID: tid, Start: start, CPUs: cpus})
		}
	}
	return found, nil
}

// threads lists the threads of the group and of those below it.
func threads(g group.Group) (tids []int, err error) {
	pids, err := g.Processes()
	if err != nil {
		return nil, fmt.Errorf("list processes of %s: %w", g.Path, err)
	}
	for _, pid := range pids {
		own, err := process.Threads(pid)
		if err != nil && !errors.Is(err, process.ErrEnded) {
			return nil, err
		}
		tids = append(tids, own...)
	}
	return tids, nil
}

// rebind gives the threads of the record their CPUs back where the kernel lost
// them. One that was bound otherwise meanwhile keeps that.
func (c *cpuset) rebind() error {
	all, err := effective(c.Cpus.Group)
	if err != nil && !errors.Is(err, fault.ErrGone) {
		return err
	}
	var errs []error
	for _, b := range c.Bound {
		start, err := process.Started(b.TID)
		if err != nil || start != b.Start {
			continue // it has ended
		}
		now, err := affinity(b.TID)
		if err != nil || !slices.Equal(now, all) && !slices.Equal(now, c.Left) {
			continue // ended, or as it was, or bound anew
		}
		if err := b.CPUs.setAffinity(b.TID); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("bind thread %d to its CPUs: %w", b.TID, err))
		}
	}
	return errors.Join(errs...)
}
