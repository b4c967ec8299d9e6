package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// descriptors is the record of what is done to the processes of a group, or to those
// of a program with all that descend from them.
type descriptors struct {
	Freezer   *group.Freezer  `json:"freezer,omitempty"` // names the group; nothing is frozen
	Program   scope.Selection `json:"program,omitzero"`  // or the program
	Processes []limited       `json:"processes"`
}

// String names them for people.
func (d *descriptors) String() string {
	if d.Freezer != nil {
		return d.Freezer.Group.Path
	}
	return "program " + d.Program.Executable
}

// members lists the processes that are meant now; none if the group is gone.
func (d *descriptors) members(t fault.Target) (pids []int, err error) {
	if d.Freezer != nil {
		if _, err := d.Freezer.Asked(t); errors.Is(err, fault.ErrGone) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		if pids, err = d.Freezer.Group.Processes(); err != nil {
			err = fmt.Errorf("list processes of %s: %w", d, err)
		}
		return pids, err
	}
	list, err := d.Program.List()
	if err != nil {
		return nil, err
	}
	list, err = d.Program.WithDescendants(list)
	for _, p := range list {
		pids = append(pids, p.PID)
	}
	return pids, err
}

// check returns fault.ErrGone if the group is another one now, and refuses what
// came to hold what must be spared.
func (d *descriptors) check(t fault.Target) error {
	if d.Freezer == nil {
		_, err := d.members(t)
		return err
	}
	if _, err := d.Freezer.Asked(t); err != nil {
		return err
	}
	return d.Freezer.Group.Spared("")
}

// process is one process with its limits of open files: Before is soft and hard,
// After the soft one. The hard one stays.
type limited struct {
	PID    int         `json:"pid"`
	Start  uint64      `json:"start"` // field 22 of proc_pid_stat(5): a pid is given again
	Before unix.Rlimit `json:"before"`
	After  uint64      `json:"after"`
}

func prepareDescriptors(t fault.Target, p Params) (*descriptors, error) {
	d := &descriptors{}
	if p.Executable != "" {
		d.Program = p.Selection
		if _, err := d.Program.Find(); err != nil {
			return nil, err
		}
	} else {
		f, err := group.FindFreezer(p.Scope)
		if err != nil {
			return nil, err
		}
		d.Freezer = &f
	}
	pids, err := d.members(t)
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		one, err := read(pid, p.Leave)
		if ended(err) {
			continue // between the list and now
		}
		if err != nil {
			return nil, err
		}
		if one.After < one.Before.Cur {
			d.Processes = append(d.Processes, one)
		}
	}
	if len(pids) == 0 {
		return nil, fault.Refuse(p.Field(), "no process is in %s; name one in which something runs", d)
	}
	if len(d.Processes) == 0 {
		return nil, fault.Refuse("leave", "leaves the %d processes of %s as they are: they may open no more than %d files already; leave less", len(pids), d, p.Leave)
	}
	return d, nil
}

// read finds the limit under which a process may open leave more files: a new
// file gets the lowest number that is free, and the limit is one above the last.
func read(pid, leave int) (p limited, err error) {
	p.PID = pid
	if p.Start, err = process.Started(pid); err != nil {
		return p, err
	}
	if err = unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &p.Before); err != nil {
		return p, fmt.Errorf("read limit of open files of pid %d: %w", pid, err)
	}
	used, err := open(pid)
	if err != nil {
		return p, err
	}
	for free := leave; free > 0 || used[p.After]; p.After++ {
		if !used[p.After] {
			free--
		}
	}
	return p, nil
}

// open lists the numbers of a process's open files.
func open(pid int) (map[uint64]bool, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return nil, fmt.Errorf("list open files of pid %d: %w", pid, err)
	}
	used := map[uint64]bool{}
	for _, e := range entries {
		if n, err := strconv.ParseUint(e.Name(), 10, 64); err == nil {
			used[n] = true
		}
	}
	return used, nil
}

func ended(err error) bool {
	return errors.Is(err, process.ErrEnded) || errors.Is(err, unix.ESRCH) || errors.Is(err, fs.ErrNotExist)
}

// limits reads a process's limits as they stand; ok is false if it has ended.
func (p limited) limits() (now unix.Rlimit, ok bool, err error) {
	start, err := process.Started(p.PID)
	if ended(err) || err == nil && start != p.Start {
		return now, false, nil
	}
	if err == nil {
		err = unix.Prlimit(p.PID, unix.RLIMIT_NOFILE, nil, &now)
	}
	if ended(err) {
		return now, false, nil
	}
	if err != nil {
		return now, false, fmt.Errorf("read limit of open files of pid %d: %w", p.PID, err)
	}
	return now, true, nil
}

