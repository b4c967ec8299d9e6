// Package pids leaves the processes of a control group only so many processes
// and threads: whoever asks for one more gets EAGAIN from fork(2) and clone(2).
//
// It lowers pids.max of a group that is there already, in place, and puts the old
// text back ("max" where there was no limit). What runs goes on running, also
// where it is more than the limit. The file has the same name in cgroup v1 and
// v2 (Documentation/admin-guide/cgroup-v1/pids in the kernel). Threads count: a
// program with a pool of threads needs one each.
package pids

import (
	"context"
	"fmt"
	"strconv"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Kind is the name of this fault.
const Kind fault.Kind = "pids"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

const (
	limitFile   = "pids.max"
	currentFile = "pids.current"
)

// most is the greatest limit the kernel takes, PID_MAX_LIMIT of linux/threads.h.
const most = 4 << 20

// unlimited is what limitFile holds where there is no limit.
const unlimited = "max"

// Params is what an experiment file may set.
type Params struct {
	Limit int `json:"limit" jsonschema:"minimum=1,maximum=4194304,title=a number of processes and threads,example=32,description=How many processes and threads the group may have\\, those that run already included"`
	scope.Scope
}

// Change is the change record.
type Change struct {
	Version int           `json:"version"`
	Limit   group.Setting `json:"limit"`
	// Refused is how many forks the kernel had refused the group before.
	Refused uint64 `json:"refused"`
	// HandDown, if set, makes systemd give the group its pids.max.
	HandDown *group.HandDown `json:"hand_down,omitempty"`
	// Keep, if set, makes systemd keep the limit.
	Keep *group.Keep `json:"keep,omitempty"`
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
		Summary:       "Leaves a service, or a control group, only so many processes and threads.",
		PluginVersion: "1.0.0",
		Touches:       []string{"the process limit of a control group"},
		ConflictKeys:  []string{"pids-limit"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_DAC_OVERRIDE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysNothing,
	}
}

// Prepare implements fault.Plugin.
func (Plugin) Prepare(_ context.Context, _ fault.Target, p Params) (Change, error) {
	if p.Limit < 1 || p.Limit > most {
		return Change{}, fault.Refuse("limit", "is %d; give 1 to %d", p.Limit, most)
	}
	g, err := group.Find("pids", p.Scope)
	if err != nil {
		return Change{}, err
	}
	c := Change{Version: changeVersion, HandDown: g.HandDown("pids"), Keep: g.Keep(limitFile, fmt.Sprintf("TasksMax=%d", p.Limit))}
	before := unlimited
	if c.HandDown == nil || g.Has(limitFile) {
		if before, err = cgroup.Read(g.Dir(), limitFile); err != nil {
			return Change{}, err
		}
		if c.Refused, err = refusals(g); err != nil {
			return Change{}, err
		}
	}
	if before != unlimited {
		old, err := strconv.Atoi(before)
		if err != nil {
			return Change{}, fmt.Errorf("read process limit of %s: %q is no number", g.Path, before)
		}
		if p.Limit >= old {
			return Change{}, fault.Refuse("limit", "leaves %s as it is: its limit is %d already; give less", g.Path, old)
		}
	}
	c.Limit = group.Setting{Group: g, File: limitFile, Before: before, After: strconv.Itoa(p.Limit)}
	return c, nil
}

// Apply implements fault.Plugin.
func (Plugin) Apply(_ context.Context, t fault.Target, c Change, _, _ fault.BootTime) error {
	err := c.HandDown.Apply(t, c.Limit)
	if err != nil {
		return err
	}
	return c.Keep.Apply()
}

// Revert implements fault.Plugin.
func (Plugin) Revert(_ context.Context, t fault.Target, c Change) error {
	return c.Keep.Revert(func() error {
		return c.HandDown.Revert(t, c.Limit)
	})
}
