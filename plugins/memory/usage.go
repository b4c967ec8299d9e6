package memory

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/containerd/cgroups/v3/cgroup1"
	"github.com/containerd/cgroups/v3/cgroup2"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// limitFile is of the v1 controller, Documentation/admin-guide/cgroup-v1/memory in the kernel.
const limitFile = "memory.limit_in_bytes"

// Files of the v2 controller, Documentation/admin-guide/cgroup-v2 in the kernel.
const (
	maxFile      = "memory.max"
	highFile     = "memory.high"
	oomGroupFile = "memory.oom.group"
	unlimited    = "max"
)

// usage is what the kernel says of a group's memory, in bytes.
type usage struct {
	file, text   string // of the limit, as it stands
	limit        uint64
	used, most   uint64
	processes    uint64 // of used, what only swap could take
	hits, killed uint64 // since the group was made
	highText     string // v2
	high         uint64 // v2
	oomGroup     string // v2
}

func read(g group.Group) (usage, error) {
	if g.V2() {
		return readV2(g)
	}
	u := usage{file: limitFile}
	var err error
	if u.text, err = cgroup.Read(g.Dir(), u.file); err != nil {
		return u, err
	}
	if u.limit, err = amount(u.text); err != nil {
		return u, fmt.Errorf("read memory limit of %s: %w", g.Path, err)
	}
	m, err := g.Stat(cgroup1.Memory)
	if err != nil {
		return u, err
	}
	u.used, u.most, u.processes = m.Memory.Usage.Usage, m.Memory.Usage.Max, m.Memory.TotalRSS
	u.hits, u.killed = m.Memory.Usage.Failcnt, m.MemoryOomControl.GetOomKill()
	return u, nil
}

func readV2(g group.Group) (usage, error) {
	u := usage{file: maxFile}
	for file, text := range map[string]*string{maxFile: &u.text, highFile: &u.highText, oomGroupFile: &u.oomGroup} {
		var err error
		*text, err = cgroup.Read(g.Dir(), file)
		if errors.Is(err, os.ErrNotExist) {
			if _, gone := cgroup.Inode(g.Dir()); gone != nil {
				return u, fmt.Errorf("%w: %w", fault.ErrGone, gone)
			}
			return u, fmt.Errorf("%w: the group above %s does not hand the memory controller on (cgroup.subtree_control), so it has no %s", fault.ErrUnsupported, g.Path, file)
		}
		if err != nil {
			return u, err
		}
	}
	var err1, err2 error
	u.limit, err1 = amount(u.text)
	u.high, err2 = amount(u.highText)
	if err := errors.Join(err1, err2); err != nil {
		return u, fmt.Errorf("read memory limit of %s: %w", g.Path, err)
	}
	m, err := g.StatV2(cgroup2.StatMemory | cgroup2.StatMemoryEvents)
	if err != nil {
		return u, err
	}
	// A kernel before 5.19 has no memory.peak.
	u.used, u.most = m.GetMemory().GetUsage(), max(m.GetMemory().GetMaxUsage(), m.GetMemory().GetUsage())
	u.processes = m.GetMemory().GetAnon()
	u.hits, u.killed = m.GetMemoryEvents().GetMax(), m.GetMemoryEvents().GetOomKill()
	return u, nil
}

// amount reads bytes; no limit is more than any machine has.
func amount(text string) (uint64, error) {
	if text == unlimited {
		return math.MaxUint64, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return n, nil
}
