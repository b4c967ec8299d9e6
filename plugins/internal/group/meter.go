package group

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/cgroups/v3/cgroup1"
	stats "github.com/containerd/cgroups/v3/cgroup1/stats"
	"github.com/containerd/cgroups/v3/cgroup2"
	stats2 "github.com/containerd/cgroups/v3/cgroup2/stats"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/pressure"
)

// StatV2 reads counters of a group of cgroup v2. A file that the kernel does not
// have is left out of them.
func (g Group) StatV2(which cgroup2.StatMask) (*stats2.Metrics, error) {
	m, err := cgroup2.Load(g.Path, cgroup2.WithMountpoint(g.Mount))
	if err != nil {
		return nil, fmt.Errorf("find control group %s: %w", g.Path, err)
	}
	counters, err := m.StatFiltered(which)
	if err == nil {
		_, err = cgroup.Inode(g.Dir()) // the library takes a group that is gone for one without counters
	}
	if gone(err) {
		return nil, fmt.Errorf("%w: %w", fault.ErrGone, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read counters of control group %s: %w", g.Path, err)
	}
	return counters, nil
}

// Stat reads the counters of a v1 group in one controller, through a hierarchy
// of that controller alone: the library reads and writes through all it is given.
func (g Group) Stat(controller cgroup1.Name) (*stats.Metrics, error) {
	root := filepath.Dir(g.Mount)
	var of cgroup1.Subsystem
	switch controller {
	case cgroup1.Cpu:
		of = cgroup1.NewCpu(root)
	case cgroup1.Cpuacct:
		of = cgroup1.NewCpuacct(root)
	case cgroup1.Memory:
		of = cgroup1.NewMemory(root, cgroup1.IgnoreModules("memsw", "kmem", "kmem.tcp"))
	default:
		return nil, fmt.Errorf("read counters of %s: no meter", controller)
	}
	cg, err := cgroup1.Load(cgroup1.StaticPath(g.Path), cgroup1.WithHierarchy(func() ([]cgroup1.Subsystem, error) { return []cgroup1.Subsystem{of}, nil }))
	if errors.Is(err, cgroup1.ErrCgroupDeleted) {
		return nil, fmt.Errorf("%w: no control group %s", fault.ErrGone, g.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("find control group %s: %w", g.Path, err)
	}
	m, err := cg.Stat()
	if gone(err) {
		return nil, fmt.Errorf("%w: %w", fault.ErrGone, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read counters of control group %s: %w", g.Path, err)
	}
	return m, nil
}

// In is the group of the same path in the v1 hierarchy of another controller,
// if it holds the same processes.
func (g Group) In(controller cgroup1.Name) (other Group, ok bool) {
	all, err := cgroup.Hierarchies()
	if err != nil {
		return other, false
	}
	other.Path = g.Path
	from, err := pick(all, string(controller))
	if err != nil || from.Version != 1 {
		return other, false
	}
	other.Mount = from.Mount
	own, err1 := cgroup.Procs(g.Dir())
	theirs, err2 := cgroup.Procs(other.Dir())
	return other, err1 == nil && err2 == nil && slices.Equal(own, theirs)
}

// Waited is Pressure as a measure, for Observe; none where there is no such.
func (g Group) Waited(resource string) []fault.Measure {
	share, ok := g.Pressure(resource)
	if !ok {
		return nil
	}
	return []fault.Measure{{Name: resource + " pressure", Value: share, Unit: "% of the last 10 s"}}
}

// Pressure reads from the v2 hierarchy which share of the last 10 s, in %, some
// process of the group waited for resource (cpu or memory): pressure stall
// information, which v1 has not. ok only if the group's processes are together
// in one v2 group of their own.
func (g Group) Pressure(resource string) (share float64, ok bool) {
	if g.V2() {
		return pressureOf(g.Dir(), resource)
	}
	v2, err := cgroup.V2()
	if err != nil {
		return 0, false
	}
	pids, err := cgroup.Procs(g.Dir())
	if err != nil || len(pids) == 0 {
		return 0, false
	}
	at := ""
	for _, pid := range pids {
		p := v2Path(pid)
		if p == "" || p == "/" || at != "" && p != at {
			return 0, false
		}
		at = p
	}
	own, err := cgroup.Procs(filepath.Join(v2.Mount, at))
	if err != nil || len(own) != len(pids) {
		return 0, false
	}
	return pressureOf(filepath.Join(v2.Mount, at), resource)
}

// pressureOf is 0 and not ok for a kernel that does not count it.
func pressureOf(dir, resource string) (share float64, ok bool) {
	s, ok := pressure.Read(filepath.Join(dir, resource+".pressure"))
	return s.Avg10, ok
}

// v2Path is the v2 group of pid below what this process sees as the root.
func v2Path(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok && !strings.HasPrefix(p, "/..") {
			return p
		}
	}
	return ""
}
