// Package memory takes memory: of a control group by a lower limit or brake, or of
// the whole host by filling it.
//
// Limit and brake are settings of a group that is there already
// (memory.limit_in_bytes of cgroup v1, memory.max and memory.high of v2), changed
// in place and put back. A group that asks for more than its limit has its page
// cache taken, and when nothing is left to take the kernel kills one of its
// processes, or all of them where memory.oom.group is 1, as on a host that runs out
// of memory. One that asks for more than its brake is slowed down and not killed;
// v1 has none.
//
// A limit below what the processes use is refused: v1 does not take it, and v2
// would kill at once. With oom: allowed it is set on v2 all the same.
//
// Filling is for the whole host, where there is no group to be limited. The memory
// is that of the plugin's process, locked so that it is never swapped, and goes
// with it; the process is the first that the kernel kills when memory runs out.
// A reserve stays available, and memory is given back when programs wait too long
// for want of it.
package memory

import (
	"context"
	"log/slog"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/keep"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Kind is the name of this fault.
const Kind fault.Kind = "memory"

func init() { fault.Register(Kind, fault.NewDriver(New())) }

// Params is what an experiment file may set: one of Limit, High and Fill.
type Params struct {
	Limit    string `json:"limit,omitempty" jsonschema:"oneof_required=limit,pattern=^[0-9]+([.][0-9]+)?(KiB|MiB|GiB)$,title=an amount of memory,example=256MiB,description=Memory that is left to the group\\, page cache included: 256MiB or 1.5GiB; this\\, high or fill"`
	High     string `json:"high,omitempty" jsonschema:"oneof_required=high,pattern=^[0-9]+([.][0-9]+)?(KiB|MiB|GiB)$,title=an amount of memory,example=256MiB,description=Memory above which the group is slowed down and has its page cache taken\\, but is not killed (cgroup v2 only); this\\, limit or fill"`
	Fill     string `json:"fill,omitempty" jsonschema:"oneof_required=fill,pattern=^[0-9]+([.][0-9]+)?(%|KiB|MiB|GiB)$,title=a percentage of the host's memory or an amount,example=90%,description=Memory of the whole host that is taken: until 90% are in use\\, or 2GiB; without service and group; this\\, limit or high"`
	Reserve  string `json:"reserve,omitempty" jsonschema:"pattern=^[0-9]+([.][0-9]+)?(%|KiB|MiB|GiB)$,title=a percentage of the host's memory or an amount,example=512MiB,default=256MiB,description=With fill: what stays available to others\\, 64MiB at least; fill gives back what they lack of it"`
	Pressure string `json:"pressure,omitempty" jsonschema:"pattern=^[0-9]+([.][0-9]+)?%$,title=a percentage of time,example=25%,default=10%,description=With fill: share of time in which programs may wait for want of memory; fill gives back when it is more"`
	scope.Scope
	OOM string `json:"oom,omitempty" jsonschema:"enum=refused,enum=allowed,default=refused,description=With limit\\, what to do where the processes use more already: refused sets no limit; allowed sets it (cgroup v2 only) and the kernel kills until they use less"`
}

// Change is the change record. Without High and Fill it is of a limit.
type Change struct {
	Version int `json:"version"`
	limit
	High *high `json:"high,omitempty"`
	Fill *fill `json:"fill,omitempty"`
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// Plugin is the fault.
type Plugin struct{ fillers *keep.Holder[filled] }

// New returns the plugin.
func New() *Plugin { return &Plugin{keep.NewHolder[filled](Kind)} }

var _ fault.Plugin[Params, Change] = (*Plugin)(nil)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Leaves a service, or a control group, only so much memory, or fills the memory of the whole host.",
		PluginVersion: "1.1.0",
		Touches:       []string{"the memory limit of a control group", "the memory of the plugin's own process"},
		ConflictsBy:   map[string][]string{"limit": {"memory-limit", "memory-high"}, "high": {"memory-high"}, "fill": {"memory-fill"}},
		Needs:         fault.Needs{Capabilities: []string{"CAP_DAC_OVERRIDE", "CAP_IPC_LOCK", "CAP_SYS_RESOURCE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysProcesses,
	}
}

// Prepare implements fault.Plugin.
func (*Plugin) Prepare(_ context.Context, _ fault.Target, p Params) (c Change, err error) {
	c.Version = changeVersion
	if err := p.alone(); err != nil {
		return c, err
	}
	switch {
	case p.Fill != "":
		c.Fill, err = prepareFill(p)
	case p.High != "":
		c.High, err = prepareHigh(p)
	default:
		c.limit, err = prepareLimit(p)
	}
	return c, err
}

// alone refuses parameters that do not go together.
func (p Params) alone() error {
	switch {
	case p.Limit == "" && p.High == "" && p.Fill == "":
		return fault.Refuse("limit", "is not given, nor are high and fill; give one of them")
	case p.Limit != "" && p.High != "":
		return fault.Refuse("high", "is given beside limit; give one of them")
	case p.Fill != "" && (p.Limit != "" || p.High != ""):
		return fault.Refuse("fill", "is given beside another one; give one of limit, high and fill")
	case p.Fill != "" && p.Given():
		return fault.Refuse("fill", "is for the whole host; leave %s out, or give limit, which leaves the group as little and takes nothing", p.Field())
	case p.Fill == "" && p.Reserve != "":
		return fault.Refuse("reserve", "goes with fill; leave it out")
	case p.Fill == "" && p.Pressure != "":
		return fault.Refuse("pressure", "goes with fill; leave it out")
	case p.Limit == "" && p.OOM != "":
		return fault.Refuse("oom", "goes with limit; leave it out")
	}
	return nil
}

// form is one way to take memory.
type form interface {
	apply(t fault.Target, until fault.BootTime, log *slog.Logger) error
	observe(t fault.Target) (fault.Observation, error)
	revert(t fault.Target) error
}

func (p *Plugin) form(c Change) form {
	switch {
	case c.Fill != nil:
		return filling{*c.Fill, p.fillers}
	case c.High != nil:
		return c.High
	}
	return c.limit
}

// Apply implements fault.Plugin.
func (p *Plugin) Apply(ctx context.Context, t fault.Target, c Change, _, until fault.BootTime) error {
	return p.form(c).apply(t, until, fault.Logger(ctx))
}

// Observe implements fault.Plugin.
func (p *Plugin) Observe(_ context.Context, t fault.Target, c Change) (fault.Observation, error) {
	return p.form(c).observe(t)
}

// Revert implements fault.Plugin.
func (p *Plugin) Revert(_ context.Context, t fault.Target, c Change) error {
	return p.form(c).revert(t)
}
