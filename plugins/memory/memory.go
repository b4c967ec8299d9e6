// Package memory leaves the processes of a control group only so much memory.
//
// It lowers the limit of a group that is there already (memory.limit_in_bytes
// of cgroup v1), in place, and puts the old one back. A group that then asks for
// more has its page cache taken, and when nothing is left to take the kernel
// kills one of its processes, as on a host that runs out of memory.
package memory

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/containerd/cgroups/v3/cgroup1"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// Kind is the name of this fault.
const Kind fault.Kind = "memory"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

// limitFile is of the v1 controller, Documentation/admin-guide/cgroup-v1/memory in the kernel.
const limitFile = "memory.limit_in_bytes"

// Params is what an experiment file may set.
type Params struct {
	Limit   string `json:"limit" jsonschema:"pattern=^[0-9]+([.][0-9]+)?(KiB|MiB|GiB)$,title=an amount of memory,example=256MiB,description=Memory that is left to the group\\, page cache included: 256MiB or 1.5GiB"`
	Service string `json:"service,omitempty" jsonschema:"minLength=1,description=Service of the host whose processes are limited; this or group"`
	Group   string `json:"group,omitempty" jsonschema:"pattern=^/.,title=a path that begins with /,example=/svc/notes,description=Control group whose processes are limited\\, as a path below the hierarchy (/svc holds all services of a lab host); this or service"`
}

// Change is the change record.
type Change struct {
	Version int           `json:"version"`
	Limit   group.Setting `json:"limit"`
	Hits    uint64        `json:"hits"`   // how often the group had hit its limit before
	Killed  uint64        `json:"killed"` // how many of its processes the kernel had killed for want of memory before
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// Plugin is the fault. The zero value is ready.
type Plugin struct{}

var _ fault.Plugin[Params, Change] = Plugin{}

// Describe implements fault.Plugin.
func (Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Leaves a service, or a control group, only so much memory.",
		PluginVersion: "1.0.0",
		Touches:       []string{"the memory limit of a control group"},
		ConflictKeys:  []string{"memory-limit"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_DAC_OVERRIDE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysProcesses,
	}
}

// Prepare implements fault.Plugin.
func (Plugin) Prepare(_ context.Context, _ fault.Target, p Params) (Change, error) {
	after, err := parseLimit(p.Limit)
	if err != nil {
		return Change{}, err
	}
	g, err := group.Find("memory", p.Service, p.Group)
	if err != nil {
		return Change{}, err
	}
	before, err := cgroup.Read(g.Dir(), limitFile)
	if err != nil {
		return Change{}, err
	}
	old, err := strconv.ParseUint(before, 10, 64)
	if err != nil {
		return Change{}, fmt.Errorf("read memory limit of %s: %q is no number", g.Path, before)
	}
	if after >= old {
		return Change{}, fault.Refuse("limit", "leaves %s as it is: its limit is %s already; give less", g.Path, size(old))
	}
	m, err := g.Stat(cgroup1.Memory)
	if err != nil {
		return Change{}, err
	}
	swap, err := swapOfHost()
	if err != nil {
		return Change{}, err
	}
	// What is swapped or written out makes room; without swap, the memory of the
	// processes themselves does not.
	if used := m.Memory.TotalRSS; swap == 0 && used > after {
		return Change{}, fault.Refuse("limit", "is %s, and the processes of %s use %s; the kernel takes no limit below that: give more", size(after), g.Path, size(used))
	}
	s := group.Setting{Group: g, File: limitFile, Before: before, After: strconv.FormatUint(after, 10)}
	return Change{Version: changeVersion, Limit: s, Hits: m.Memory.Usage.Failcnt, Killed: m.MemoryOomControl.GetOomKill()}, nil
}

// Apply implements fault.Plugin.
func (Plugin) Apply(_ context.Context, t fault.Target, c Change, _, _ fault.BootTime) error {
	err := c.Limit.Apply(t)
	if errors.Is(err, syscall.EBUSY) {
		return fault.Refuse("limit", "the kernel could not make %s small enough for %s bytes, and left its limit at %s; give more", c.Limit.Group.Path, c.Limit.After, c.Limit.Before)
	}
	return err
}

// Revert implements fault.Plugin.
func (Plugin) Revert(_ context.Context, t fault.Target, c Change) error { return c.Limit.Revert(t) }

var limitForm = regexp.MustCompile(`^([0-9]+(?:[.][0-9]+)?)(KiB|MiB|GiB)$`)

var units = map[string]float64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

// parseLimit returns bytes, down to a whole page as the kernel counts.
func parseLimit(s string) (uint64, error) {
	m := limitForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fault.Refuse("limit", "%q is no amount of memory; write it like 256MiB, with KiB, MiB or GiB", s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	page := uint64(os.Getpagesize())
	bytes := n * units[m[2]]
	if err != nil || bytes < float64(page) || bytes > math.MaxInt64/2 {
		return 0, fault.Refuse("limit", "%q is less than a page of memory, or more than any machine has", s)
	}
	return uint64(bytes) / page * page, nil
}

// swapOfHost reads the host's swap in bytes, proc_meminfo(5).
func swapOfHost() (uint64, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read swap of host: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "SwapTotal:" {
			kib, err := strconv.ParseUint(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, nil
}

// size writes bytes for people.
func size(n uint64) string {
	return strconv.FormatFloat(float64(n)/(1<<20), 'f', -1, 64) + " MiB"
}