func (p limited) set(limit unix.Rlimit) error {
	err := unix.Prlimit(p.PID, unix.RLIMIT_NOFILE, &limit, nil)
	if err != nil && !ended(err) {
		return fmt.Errorf("set limit of open files of pid %d: %w", p.PID, err)
	}
	return nil
}

// ours is the limit under the fault.
func (p limited) ours() unix.Rlimit { return unix.Rlimit{Cur: p.After, Max: p.Before.Max} }

// apply lowers the limits of those that still run; what came after Prepare is
// left out.
func (d *descriptors) apply(_ context.Context, t fault.Target) error {
	if err := d.check(t); err != nil {
		return err
	}
	var todo []limited
	alive := 0
	for _, p := range d.Processes {
		now, ok, err := p.limits()
		switch {
		case err != nil:
			return err
		case !ok:
			continue
		case now == p.Before:
			todo = append(todo, p)
		case now != p.ours():
			return fmt.Errorf("%w: pid %d may open %d files, it was %d", fault.ErrChanged, p.PID, now.Cur, p.Before.Cur)
		}
		alive++
	}
	if alive == 0 {
		return fmt.Errorf("%w: all %d processes of %s have ended", fault.ErrGone, len(d.Processes), d)
	}
	for i, p := range todo {
		if err := p.set(p.ours()); err != nil {
			for _, done := range todo[:i] {
				err = errors.Join(err, done.set(done.Before))
			}
			return err
		}
	}
	return nil
}

// revert gives the processes back what they had, and their children, which took
// our limit over, what their parents had.
func (d *descriptors) revert(t fault.Target) error {
	if err := process.SameBoot(t); err != nil {
		return err
	}
	var errs []error
	for _, p := range d.Processes {
		now, ok, err := p.limits()
		switch {
		case err != nil:
			errs = append(errs, err)
		case !ok || now == p.Before:
		case now != p.ours():
			errs = append(errs, fmt.Errorf("%w: pid %d may open %d files, ours was %d and before it %d", fault.ErrStuck, p.PID, now.Cur, p.After, p.Before.Cur))
		default:
			errs = append(errs, p.set(p.Before))
		}
	}
	for range 2 { // a child may be born while its parent is looked at
		children, err := d.children(t)
		errs = append(errs, err)
		for _, p := range children {
			errs = append(errs, p.set(p.Before))
		}
	}
	return errors.Join(errs...)
}

// children are the members that are not in the record and have
// exactly the limits that one in the record was given.
func (d *descriptors) children(t fault.Target) (found []limited, err error) {
	pids, err := d.members(t)
	if err != nil {
		return nil, err
	}
	known := map[int]bool{}
	for _, p := range d.Processes {
		known[p.PID] = true
	}
	for _, pid := range pids {
		var now unix.Rlimit
		start, err := process.Started(pid)
		if known[pid] || err != nil || unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &now) != nil {
			continue // in the record, or ended
		}
		for _, p := range d.Processes {
			if now == p.ours() {
				found = append(found, limited{PID: pid, Start: start, Before: p.Before, After: p.After})
				break
			}
		}
	}
	return found, nil
}

func (d *descriptors) observe(_ fault.Target, leave int, o *fault.Observation) error {
	o.Asked = []fault.Measure{count("descriptors left", leave)}
	alive, limited, least := 0, 0, -1
	for _, p := range d.Processes {
		now, ok, err := p.limits()
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		alive++
		if now != p.ours() {
			continue
		}
		limited++
		used, err := open(p.PID)
		if err != nil {
			continue // it has ended
		}
		left := int(p.After)
		for n := range used {
			if n < p.After {
				left--
			}
		}
		if least < 0 || left < least {
			least = left
		}
	}
	o.Achieved = []fault.Measure{count("processes limited", limited)}
	o.Detail = fmt.Sprintf("%d of the %d processes of %s run, %d are limited", alive, len(d.Processes), d, limited)
	if limited == 0 {
		return nil
	}
	o.Achieved = append(o.Achieved, count("descriptors left", least))
	o.Detail += fmt.Sprintf(", one may open only %d files more", least)
	o.State = fault.Partial
	if limited == alive {
		o.State, o.Dose = fault.Present, fault.InForce
		if least == 0 {
			o.Dose = fault.Exercised
		}
	}
	return nil
}

func count(name string, n int) fault.Measure {
	return fault.Measure{Name: name, Value: float64(n), Unit: "1"}
}
