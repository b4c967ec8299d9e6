// Package cpu leaves the processes of a control group only so much CPU time.
//
// It lowers the quota of a group that is there already (cpu.cfs_quota_us of
// cgroup v1, cpu.max of v2), in place, and puts the old one back. Nothing burns CPU here: how
// far the quota bites depends on what the group wants to do.
package cpu

import (
	"context"
	"errors"
	"regexp"
	"strconv"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Kind is the name of this fault.
const Kind fault.Kind = "cpu"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

// Params is what an experiment file may set.
type Params struct {
	// Quota is in percent of one CPU: 20% is a fifth of one, 200% are two.
	Quota string `json:"quota" jsonschema:"pattern=^[0-9]+([.][0-9]+)?%$,title=a percentage of one CPU,example=20%,description=CPU time that is left to the group\\, in percent of one CPU: 20% is a fifth of one CPU\\, 200% are two"`
	scope.Scope
}

// Change is the change record.
type Change struct {
	Version int           `json:"version"`
	Quota   group.Setting `json:"quota"`
	Percent float64       `json:"percent"` // asked, of one CPU
	// Throttled is how often the group had been throttled before. It says nothing
	// if the group had a quota before: then it may have gone on until Apply.
	Throttled uint64 `json:"throttled"`
	// HandDown, if set, makes systemd give the group its cpu.max.
	HandDown *group.HandDown `json:"hand_down,omitempty"`
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
	g, err := group.Find("cpu", p.Scope)
	if err != nil {
		return Change{}, err
	}
	down := g.HandDown("cpu", maxFile)
	before := untouched
	if down == nil {
		if before, err = read(g); err != nil {
			return Change{}, err
		}
	}
	after := before.lowered(percent)
	if err := fits(g, before, after); err != nil {
		return Change{}, err
	}
	throttled, err := throttledPeriods(g)
	if err != nil {
		return Change{}, err
	}
	s := group.Setting{Group: g, File: before.file, Before: before.text(), After: after.text()}
	return Change{Version: changeVersion, Quota: s, Percent: percent, Throttled: throttled, HandDown: down}, nil
}

// Apply implements fault.Plugin.
func (Plugin) Apply(_ context.Context, t fault.Target, c Change, _, _ fault.BootTime) error {
	if err := c.HandDown.Start(); err != nil {
		return err
	}
	return c.Quota.Apply(t)
}

// Revert implements fault.Plugin.
func (Plugin) Revert(_ context.Context, t fault.Target, c Change) error {
	if c.HandDown == nil {
		return c.Quota.Revert(t)
	}
	var err error
	if !c.Quota.Lacks(t) {
		err = c.Quota.Revert(t)
	}
	return errors.Join(err, c.HandDown.Stop())
}

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
