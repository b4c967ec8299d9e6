// Package cpu leaves the processes of a control group only so much CPU time.
//
// It lowers the quota of a group that is there already (cpu.cfs_quota_us of
// cgroup v1), in place, and puts the old one back. Nothing burns CPU here: how
// far the quota bites depends on what the group wants to do.
package cpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/containerd/cgroups/v3/cgroup1"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// Kind is the name of this fault.
const Kind fault.Kind = "cpu"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

// Files of the v1 controller, Documentation/scheduler/sched-bwc in the kernel.
const (
	quotaFile  = "cpu.cfs_quota_us"
	periodFile = "cpu.cfs_period_us"
	burstFile  = "cpu.cfs_burst_us"
)

// unlimited is what quotaFile holds where there is no quota.
const unlimited = "-1"

// leastQuota is the smallest quota that the kernel takes, in µs of each period.
const leastQuota = 1000

// Params is what an experiment file may set.
type Params struct {
	// Quota is in percent of one CPU: 20% is a fifth of one, 200% are two.
	Quota   string `json:"quota" jsonschema:"pattern=^[0-9]+([.][0-9]+)?%$,title=a percentage of one CPU,example=20%,description=CPU time that is left to the group\\, in percent of one CPU: 20% is a fifth of one CPU\\, 200% are two"`
	Service string `json:"service,omitempty" jsonschema:"minLength=1,description=Service of the host whose processes are limited; this or group"`
	Group   string `json:"group,omitempty" jsonschema:"pattern=^/.,title=a path that begins with /,example=/svc/notes,description=Control group whose processes are limited\\, as a path below the hierarchy (/svc holds all services of a lab host); this or service"`
}

// Change is the change record.
type Change struct {
	Version int           `json:"version"`
	Quota   group.Setting `json:"quota"`
	Percent float64       `json:"percent"` // asked, of one CPU
	// Throttled is how often the group had been throttled before. It says nothing
	// if the group had a quota before: then it may have gone on until Apply.
	Throttled uint64 `json:"throttled"`
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
		Summary:       "Leaves a service, or a control group, only so much CPU time.",
		PluginVersion: "1.0.0",
		Touches:       []string{"the CPU quota of a control group"},
		ConflictKeys:  []string{"cpu-quota"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_DAC_OVERRIDE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysNothing,
	}
}

// Prepare implements fault.Plugin.
func (Plugin) Prepare(_ context.Context, _ fault.Target, p Params) (Change, error) {
	percent, err := parseQuota(p.Quota)
	if err != nil {
		return Change{}, err
	}
	g, err := group.Find("cpu", p.Service, p.Group)
	if err != nil {
		return Change{}, err
	}
	before, period, err := bandwidth(g)
	if err != nil {
		return Change{}, err
	}
	after := int64(math.Round(percent / 100 * float64(period)))
	if err := fits(g, before, after, period); err != nil {
		return Change{}, err
	}
	m, err := g.Stat(cgroup1.Cpu)
	if err != nil {
		return Change{}, err
	}
	s := group.Setting{Group: g, File: quotaFile, Before: before, After: strconv.FormatInt(after, 10)}
	return Change{Version: changeVersion, Quota: s, Percent: percent, Throttled: m.CPU.Throttling.ThrottledPeriods}, nil
}

// Apply implements fault.Plugin.
func (Plugin) Apply(_ context.Context, t fault.Target, c Change, _, _ fault.BootTime) error {
	return c.Quota.Apply(t)
}

// Revert implements fault.Plugin.
func (Plugin) Revert(_ context.Context, t fault.Target, c Change) error { return c.Quota.Revert(t) }

var quotaForm = regexp.MustCompile(`^[0-9]+([.][0-9]+)?%$`)

func parseQuota(s string) (percent float64, err error) {
	if !quotaForm.MatchString(s) {
		return 0, fault.Refuse("quota", "%q is no percentage of one CPU; write it like 20%%, or 200%% for two CPUs", s)
	}
	if percent, err = strconv.ParseFloat(s[:len(s)-1], 64); err != nil || percent <= 0 {
		return 0, fault.Refuse("quota", "%q leaves nothing; give more than 0%%, or kill the service", s)
	}
	return percent, nil
}

// bandwidth reads the group's quota as it stands and its period in µs.
func bandwidth(g group.Group) (quota string, period int64, err error) {
	if quota, err = cgroup.Read(g.Dir(), quotaFile); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w: the kernel has no CPU quotas (CONFIG_CFS_BANDWIDTH)", fault.ErrUnsupported)
		}
		return "", 0, err
	}
	text, err := cgroup.Read(g.Dir(), periodFile)
	if err != nil {
		return "", 0, err
	}
	if period, err = strconv.ParseInt(text, 10, 64); err != nil || period <= 0 {
		return "", 0, fmt.Errorf("read period of %s: %q is no number", g.Path, text)
	}
	return quota, period, nil
}

// fits says why the kernel would not take a quota, or why it would change nothing.
func fits(g group.Group, before string, after, period int64) error {
	share := func(us int64) string {
		return strconv.FormatFloat(100*float64(us)/float64(period), 'f', -1, 64) + "%"
	}
	if after < leastQuota {
		return fault.Refuse("quota", "is %d µs of each period of %s, %d µs, and the kernel takes no less than %d µs; give %s or more", after, g.Path, period, leastQuota, share(leastQuota))
	}
	if before != unlimited {
		old, err := strconv.ParseInt(before, 10, 64)
		if err != nil {
			return fmt.Errorf("read quota of %s: %q is no number", g.Path, before)
		}
		if after >= old {
			return fault.Refuse("quota", "leaves %s as it is: its quota is %s already; give less", g.Path, share(old))
		}
	}
	if text, err := cgroup.Read(g.Dir(), burstFile); err == nil {
		if burst, err := strconv.ParseInt(text, 10, 64); err == nil && burst > after {
			return fault.Refuse("quota", "is below the burst of %s, %s, which the kernel refuses; give more", g.Path, share(burst))
		}
	}
	return below(g, after, period)
}

// below looks at the groups below: v1 lets none have more than the one above it.
func below(g group.Group, after, period int64) error {
	files, err := filepath.Glob(filepath.Join(g.Dir(), "*", quotaFile))
	if err != nil {
		return fmt.Errorf("list groups below %s: %w", g.Path, err)
	}
	for _, f := range files {
		child := group.Group{Mount: g.Mount, Path: filepath.Join(g.Path, filepath.Base(filepath.Dir(f)))}
		quota, p, err := bandwidth(child)
		if err != nil || quota == unlimited {
			continue // gone meanwhile, or as the group above
		}
		if n, err := strconv.ParseInt(quota, 10, 64); err == nil && float64(n)/float64(p) > float64(after)/float64(period) {
			return fault.Refuse("quota", "is below that of %s, which the kernel refuses; limit that group instead", child.Path)
		}
	}
	return nil
}
