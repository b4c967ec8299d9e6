// Package memory leaves the processes of a control group only so much memory.
//
// It lowers the limit of a group that is there already (memory.limit_in_bytes
// of cgroup v1, memory.max of v2), in place, and puts the old one back. A group
// that then asks for more has its page cache taken, and when nothing is left to
// take the kernel kills one of its processes, or all of them where
// memory.oom.group is 1, as on a host that runs out of memory.
//
// A limit below what the processes use is refused: v1 does not take it, and v2
// would kill at once. With oom: allowed it is set on v2 all the same.
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

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Kind is the name of this fault.
const Kind fault.Kind = "memory"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

// Params is what an experiment file may set.
type Params struct {
	Limit string `json:"limit" jsonschema:"pattern=^[0-9]+([.][0-9]+)?(KiB|MiB|GiB)$,title=an amount of memory,example=256MiB,description=Memory that is left to the group\\, page cache included: 256MiB or 1.5GiB"`
	scope.Scope
	OOM string `json:"oom,omitempty" jsonschema:"enum=refused,enum=allowed,default=refused,description=What to do where the processes use more than the limit already: refused sets no limit; allowed sets it (cgroup v2 only) and the kernel kills until they use less"`
}

// Change is the change record.
type Change struct {
	Version int           `json:"version"`
	Limit   group.Setting `json:"limit"`
	// Brake is lowered before the limit and put back after it, on v2: it makes
	// the group small without killing, cgroup-v2, memory.high.
	Brake *group.Setting `json:"brake,omitempty"`
	OOM   bool           `json:"oom,omitempty"` // the limit may kill at once
	// OOMGroup is memory.oom.group of v2: 1 means that all processes of the group
	// are killed together.
	OOMGroup string `json:"oom_group,omitempty"`
	Hits     uint64 `json:"hits"`   // how often the group had hit its limit before
	Killed   uint64 `json:"killed"` // how many of its processes the kernel had killed for want of memory before
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
	if p.OOM != "" && p.OOM != oomRefused && p.OOM != oomAllowed {
		return Change{}, fault.Refuse("oom", "%q is neither %s nor %s", p.OOM, oomRefused, oomAllowed)
	}
	g, err := group.Find("memory", p.Scope)
	if err != nil {
		return Change{}, err
	}
	before, err := read(g)
	if err != nil {
		return Change{}, err
	}
	if after >= before.limit {
		return Change{}, fault.Refuse("limit", "leaves %s as it is: its limit is %s already; give less", g.Path, size(before.limit))
	}
	c := Change{
		Version: changeVersion, OOM: p.OOM == oomAllowed, OOMGroup: before.oomGroup, Hits: before.hits, Killed: before.killed,
		Limit: group.Setting{Group: g, File: before.file, Before: before.text, After: strconv.FormatUint(after, 10)},
	}
	if err := c.roomy(after, before); err != nil {
		return Change{}, err
	}
	if g.V2() && !c.OOM && after < before.high {
		c.Brake = &group.Setting{Group: g, File: highFile, Before: before.highText, After: c.Limit.After}
	}
	return c, nil
}

// The values of Params.OOM.
const (
	oomRefused = "refused"
	oomAllowed = "allowed"
)

// roomy refuses a limit below what the processes use, unless they may be killed.
func (c Change) roomy(after uint64, now usage) error {
	g := c.Limit.Group
	if c.OOM && !g.V2() {
		return fault.Refuse("oom", "is allowed, but this host limits memory through cgroup v1, whose kernel takes no limit below what is used; leave it out")
	}
	swap, err := swapOfHost()
	if err != nil {
		return err
	}
	// What is swapped or written out makes room; without swap, the memory of the
	// processes themselves does not.
	if c.OOM || swap > 0 || now.processes <= after {
		return nil
	}
	hint := "the kernel takes no limit below that: give more"
	if g.V2() {
		hint = "the kernel would kill at once: give more, or allow it with oom: allowed"
	}
	return fault.Refuse("limit", "is %s, and the processes of %s use %s; %s", size(after), g.Path, size(now.processes), hint)
}

// Apply implements fault.Plugin.
func (Plugin) Apply(_ context.Context, t fault.Target, c Change, _, _ fault.BootTime) error {
	if c.Brake != nil {
		return c.applyGently(t)
	}
	err := c.Limit.Apply(t)
	if errors.Is(err, syscall.EBUSY) {
		return fault.Refuse("limit", "the kernel could not make %s small enough for %s bytes, and left its limit at %s; give more", c.Limit.Group.Path, c.Limit.After, c.Limit.Before)
	}
	return err
}

// applyGently lets the kernel make room before the limit comes: writing
// memory.high takes what can be taken and kills nobody.
func (c Change) applyGently(t fault.Target) error {
	limit, err := c.Limit.Now(t)
	if err != nil {
		return err
	}
	if limit == c.Limit.After {
		return c.Brake.TakeBack(t) // again, or a renewal
	}
	if err := c.Brake.Apply(t); err != nil {
		return err
	}
	now, err := read(c.Limit.Group)
	if after, _ := strconv.ParseUint(c.Limit.After, 10, 64); err == nil && now.used > after {
		err = fault.Refuse("limit", "the kernel could not make %s smaller than %s, and the limit would kill; it was left as it is: give more, or allow it with oom: allowed", c.Limit.Group.Path, size(now.used))
	}
	if err == nil {
		err = c.Limit.Apply(t)
	}
	return errors.Join(err, c.Brake.TakeBack(t))
}

// Revert implements fault.Plugin.
func (Plugin) Revert(_ context.Context, t fault.Target, c Change) error {
	err := c.Limit.Revert(t)
	if c.Brake != nil {
		err = errors.Join(err, c.Brake.TakeBack(t))
	}
	return err
}

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
	if n == math.MaxUint64 {
		return "no limit"
	}
	return strconv.FormatFloat(float64(n)/(1<<20), 'f', -1, 64) + " MiB"
}
