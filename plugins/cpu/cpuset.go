package cpu

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// Files of the controller: cpuset(7), and Documentation/admin-guide/cgroup-v2 in
// the kernel. cpusFile is what was asked for, on v2 nothing where nobody did;
// the effective ones are where processes may run.
const (
	cpusFile        = "cpuset.cpus"
	effectiveFileV1 = "cpuset.effective_cpus"
	effectiveFileV2 = "cpuset.cpus.effective"
	partitionFile   = "cpuset.cpus.partition" // v2
)

// cpuset is the record of CPUs taken from a group.
type cpuset struct {
	Cpus group.Setting `json:"cpus"`
	Left cpuList       `json:"left"`
	All  cpuList       `json:"all,omitempty"` // where the group's processes could run
	// HandDown, if set, makes systemd give the group its cpuset.cpus.
	HandDown *group.HandDown `json:"hand_down,omitempty"`
	// Bound are the threads that had CPUs of their own choice, which kernels before
	// 6.2 forget when the group's change.
	Bound []bound `json:"bound,omitempty"`
}

func prepareCpuset(p Params) (*cpuset, error) {
	left, err := parseCPUs("cpuset", p.Cpuset)
	if err != nil {
		return nil, err
	}
	g, err := group.Find("cpuset", p.Scope)
	if err != nil {
		return nil, err
	}
	c := &cpuset{Left: left, HandDown: g.HandDown("cpuset")}
	c.Cpus = group.Setting{Group: g, File: cpusFile, After: left.String()}
	if c.HandDown == nil || g.Has(cpusFile) {
		if c.Cpus.Before, err = cgroup.Read(g.Dir(), cpusFile); errors.Is(err, fs.ErrNotExist) {
			return nil, noCpuset(g)
		} else if err != nil {
			return nil, err
		}
		if err := emptiable(c.Cpus); err != nil {
			return nil, err
		}
	}
	now, err := effective(g)
	if err != nil {
		return nil, err
	}
	if err := c.fits(now); err != nil {
		return nil, err
	}
	c.All = now
	c.Bound, err = findBound(g, now)
	return c, err
}

// emptiable refuses a group that asks for no CPUs and has processes: the kernel
// does not let such a group ask for none again.
func emptiable(s group.Setting) error {
	if s.Before != "" {
		return nil
	}
	pids, err := s.Group.Processes()
	if err == nil && len(pids) > 0 {
		err = fault.Refuse("cpuset", "can't be taken back from %s: its %s is empty, and the kernel lets no group with processes have it empty again; write its CPUs into it first, or give quota", s.Group.Path, cpusFile)
	}
	return err
}

// noCpuset says why a group has no CPUs to be set.
func noCpuset(g group.Group) error {
	if _, err := cgroup.Inode(g.Dir()); err != nil {
		return fmt.Errorf("%w: %w", fault.ErrGone, err)
	}
	return fmt.Errorf("%w: the group above %s does not hand the cpuset controller on (cgroup.subtree_control), so it has no %s", fault.ErrUnsupported, g.Path, cpusFile)
}

// effective is where processes of the group may run: what the nearest group
// above says that has the controller.
func effective(g group.Group) (cpuList, error) {
	file := effectiveFileV1
	if g.V2() {
		file = effectiveFileV2
	}
	for at := g.Path; ; at = filepath.Dir(at) {
		text, err := cgroup.Read(filepath.Join(g.Mount, at), file)
		if err == nil {
			return parseCPUs(file, text)
		}
		if !errors.Is(err, fs.ErrNotExist) || at == "/" {
			return nil, fmt.Errorf("read CPUs of %s: %w", g.Path, err)
		}
	}
}

// fits says why the kernel would not take the CPUs, or why they would change
// nothing. now is where the group's processes may run.
func (c *cpuset) fits(now cpuList) error {
	g := c.Cpus.Group
	if len(now) == 0 {
		return fault.Refuse("cpuset", "%s has no CPUs, so that nothing runs in it; name a group in which something does", g.Path)
	}
	if beyond := c.Left.without(now); len(beyond) > 0 {
		return fault.Refuse("cpuset", "names CPU %s, and %s may run on %s only; give some of these", beyond, g.Path, now)
	}
	if len(c.Left) == len(now) {
		return fault.Refuse("cpuset", "leaves %s as it is: it may run on %s already; give less", g.Path, now)
	}
	if g.V2() {
		if text, err := cgroup.Read(g.Dir(), partitionFile); err == nil && text != "member" {
			return fault.Refuse("cpuset", "cannot be set: %s is a partition of its own (%s is %s), whose CPUs others may get; name another one", g.Path, partitionFile, text)
		}
		return nil // a group below that asks for other CPUs gets those of the one above it
	}
	files, err := filepath.Glob(filepath.Join(g.Dir(), "*", cpusFile))
	if err != nil {
		return fmt.Errorf("list groups below %s: %w", g.Path, err)
	}
	for _, f := range files {
		text, err := cgroup.Read(filepath.Dir(f), cpusFile)
		if err != nil {
			continue // gone meanwhile
		}
		if theirs, _ := parseCPUs("", text); len(theirs.without(c.Left)) > 0 {
			return fault.Refuse("cpuset", "is less than %s has, %s, which the kernel refuses; limit that group instead", filepath.Join(g.Path, filepath.Base(filepath.Dir(f))), text)
		}
	}
	return nil
}

func (c *cpuset) apply(t fault.Target, _ fault.BootTime, _ *slog.Logger) error {
	return c.HandDown.Apply(t, c.Cpus)
}

func (c *cpuset) revert(t fault.Target) error {
	if err := c.HandDown.RevertBy(t, c.Cpus, func() error { return c.putBack(t) }); err != nil {
		return err
	}
	return c.rebind()
}

// putBack gives the group all CPUs where the kernel does not let it ask for none,
// until the file goes with the unit that handed it down.
func (c *cpuset) putBack(t fault.Target) error {
	all := c.Cpus
	all.Before = c.All.String()
	if now, err := all.Now(t); err == nil && now == all.Before {
		return nil
	}
	err := c.Cpus.Revert(t)
	if errors.Is(err, unix.ENOSPC) && len(c.All) > 0 {
		return all.Revert(t)
	}
	return err
}
