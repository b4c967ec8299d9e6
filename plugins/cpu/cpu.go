// Package cpu takes CPU time: of a control group by a quota or by leaving it only
// some CPUs, or of the whole host by burning it.
//
// Quota and CPUs are settings of a group that is there already (cpu.cfs_quota_us
// and cpuset.cpus of cgroup v1, cpu.max and cpuset.cpus of v2), changed in place
// and put back. Nothing burns CPU for them: how far they bite depends on what the
// group wants to do.
//
// Burning is for the whole host, where there is no group to be limited: one thread
// for each CPU uses its share of it, as the busy neighbour on a shared machine
// does. The threads are the plugin's own, so that they end with its process, and
// they never preempt what wakes up beside them (SCHED_BATCH, sched(7)).
package cpu

import (
	"context"
	"log/slog"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/keep"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Kind is the name of this fault.
const Kind fault.Kind = "cpu"

func init() { fault.Register(Kind, fault.NewDriver(New())) }

// Params is what an experiment file may set: one of Quota, Cpuset and Burn.
type Params struct {
	// Quota is in percent of one CPU: 20% is a fifth of one, 200% are two.
	Quota string `json:"quota,omitempty" jsonschema:"oneof_required=quota,pattern=^[0-9]+([.][0-9]+)?%$,title=a percentage of one CPU,example=20%,description=CPU time that is left to the group\\, in percent of one CPU: 20% is a fifth of one CPU\\, 200% are two; this\\, cpuset or burn"`
	// Cpuset is in the kernel's list format, cpuset(7).
	Cpuset string `json:"cpuset,omitempty" jsonschema:"oneof_required=cpuset,pattern=^[0-9]+(-[0-9]+)?(\\,[0-9]+(-[0-9]+)?)*$,title=a list of CPUs,example=0-1,description=CPUs that are left to the group\\, by number: 0-1\\,4 are three; this\\, quota or burn"`
	Burn   string `json:"burn,omitempty" jsonschema:"oneof_required=burn,pattern=^[0-9]+([.][0-9]+)?%$,title=a percentage of each CPU,example=80%,description=CPU time that is burnt on the whole host\\, in percent of each of its CPUs\\, 100% at most; without service and group; this\\, quota or cpuset"`
	scope.Scope
}

// Change is the change record. Without Cpuset and Burn it is of a quota.
type Change struct {
	Version int `json:"version"`
	quota
	Cpuset *cpuset `json:"cpuset,omitempty"`
	Burn   *burn   `json:"burn,omitempty"`
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// Plugin is the fault.
type Plugin struct{ burners *keep.Holder[[]int] }

// New returns the plugin.
func New() *Plugin { return &Plugin{keep.NewHolder[[]int](Kind)} }

var _ fault.Plugin[Params, Change] = (*Plugin)(nil)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Leaves a service, or a control group, only so much CPU time or only some CPUs, or burns the CPU time of the whole host.",
		PluginVersion: "1.1.0",
		Touches:       []string{"the CPU quota of a control group", "the CPUs of a control group"},
		ConflictsBy:   map[string][]string{"quota": {"cpu-quota"}, "cpuset": {"cpu-set"}, "burn": {"cpu-burn"}},
		Needs:         fault.Needs{Capabilities: []string{"CAP_DAC_OVERRIDE", "CAP_SYS_NICE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysNothing,
	}
}

// Prepare implements fault.Plugin.
func (*Plugin) Prepare(_ context.Context, _ fault.Target, p Params) (c Change, err error) {
	c.Version = changeVersion
	switch {
	case p.Quota != "" && p.Cpuset != "":
		return c, fault.Refuse("cpuset", "is given beside quota; write two faults, which may overlap")
	case p.Burn != "" && (p.Quota != "" || p.Cpuset != ""):
		return c, fault.Refuse("burn", "is given beside another one; give one of quota, cpuset and burn")
	case p.Burn != "" && p.Given():
		return c, fault.Refuse("burn", "is for the whole host; leave %s out, or give quota, which leaves the group as little and burns nothing", p.Field())
	case p.Burn != "":
		c.Burn, err = prepareBurn(p.Burn)
	case p.Cpuset != "":
		c.Cpuset, err = prepareCpuset(p)
	case p.Quota != "":
		c.quota, err = prepareQuota(p)
	default:
		err = fault.Refuse("quota", "is not given, nor are cpuset and burn; give one of them")
	}
	return c, err
}

// form is one way to take CPU time.
type form interface {
	apply(t fault.Target, until fault.BootTime, log *slog.Logger) error
	observe(ctx context.Context, t fault.Target) (fault.Observation, error)
	revert(t fault.Target) error
}

func (p *Plugin) form(c Change) form {
	switch {
	case c.Burn != nil:
		return burning{*c.Burn, p.burners}
	case c.Cpuset != nil:
		return c.Cpuset
	}
	return c.quota
}

// Apply implements fault.Plugin.
func (p *Plugin) Apply(ctx context.Context, t fault.Target, c Change, _, until fault.BootTime) error {
	return p.form(c).apply(t, until, fault.Logger(ctx))
}

// Observe implements fault.Plugin.
func (p *Plugin) Observe(ctx context.Context, t fault.Target, c Change) (fault.Observation, error) {
	return p.form(c).observe(ctx, t)
}

// Revert implements fault.Plugin.
func (p *Plugin) Revert(_ context.Context, t fault.Target, c Change) error {
	return p.form(c).revert(t)
}
